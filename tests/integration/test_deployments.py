# SPDX-License-Identifier: Apache-2.0
"""Deployments of scripts, from their creation to their deletion, over each way to and from Heat."""

from localheat.client import Stack
from tests.integration import base, shared

load_tests = base.load_scenarios

CFN = 'POLL_SERVER_CFN'
HEAT = 'POLL_SERVER_HEAT'


class LifeCycleTest(base.IntegrationTestCase):
    scenarios = [
        (
            '{}, {} then {}'.format(*values),
            dict(zip(('flavor', 'transport', 'next_transport'), values)),
        )
        # One boot shows both transports. The other way round Heat 27 forgets to give the server's
        # user a password, so that its agent is refused for ever.
        for values in (('qemu', HEAT, CFN), ('chroot', CFN, CFN), ('chroot', HEAT, HEAT))
    ]

    def test_scripts_run_once_per_action_and_their_outputs_reach_the_stack(self) -> None:
        limit = base.LIMITS[self.flavor]
        told = self.reports()
        fixed = {'flavor': self.flavor, 'image': shared.IMAGE, 'report_url': told.url}

        stack = self.create('deployments.yaml', limit, **fixed, metadata_transport=self.transport)
        self.assert_outputs(stack, 'hello', 'CREATE')
        self.assert_ran('CREATE', told)

        self.update(
            stack, limit, **fixed, metadata_transport=self.next_transport, greeting='hi again'
        )
        self.assert_outputs(stack, 'hi again', 'UPDATE')
        self.assert_ran('UPDATE', told)

        self.delete(stack, limit)
        self.assert_ran('DELETE', told)

    def assert_outputs(self, stack: Stack, greeting: str, action: str) -> None:
        """Assert that the stack's outputs hold what each deployment's script wrote."""
        outputs = stack.outputs()
        for name in base.DEPLOYMENTS:
            said = outputs[name]
            self.assertEqual(f'{greeting}, {action}', said['answer'])
            self.assertRegex(said['stdout'], rf'\A{action} on \S+\n\Z')
            self.assertEqual('a warning\n', said['stderr'])
            self.assertEqual(0, said['status_code'])
