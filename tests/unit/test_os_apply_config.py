# SPDX-License-Identifier: Apache-2.0
"""20-os-apply-config and 90-os-apply-config: what becomes of templates that fail.

With the real os-apply-config, in folders of the test.
"""

import json
import os
import pathlib
import shutil
import stat
import sys
from typing import Any

from tests import base

SCRIPTS = base.ELEMENTS / 'os-apply-config' / 'os-refresh-config' / 'configure.d'
OWN = base.ELEMENTS / 'heat-config/os-apply-config/var/run/heat-config'


class OsApplyConfigTest(base.TestCase):
    """A user's template that is broken keeps neither deployments nor other files."""

    def setUp(self) -> None:
        super().setUp()
        self.announce('cat', 'bash')
        self.templates = self.root / 'templates'
        self.output = self.root / 'output'
        self.failed = self.root / 'run' / 'failed'
        shutil.copytree(OWN, self.templates / 'var/run/heat-config')
        self.template('etc/other', 'other: {{other}}\n')
        metadata = self.root / 'metadata.json'
        metadata.write_text(json.dumps({'deployments': [{'id': '1'}], 'other': 'fine'}))
        # As the agents' environment has it, but writing below the test's folder.
        program = self.root / 'bin' / 'os-apply-config'
        program.write_text(
            f'#!/bin/sh\necho run >> {self.root}/runs\n'
            f'exec {sys.executable} {pathlib.Path(sys.executable).parent}/os-apply-config '
            f'--metadata {metadata} --output {self.output} "$@" 2>&1\n'
        )
        program.chmod(0o755)

    def template(self, name: str, content: str, mode: int = 0o644) -> pathlib.Path:
        path = self.templates / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(mode)
        return path

    def write(self, **env: str) -> Any:
        return self.run_script(
            SCRIPTS / '20-os-apply-config',
            env={
                'OS_CONFIG_APPLIER_TEMPLATES': str(self.templates),
                'HEAT_APPLY_CONFIG_FAILED': str(self.failed),
                **env,
            },
        )

    def end(self) -> Any:
        return self.run_program(
            ['bash', SCRIPTS / '90-os-apply-config'],
            env={'HEAT_APPLY_CONFIG_FAILED': str(self.failed)},
        )

    def assert_deployments_go_on(self, done: Any, *reasons: str) -> None:
        self.assertEqual(0, done.status, done.stderr)
        own = self.output / 'var/run/heat-config/heat-config'
        self.assertEqual([{'id': '1'}], json.loads(own.read_text()))
        self.assertEqual(0o600, stat.S_IMODE(own.stat().st_mode))
        self.assertEqual('other: fine\n', (self.output / 'etc/other').read_text())
        for reason in reasons:
            self.assertIn(reason, done.stderr)
            self.assertIn(reason, self.failed.read_text())
        end = self.end()
        self.assertEqual(1 if reasons else 0, end.status)
        for reason in reasons:
            self.assertIn(reason, end.stderr)

    def test_when_all_is_well_all_is_written_in_two_runs(self) -> None:
        self.template('etc/third', 'x')
        self.assert_deployments_go_on(self.write())
        self.assertEqual('run\nrun\n', (self.root / 'runs').read_text())

    def test_a_mustache_template_that_is_broken(self) -> None:
        self.template('etc/broken', '{{#a}} {{/b}}')
        self.assert_deployments_go_on(self.write(), '/etc/broken: ')

    def test_a_program_that_fails(self) -> None:
        self.template('etc/broken', '#!/bin/sh\necho no key >&2; exit 3\n', 0o755)
        self.assert_deployments_go_on(self.write(), '/etc/broken: ')

    def test_a_program_that_cannot_be_run(self) -> None:
        self.template('etc/broken', '#!/no/such/interpreter\n', 0o755)
        self.assert_deployments_go_on(self.write(), '/etc/broken: ')

    def test_a_program_that_hangs_and_what_it_has_started(self) -> None:
        self.announce('sleep')
        left = self.root / 'left'
        self.template('etc/broken', f'#!/bin/sh\n(sleep 7; touch {left}) & wait\n', 0o755)
        done = self.write(HEAT_APPLY_CONFIG_TIMEOUT='3')
        self.assert_deployments_go_on(done, '/etc/broken: it did not end within 3 seconds')
        self.assertFalse(left.exists())

    def test_a_template_that_cannot_be_read(self) -> None:
        # Root can read whatever the mode; what leads nowhere it cannot.
        (self.templates / 'etc/broken').symlink_to('nowhere')
        self.assert_deployments_go_on(self.write(), '/etc/broken: ')

    def test_a_target_that_cannot_be_written(self) -> None:
        (self.output / 'srv').mkdir(parents=True)
        (self.output / 'srv/file').touch()
        self.template('srv/file/below', 'x')
        self.assert_deployments_go_on(self.write(), '/srv/file/below: ')

    def test_a_control_file_that_is_broken(self) -> None:
        self.template('etc/broken', 'x')
        self.template('etc/broken.oac', '- a list')
        self.assert_deployments_go_on(self.write(), '/etc/broken: ')

    def test_each_of_several_is_named(self) -> None:
        self.template('etc/one', '{{#a}} {{/b}}')
        self.template('etc/two', '#!/bin/sh\nexit 1\n', 0o755)
        self.assert_deployments_go_on(self.write(), '/etc/one: ', '/etc/two: ')

    def test_what_is_mended_is_forgotten(self) -> None:
        broken = self.template('etc/broken', '{{#a}} {{/b}}')
        self.write()
        known = self.failed.read_text()
        self.write()
        self.assertEqual(known, self.failed.read_text())
        self.assertNotIn(str(self.root / 'tmp'), known)
        self.assertEqual(0o600, stat.S_IMODE(self.failed.stat().st_mode))
        broken.write_text('fine')
        self.assert_deployments_go_on(self.write())
        self.assertFalse(self.failed.exists())

    def test_without_the_deployments_it_does_not_go_on(self) -> None:
        (self.output / 'var/run').mkdir(parents=True)
        (self.output / 'var/run/heat-config').touch()
        done = self.write()
        self.assertEqual(1, done.status)
        self.assertIn('/var/run/heat-config/heat-config: ', done.stderr)
        self.assertEqual('other: fine\n', (self.output / 'etc/other').read_text())

    def test_an_os_apply_config_that_is_not_there_is_named(self) -> None:
        (self.root / 'bin' / 'os-apply-config').unlink()
        done = self.write()
        self.assertEqual(1, done.status)
        self.assertIn("No such file or directory: 'os-apply-config'", done.stderr)
        self.assertNotIn('Traceback', done.stderr)


