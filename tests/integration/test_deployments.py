# SPDX-License-Identifier: Apache-2.0
"""Deployments of scripts, from their creation to their deletion, over each way to and from Heat."""

from localheat.client import Stack
from tests.integration import base, shared

load_tests = base.load_scenarios

# of templates/deployments.yaml
DEPLOYMENTS = ('signal_by_cfn', 'signal_by_heat')
CFN = 'POLL_SERVER_CFN'
HEAT = 'POLL_SERVER_HEAT'


class LifeCycleTest(base.IntegrationTestCase):
    scenarios = [
        ('%s, %s then %s' % values, dict(zip(('flavor', 'transport', 'next_transport'), values)))
        for values in (('chroot', CFN, CFN), ('chroot', HEAT, HEAT), ('qemu', CFN, HEAT))
    ]

    def test_scripts_run_once_per_action_and_their_outputs_reach_the_stack(self) -> None:
        limit = base.LIMITS[self.flavor]
        told = self.reports()
        fixed = {'flavor': self.flavor, 'image': shared.IMAGE, 'report_url': told.url}

        stack = self.create(
            'deployments.yaml', limit, **fixed, metadata_transport=self.transport)
        self.assert_outputs(stack, 'hello', 'CREATE')
        self.assert_ran('CREATE', told.take())

        self.update(
            stack, limit, **fixed, metadata_transport=self.next_transport, greeting='hi again')
        self.assert_outputs(stack, 'hi again', 'UPDATE')
        self.assert_ran('UPDATE', told.take())

        self.delete(stack, limit)
        self.assert_ran('DELETE', told.take())

    def test_a_suspended_server_goes_on_when_it_is_resumed(self) -> None:
        if self.flavor != 'chroot':
            self.skipTest('seen with the quick kind of server')
        limit = base.LIMITS[self.flavor]
        told = self.reports()
        stack = self.create(
            'deployments.yaml', limit, flavor=self.flavor, image=shared.IMAGE,
            report_url=told.url, metadata_transport=self.transport)
        told.take()
        stack.suspend()
        stack.wait(limit)
        self.assert_ran('SUSPEND', told.take())
        self.assertEqual('SUSPENDED', self.servers.show(stack.server('server'))['status'])
        stack.resume()
        stack.wait(limit)
        self.assert_ran('RESUME', told.take())

    def assert_outputs(self, stack: Stack, greeting: str, action: str) -> None:
        """Assert that the stack's outputs hold what each deployment's script wrote."""
        outputs = stack.outputs()
        for name in DEPLOYMENTS:
            said = outputs[name]
            self.assertEqual('%s, %s' % (greeting, action), said['answer'])
            self.assertRegex(said['stdout'], r'\A%s on \S+\n\Z' % action)
            self.assertEqual('a warning\n', said['stderr'])
            self.assertEqual(0, said['status_code'])

    def assert_ran(self, action: str, told: 'list[str]') -> None:
        """Assert that, for an action, each deployment's script told that it ran, and once."""
        self.assertEqual(['%s %s' % (name, action) for name in DEPLOYMENTS], sorted(told))
