# SPDX-License-Identifier: Apache-2.0
"""The hook apply-config, with a fake os-apply-config."""

from tests import hooks


class ApplyConfigTest(hooks.HookTestCase):
    group = 'apply-config'

    def test_os_apply_config_runs_as_the_agent_runs_it(self):
        self.fake('os-apply-config', {'stdout': 'applied', 'stderr': 'log'})
        response = self.deploy('apply-config', env={'OS_CONFIG_FILES': '/var/lib/x.json'})
        self.assertEqual(
            {'deploy_stdout': 'applied', 'deploy_stderr': 'log', 'deploy_status_code': 0}, response
        )
        call = self.calls('os-apply-config')[0]
        self.assertEqual([], call.argv)
        self.assertEqual('/var/lib/x.json', call.env['OS_CONFIG_FILES'])

    def test_its_failure_is_the_deployments(self):
        self.fake('os-apply-config', {'status': 3, 'stderr': 'no template'})
        response = self.deploy('apply-config')
        self.assertEqual(
            (3, 'no template'), (response['deploy_status_code'], response['deploy_stderr'])
        )

    def test_a_null_config_is_as_good_as_any(self):
        self.fake('os-apply-config')
        self.assertEqual(0, self.deploy('apply-config', config=None)['deploy_status_code'])

    def test_another_command_may_be_named(self):
        self.fake('other')
        self.deploy('apply-config', env={'HEAT_APPLY_CONFIG_CMD': 'other'})
        self.assertEqual(1, len(self.calls('other')))
