# SPDX-License-Identifier: Apache-2.0
"""./try-template.sh as its users meet it: what is asked for, refused, shown, and left behind."""

import os
import pathlib
import signal
import subprocess
import sys
import time
from typing import Any

from tests import base
from tests.integration import shared
from tests.integration.base import IntegrationTestCase

EXAMPLE = base.ROOT / 'example-templates' / 'example-script-template.yaml'
UNKNOWN = """\
heat_template_version: 2018-08-31
parameters:
  password: {type: string, hidden: true, description: The password of root.}
  size: {type: number}
  image: {type: string}
resources:
  server:
    type: OS::Nova::Server
    properties:
      image: {get_param: image}
      flavor: m1.small
      networks: [{network: private}]
      metadata: {size: {get_param: size}, password: {get_param: password}}
"""
BALANCER = """\
heat_template_version: 2018-08-31
resources:
  balancer: {type: OS::Octavia::LoadBalancer, properties: {vip_subnet: private-subnet}}
"""
FAILING = """\
heat_template_version: 2018-08-31
parameters:
  image: {type: string}
  flavor: {type: string}
resources:
  config:
    type: OS::Heat::SoftwareConfig
    properties:
      group: script
      config: |
        #!/bin/sh
        for number in 1 2 3 4 5; do echo "line $number of the reason" >&2; done
        exit 3
  deployment:
    type: OS::Heat::SoftwareDeployment
    properties: {config: {get_resource: config}, server: {get_resource: server}}
  server:
    type: OS::Nova::Server
    properties:
      image: {get_param: image}
      flavor: {get_param: flavor}
      networks: [{network: private}]
      user_data_format: SOFTWARE_CONFIG
"""


def environment() -> 'dict[str, str]':
    """Have the command use this interpreter's environment."""
    return dict(os.environ, LOCALHEAT_VENV=sys.prefix)


def run(*arguments: object, input: str = '') -> 'subprocess.CompletedProcess[str]':
    return subprocess.run(
        [base.ROOT / 'try-template.sh', *map(str, arguments)],
        env=environment(),
        input=input,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


class RefusalTest(base.TestCase):
    """Nothing is started for what cannot be tried."""

    guard_processes = False

    def refuse(self, *arguments: object) -> str:
        done = run(*arguments)
        self.assertEqual(1, done.returncode, done.stdout)
        self.assertNotIn('Traceback', done.stdout)
        self.assertNotIn('starting', done.stdout)
        return done.stdout

    def write(self, text: str) -> pathlib.Path:
        path = pathlib.Path(self.root) / 'template.yaml'
        path.write_text(text)
        return path

    def test_all_values_that_are_missing_are_asked_for_at_once(self) -> None:
        said = self.refuse(self.write(UNKNOWN))
        self.assertIn('  password: The password of root.\n  size\n', said)
        self.assertIn('-P password=VALUE -P size=VALUE', said)

    def test_an_unknown_parameter_is_answered_with_the_known_ones(self) -> None:
        said = self.refuse(self.write(UNKNOWN), '-P', 'siez=3')
        self.assertIn('has no parameter siez.', said)
        self.assertIn('image, password, size', said)

    def test_what_no_service_here_makes_is_named_with_a_way_round(self) -> None:
        said = self.refuse(self.write(BALANCER))
        self.assertIn('balancer: OS::Octavia::LoadBalancer', said)
        self.assertIn('{"OS::Octavia::LoadBalancer": "OS::Heat::None"}', said)

    def test_files_that_are_not_there_are_named(self) -> None:
        self.assertIn('no file /nowhere.yaml', self.refuse('/nowhere.yaml'))
        self.assertIn('no file /nowhere.qcow2', self.refuse(EXAMPLE, '--image', '/nowhere.qcow2'))

    def test_a_second_stack_is_not_kept_in_place_of_the_first(self) -> None:
        cloud = pathlib.Path(self.root)
        (cloud / 'state.json').write_text('{}')
        (cloud / 'trial.json').write_text('{"own": true, "stacks": {"first": {}}}')
        said = self.refuse('--keep', '--cloud', cloud, EXAMPLE, '--image', EXAMPLE)
        self.assertIn('The stack first is kept already', said)
        self.assertIn('--delete', said)

    def test_nothing_is_done_with_what_was_not_kept(self) -> None:
        said = self.refuse('--delete', '--cloud', self.root)
        self.assertIn('Nothing is kept in', said)


class KeptTest(IntegrationTestCase):
    def run_kept(self, *arguments: object, **how: Any) -> str:
        done = run('--cloud', self.cloud.state.directory, '--stack', 'test-kept', *arguments, **how)
        self.assertEqual(0, done.returncode, done.stdout)
        return done.stdout

    def test_a_kept_stack_is_suspended_resumed_looked_into_and_deleted(self) -> None:
        self.run_kept('--keep', '-P', f'image={shared.IMAGE}', '-P', 'flavor=chroot', EXAMPLE)
        said = self.run_kept('--suspend')
        self.assertIn('other_deployment: SUSPEND_COMPLETE', said)
        self.assertRegex(said, 'other_result: .* during SUSPEND')
        self.assertRegex(self.run_kept('--resume'), 'other_result: .* during RESUME')
        self.assertIn('ended with status 0', self.run_kept('--console', 'server'))
        self.assertIn('user 0\n', self.run_kept('--shell', 'server', input='echo user $(id -u)\n'))
        self.assertIn('test-kept: gone', self.run_kept('--delete'))

    def test_a_server_that_is_not_there_is_answered_with_those_that_are(self) -> None:
        self.run_kept('--keep', '-P', f'image={shared.IMAGE}', '-P', 'flavor=chroot', EXAMPLE)
        self.addCleanup(self.run_kept, '--delete')
        done = run(
            '--cloud', self.cloud.state.directory, '--stack', 'test-kept', '--console', 'sever'
        )
        self.assertEqual(1, done.returncode)
        self.assertIn('Its servers: server.', done.stdout)


class FailureTest(IntegrationTestCase):
    def test_the_whole_reason_is_told_and_the_stack_is_gone(self) -> None:
        path = pathlib.Path(self.root) / 'failing.yaml'
        path.write_text(FAILING)
        where = ('--cloud', self.cloud.state.directory, '--stack', 'test-failing')
        done = run(path, *where, '-P', f'image={shared.IMAGE}', '-P', 'flavor=chroot')
        self.assertEqual(1, done.returncode, done.stdout)
        self.assertIn('deployment: CREATE_FAILED', done.stdout)
        for number in range(1, 6):
            self.assertIn(f'    line {number} of the reason\n', done.stdout)
        names = [stack.stack_name for stack in self.stacks.heat.stacks.list()]
        self.assertNotIn('test-failing', names)


class InterruptionTest(IntegrationTestCase):
    def test_nothing_is_left_of_a_trial_that_is_interrupted(self) -> None:
        folder = pathlib.Path(self.root) / 'clouds'
        folder.mkdir()
        process = subprocess.Popen(
            [base.ROOT / 'try-template.sh', EXAMPLE, '--image', shared.image()],
            env=dict(environment(), TMPDIR=str(folder)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.wait_for(lambda: any(folder.glob('localheat-*/*.log')), 300)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate()
        self.assertEqual(130, process.returncode, said)
        self.assertIn('Interrupted.', said)
        self.assertEqual([], list(folder.iterdir()))

        def all_ended() -> bool:
            shown = subprocess.run(['ps', '-eo', 'args'], stdout=subprocess.PIPE, text=True)
            return str(folder) not in shown.stdout

        # services end by themselves when the command has ended
        self.wait_for(all_ended, 60)
