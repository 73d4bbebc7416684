# SPDX-License-Identifier: Apache-2.0
"""Each example template, tried by ./try-template.sh: created, updated, deleted, in the quick kind.

All go into one cloud, several at a time. Those whose tools need an image of their own, or that
cannot be had on every network, are named with the reason; tests/integration/test_check.py has Heat
read these, and test_all_hooks.py runs their hooks.
"""

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

from tests import base
from tests.integration import shared
from tests.integration.base import IntegrationTestCase

load_tests = base.load_scenarios

FOLDER = base.ROOT / 'example-templates'
#: What an example's outputs must match, and parameters for an update with what they match then.
EXAMPLES: 'dict[str, dict[str, Any]]' = {
    'example-script-template': {'result': r'contains fooooo .* during CREATE'},
    'example-deploy-sequence': {'deployment_c_stdout': r'previous: deployment_b'},
    'example-software-deploymentgroup-template': {'status_code': r'"0": 0'},
    'example-sw-component-template': {},
    'example-long-deployment': {'result': r'It took 5 s\.'},
    'example-secrets-template': {'mode': '600', 'lengths': '9 20'},
    'example-rolling-update': {'result': r'"0": "1 since'},
    'example-address-handover': {'result': r'the database is at \d+\.'},
    'example-network-resources': {'result': r'\d is reached from outside as \d+\.'},
}
UPDATES: 'dict[str, tuple[list[str], dict[str, str]]]' = {
    'example-rolling-update': (['version=2'], {'result': r'"0": "2 since'}),
    'example-long-deployment': (['seconds=1'], {'result': r'It took 1 s\.'}),
    'example-secrets-template': (['password=longer-than-before'], {'lengths': '18 20'}),
}
WITH_OTHER_IMAGES = 'its tool needs an image of its own: test_all_hooks.py runs the hook'
PRISTINE = 'its server gets the agent at boot: test_boot_config.py does that'
NOT_HERE = 'its tool or its container images cannot be had on every network'
LEFT_OUT = {
    'example-ansible-template': WITH_OTHER_IMAGES,
    'example-cfn-init-template': WITH_OTHER_IMAGES,
    'example-hiera-template': WITH_OTHER_IMAGES,
    'example-os-apply-config': WITH_OTHER_IMAGES,
    'example-puppet-template': WITH_OTHER_IMAGES,
    'example-salt-pillar': WITH_OTHER_IMAGES,
    'example-salt-template': WITH_OTHER_IMAGES,
    'example-structured-template': WITH_OTHER_IMAGES,
    'example-install-hook': PRISTINE,
    'example-cloud-init': PRISTINE,
    'example-config-pristine-image': PRISTINE,
    'example-config-pristine-image-hooks': PRISTINE,
    'example-chef-template': NOT_HERE,
    'example-docker-cmd-template': NOT_HERE,
    'example-docker-compose-template': NOT_HERE,
    'example-kubelet-template': NOT_HERE,
    'example-podman-template': NOT_HERE,
    'example-reboot-template': 'it takes a booted system: test_restarts.py restarts one',
}


class EveryExampleTest(base.TestCase):
    guard_processes = False

    def test_it_is_tried_or_left_out_with_a_reason(self) -> None:
        there = {path.stem for path in FOLDER.glob('*.yaml')}
        self.assertEqual(there, {*EXAMPLES, *LEFT_OUT})


class ExampleTest(IntegrationTestCase):
    scenarios = [(name, {'example': name}) for name in EXAMPLES]

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(self.run_command, '--delete')

    def run_command(self, *arguments: str) -> 'subprocess.CompletedProcess[str]':
        """Run ./try-template.sh for this example's stack."""
        where = ('--cloud', self.cloud.state.directory, '--stack', self.example)
        return subprocess.run(
            [base.ROOT / 'try-template.sh', *where, *arguments],
            env=dict(os.environ, LOCALHEAT_VENV=sys.prefix),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def do(self, *arguments: str) -> None:
        done = self.run_command(*arguments)
        self.assertEqual(0, done.returncode, done.stdout)

    def assert_outputs(self, expected: 'dict[str, str]') -> None:
        stack = self.stacks.get(self.example, '')
        outputs = stack.outputs()
        for name, pattern in expected.items():
            value = outputs[name]
            text = value if isinstance(value, str) else json.dumps(value)
            self.assertRegex(text, pattern, name)

    def test_it_is_created_updated_and_deleted(self) -> None:
        template = pathlib.Path(FOLDER, self.example + '.yaml')
        self.do('--keep', '-P', f'image={shared.IMAGE}', '-P', 'flavor=chroot', str(template))
        self.assert_outputs(EXAMPLES[self.example])
        if self.example in UPDATES:
            values, expected = UPDATES[self.example]
            options = [word for value in values for word in ('-P', value)]
            self.do('--update', *options)
            self.assert_outputs(expected)
        self.do('--delete')
        # Heat may list it for an instant more.
        left = {
            item.stack_status
            for item in self.stacks.heat.stacks.list()
            if item.stack_name == self.example
        }
        self.assertLessEqual(left, {'DELETE_COMPLETE'})
