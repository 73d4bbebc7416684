# SPDX-License-Identifier: Apache-2.0
"""Servers with nothing to do, with none of their own, and with their power cut."""

import json

from localheat.services.state import HOST_SEEN_BY_SERVERS
from tests.integration import base, shared

CHROOT = base.LIMITS['chroot']


class ServerTest(base.IntegrationTestCase):
    def test_a_server_without_deployments_is_complete_and_its_agent_content(self) -> None:
        stack = self.create('no_deployment.yaml', CHROOT, flavor='chroot', image=shared.IMAGE)
        server = stack.server('server')
        self.wait_for(
            lambda: 'Completed phase configure' in self.servers.console(server, 1000), CHROOT
        )
        self.assertNotIn('Traceback', self.servers.console(server, 1000))

    def test_a_server_that_is_none_of_novas_gets_its_deployments(self) -> None:
        stack = self.create('deployed_server.yaml', CHROOT)
        (deployment,) = stack.metadata('server')['deployments']
        self.assertEqual('script', deployment['group'])
        agent = stack.outputs()['agent']
        self.assertEqual(['heat', 'local'], agent['collectors'])
        # where the agent, which is not on this machine, would reach Keystone
        self.assertEqual(
            self.cloud.state.url('keystone', HOST_SEEN_BY_SERVERS) + '/v3',
            agent['heat']['auth_url'],
        )

    def test_a_server_whose_power_was_cut_goes_on_where_it_was(self) -> None:
        told = self.reports()
        parameters = {'flavor': 'chroot', 'image': shared.IMAGE, 'report_url': told.url}
        stack = self.create('deployments.yaml', CHROOT, **parameters)
        self.assert_ran('CREATE', told)
        server = stack.server('server')
        self.servers.reboot(server, hard=True)
        self.update(stack, CHROOT, **parameters, greeting='back again')
        self.assertEqual('back again, UPDATE', stack.outputs()['signal_by_cfn']['answer'])
        self.assert_ran('UPDATE', told)

    def test_a_suspended_server_goes_on_when_it_is_resumed(self) -> None:
        told = self.reports()
        stack = self.create(
            'deployments.yaml', CHROOT, flavor='chroot', image=shared.IMAGE, report_url=told.url
        )
        self.assert_ran('CREATE', told)
        stack.suspend()
        stack.wait(CHROOT)
        self.assert_ran('SUSPEND', told)
        self.assertEqual('SUSPENDED', self.servers.show(stack.server('server'))['status'])
        stack.resume()
        stack.wait(CHROOT)
        self.assert_ran('RESUME', told)


class UserDataTest(base.IntegrationTestCase):
    def test_they_are_carried_out_in_a_chroot_and_the_console_says_what_was_left_out(self) -> None:
        key = (
            'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJFPzmoXuRQ/D0KfMzhOGEa6O5Lq7D1Oc9CFLe3zp3Yl test'
        )
        stack = self.create(
            'user_data.yaml', CHROOT, flavor='chroot', image=shared.IMAGE, public_key=key
        )
        (data,) = json.loads(stack.outputs()['data']).values()
        self.assertEqual('written by cloud-init, talkative, key: True', data)
        console = self.servers.console(stack.server('server'), 1000)
        self.assertIn("Left out in a chroot: ntp (cloud-init's module ntp).", console)


class ServiceTest(base.IntegrationTestCase):
    def test_a_stack_survives_a_restart_of_heat(self) -> None:
        cloud = self.own_cloud()
        told = self.reports()
        parameters = {'flavor': 'chroot', 'image': shared.IMAGE, 'report_url': told.url}
        stack = self.create('deployments.yaml', CHROOT, **parameters)
        cloud.services['heat'].stop()
        cloud.start()
        self.update(stack, CHROOT, **parameters, greeting='back again')
        self.assertEqual('back again, UPDATE', stack.outputs()['signal_by_heat']['answer'])
