# SPDX-License-Identifier: Apache-2.0
"""The hook chef, with a fake chef-client and a real git."""

import json
import subprocess

from tests import deployments, hooks

RUN_LIST = ['recipe[apache]']


class ChefTest(hooks.HookTestCase):
    group = 'chef'
    config = RUN_LIST

    def converge(self, *answers, client='chef-client', **changes):
        self.fake(client, *answers)
        changes.setdefault('config', RUN_LIST)
        response = self.deploy('chef', **changes)
        self.call = (self.calls(client) or [None])[-1]
        return response

    def node(self):
        with open(self.call.argv[-1], encoding='utf-8') as node:
            return json.load(node)

    def client_config(self):
        return (self.working / 'client.rb').read_text()

    def test_the_client_runs_in_local_mode(self):
        self.converge()
        self.assertEqual(['-z', '--config', f'{self.working}/client.rb', '-j'], self.call.argv[:-1])
        self.assertEqual(self.working / 'node', (self.root / self.call.argv[-1]).parent)
        kitchen = self.working / 'kitchen'
        self.assertEqual(
            'log_level :debug\nlog_location STDOUT\nlocal_mode true\nchef_zero.enabled true\n'
            f"cookbook_path '{kitchen}/cookbooks'\nrole_path '{kitchen}/roles'\n"
            f"environment_path '{kitchen}/environments'\nnode_path '{self.working}/node'\n",
            self.client_config(),
        )

    def test_cinc_serves_as_well(self):
        self.converge(client='cinc-client')
        self.assertEqual('-z', self.call.argv[0])

    def test_the_run_list_may_be_text(self):
        self.converge(config='["recipe[apache]"]')
        self.assertEqual(RUN_LIST, self.node()['run_list'])

    def test_the_run_list_may_be_in_a_map(self):
        # Heat's StructuredConfig takes nothing but a map.
        for config in ({'run_list': RUN_LIST}, json.dumps({'run_list': RUN_LIST})):
            self.converge(config=config)
            self.assertEqual(RUN_LIST, self.node()['run_list'])

    def test_a_policy_has_a_run_list_of_its_own(self):
        self.converge(config=None, options={'policyfile': 'web', 'kitchen_path': '/srv/k'})
        self.assertNotIn('run_list', self.node())
        self.assertIn(
            "chef_repo_path '/srv/k'\nuse_policyfile true\npolicy_document_native_api true\n"
            "policy_name 'web'\npolicy_group 'local'\n",
            self.client_config(),
        )
        response = self.converge(options={'policyfile': 'web'})
        self.assertEqual(65, response['deploy_status_code'])

    def test_a_config_that_is_no_run_list_is_refused(self):
        for config in ("default['vim'] = 'x'", {'a': 1}, '{"a": 1}', 5):
            response = self.converge(config=config)
            self.assertEqual(65, response['deploy_status_code'])
            self.assertIn('run list', response['deploy_stderr'])
            self.assertIsNone(self.call)

    def test_inputs_are_attributes(self):
        # 1709026: whatever their characters
        self.converge(inputs={'fooval': {'bar': 'baz'}, 'none': None, 'text': '\u00e9'})
        self.assertEqual(
            {
                'bar': 'baa',
                'fooval': {'bar': 'baz'},
                'none': None,
                'text': '\u00e9',
                'run_list': RUN_LIST,
            },
            self.node(),
        )

    def test_what_heat_tells_the_agent_is_not_the_nodes_affair(self):
        self.converge(
            inputs={
                'deploy_auth_url': 'http://x',
                'deploy_password': 'secret',
                'deploy_user_id': 'u',
                'deploy_queue_id': 'q',
            }
        )
        self.assertEqual({'bar', 'run_list'}, set(self.node()))

    def test_the_environment_is_an_input(self):
        self.converge(inputs={'environment': "it's #{production}\\"})
        self.assertIn("environment 'it\\'s #{production}\\\\'\n", self.client_config())
        self.assertNotIn('environment', self.node())

    def test_a_shorter_config_leaves_nothing_of_a_longer_one(self):
        # 1434187, 1391072: the file's name is the same for all deployments
        self.converge(inputs={'environment': 'production'})
        self.converge(inputs={'environment': ''})
        self.assertNotIn('production', self.client_config())
        self.assertTrue(self.client_config().endswith("/node'\n"))

    def test_outputs_are_read_from_files(self):
        response = self.converge({'files': {'$heat_outputs_path.result': 'made'}})
        self.assertEqual('made', response['result'])

    def test_a_failing_run_fails(self):
        response = self.converge({'status': 1, 'stdout': 'out', 'stderr': 'no such cookbook'})
        self.assertEqual(
            (1, 'out', 'no such cookbook'),
            (response['deploy_status_code'], response['deploy_stdout'], response['deploy_stderr']),
        )

    def test_null_options_and_inputs_are_none(self):
        response = self.converge(options=None, outputs=None)
        self.assertEqual(0, response['deploy_status_code'])


class KitchenTest(hooks.HookTestCase):
    group = 'chef'

    def setUp(self):
        super().setUp()
        self.announce('git')
        self.fake('chef-client')
        self.source = self.root / 'source'
        self.kitchen = self.root / 'opt' / 'kitchen'
        self.git('init', '--quiet', str(self.source))
        self.commit('one')

    def git(self, *arguments):
        subprocess.run(
            ['git', '-c', 'user.name=x', '-c', 'user.email=x@example.org', *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            env=self.sandbox.env,
        )

    def commit(self, text):
        (self.source / 'cookbooks').write_text(text)
        self.git('-C', str(self.source), 'add', '.')
        self.git('-C', str(self.source), 'commit', '--quiet', '-m', text)

    def converge(self, **options):
        options = dict({'kitchen': str(self.source), 'kitchen_path': str(self.kitchen)}, **options)
        return self.deploy('chef', config=RUN_LIST, options=options)

    def test_it_is_cloned_to_where_it_is_wanted(self):
        self.assertEqual(0, self.converge()['deploy_status_code'])
        self.assertEqual('one', (self.kitchen / 'cookbooks').read_text())
        self.assertIn(
            f"cookbook_path '{self.kitchen}/cookbooks'", (self.working / 'client.rb').read_text()
        )

    def test_a_later_deployment_gets_a_fresh_one(self):
        self.converge()
        self.commit('two')
        self.converge()
        self.assertEqual('two', (self.kitchen / 'cookbooks').read_text())

    def test_one_that_cannot_be_had_fails_and_keeps_the_old_one(self):
        self.converge()
        response = self.converge(kitchen=str(self.root / 'nowhere'))
        self.assertEqual(128, response['deploy_status_code'])
        self.assertIn('nowhere', response['deploy_stderr'])
        self.assertEqual('one', (self.kitchen / 'cookbooks').read_text())
        self.assertEqual(1, len(self.calls('chef-client')))

    def test_a_folder_that_is_no_clone_is_not_removed(self):
        self.kitchen.mkdir(parents=True)
        (self.kitchen / 'precious').touch()
        response = self.converge()
        self.assertEqual(1, response['deploy_status_code'])
        self.assertIn('kitchen_path', response['deploy_stderr'])
        self.assertTrue((self.kitchen / 'precious').exists())

    def test_without_git_it_fails_and_says_so(self):
        (self.sandbox.bin / 'git').unlink()
        done = self.run_hook(
            deployments.load(
                'chef', config=RUN_LIST, options={'kitchen': 'https://example.org/x.git'}
            )
        )
        self.assertEqual(127, done.json()['deploy_status_code'])
        self.assertIn('git', done.json()['deploy_stderr'])