class WaitForCloudInitTest(base.TestCase):
    SCRIPT = (
        base.ELEMENTS / 'os-refresh-config/os-refresh-config/configure.d/40-wait-for-cloud-init'
    )

    def wait(self, *files: str, **env: str) -> Any:
        if os.path.isdir('/run/systemd/system'):
            self.skipTest('systemd runs here, and its cloud-init would count')
        self.announce('bash', 'grep')
        self.fake('sleep')
        for name in files:
            (self.root / name).touch()
        env = {'HEAT_AGENT_CLOUD_INIT': str(self.root), **env}
        done = self.run_program(['bash', self.SCRIPT], env=env)
        self.assertEqual(0, done.status, done.stderr)
        return done

    def test_without_cloud_init_it_does_not_wait(self) -> None:
        self.assertEqual(('', []), (self.wait().stderr, self.calls('sleep')))

    def test_once_cloud_init_is_done_it_does_not_wait(self) -> None:
        self.assertEqual('', self.wait('status.json', 'result.json').stderr)
        self.assertEqual([], self.calls('sleep'))

    def test_it_waits_says_so_and_begins_all_the_same_after_the_limit(self) -> None:
        done = self.wait('status.json', HEAT_AGENT_CLOUD_INIT_TIMEOUT='3')
        self.assertEqual(3, len(self.calls('sleep')))
        begin, end = done.stderr.splitlines()
        self.assertIn('deployments begin when cloud-init has finished, after 3 seconds', begin)
        self.assertIn('cloud-init has not finished within 3 seconds', end)

    def test_it_ends_waiting_when_cloud_init_is_done(self) -> None:
        (self.root / 'bin').joinpath('sleep').write_text(
            f'#!/bin/sh\n: > {self.root}/result.json\n'
        )
        self.announce('bash', 'grep')
        (self.root / 'bin/sleep').chmod(0o755)
        (self.root / 'status.json').touch()
        done = self.run_program(
            ['bash', self.SCRIPT], env={'HEAT_AGENT_CLOUD_INIT': str(self.root)}
        )
        self.assertEqual((0, 1), (done.status, done.stderr.count('\n')))
