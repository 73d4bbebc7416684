# SPDX-License-Identifier: Apache-2.0
"""The hook ansible, with a fake ansible-playbook."""

import json

from tests import hooks

ID = 'bc923616-099a-4986-beb3-49f5d9a9f077'


class AnsibleTest(hooks.HookTestCase):
    group = 'ansible'

    def play(self, *answers, env=None, **changes):
        self.fake('ansible-playbook', *answers)
        response = self.deploy('ansible', env=env, **changes)
        self.playbook = self.working / f'{ID}_playbook.yaml'
        self.call = self.calls('ansible-playbook')[-1]
        return response

    def variables(self):
        path = self.working / f'{ID}_variables.json'
        self.assertEqual(0o600, path.stat().st_mode & 0o777)
        return json.loads(path.read_text())

    def test_the_playbook_is_played_on_localhost(self):
        self.play(config='- hosts: all  # \u00e9\n')
        self.assertEqual(
            [
                '-i',
                'localhost,',
                str(self.playbook),
                '--extra-vars',
                f'@{self.working}/{ID}_variables.json',
            ],
            self.call.argv,
        )
        self.assertEqual('- hosts: all  # \u00e9\n', self.playbook.read_text(encoding='utf-8'))

    def test_it_runs_in_a_locale_that_ansible_accepts(self):
        self.play()
        self.assertEqual('C.UTF-8', self.call.env['LC_ALL'])

    def test_failed_tasks_are_told_of_on_stderr_unless_the_server_says_otherwise(self):
        for environment, expected in ({}, 'yes'), ({'ANSIBLE_DISPLAY_FAILED_STDERR': 'no'}, 'no'):
            self.play(env=environment)
            self.assertEqual(expected, self.call.env['ANSIBLE_DISPLAY_FAILED_STDERR'])

    def test_inputs_are_variables_of_their_types(self):
        inputs = {'text': '\u00e9', 'number': 3, 'truth': False, 'map': {'a': 1}, 'none': None}
        self.play(inputs=inputs)
        variables = self.variables()
        self.assertEqual(inputs, {key: variables[key] for key in inputs})
        self.assertEqual(ID, variables['heat_config_id'])
        self.assertEqual(f'{self.outputs}/{ID}', variables['heat_outputs_path'])

    def test_options_stand_between_inventory_and_playbook(self):
        # 1651825
        self.play(options={'tags': 'one,two', 'skip_tags': 'three', 'modulepath': '/opt/m'})
        self.assertEqual(
            [
                '-i',
                'localhost,',
                '--module-path',
                '/opt/m',
                '--skip-tags',
                'three',
                '--tags',
                'one,two',
                str(self.playbook),
            ],
            self.call.argv[:9],
        )

    def test_tags_may_be_a_list(self):
        self.play(options={'tags': ['one', 'two']})
        self.assertEqual(['--tags', 'one,two'], self.call.argv[2:4])

    def test_callback_plugins_are_in_the_environment(self):
        self.play(options={'callback_plugins': '/opt/callbacks'})
        self.assertEqual('/opt/callbacks', self.call.env['ANSIBLE_CALLBACK_PLUGINS'])

    def test_an_inventory_is_a_file_in_the_hooks_folder(self):
        self.play(options={'inventory': 'hosts'})
        self.assertEqual(str(self.working / 'hosts'), self.call.argv[1])

    def test_an_inventory_may_lie_elsewhere_or_be_a_list(self):
        for inventory in ('/etc/ansible/hosts', 'one,two'):
            self.play(options={'inventory': inventory})
            self.assertEqual(inventory, self.call.argv[1])

    def test_another_inventory_may_be_the_default(self):
        self.play(env={'HEAT_ANSIBLE_INVENTORY': 'other,'})
        self.assertEqual('other,', self.call.argv[1])

    def test_null_options_and_outputs_are_none(self):
        # 1436740
        response = self.play(options=None, outputs=None)
        self.assertEqual(0, response['deploy_status_code'])

    def test_outputs_are_read_from_files(self):
        response = self.play({'files': {f'{self.outputs}/{ID}.result': 'made'}})
        self.assertEqual('made', response['result'])

    def test_a_failing_playbook_fails(self):
        response = self.play({'status': 2, 'stdout': 'fatal: [localhost]', 'stderr': 'oops'})
        self.assertEqual(
            (2, 'fatal: [localhost]', 'oops'),
            (response['deploy_status_code'], response['deploy_stdout'], response['deploy_stderr']),
        )

    def test_a_shorter_playbook_leaves_nothing_of_a_longer_one(self):
        # 1434187, 1391072
        self.play(config='- hosts: all, very many of them')
        self.play(config='- hosts: all')
        self.assertEqual('- hosts: all', self.playbook.read_text())

    def test_a_playbook_may_be_structured(self):
        playbook = [{'hosts': 'all', 'tasks': [{'debug': {'msg': '\U0001f600'}}]}]
        self.play(config=playbook)
        self.assertEqual(playbook, json.loads(self.playbook.read_text(encoding='utf-8')))

    def test_an_empty_playbook_is_nothing_to_do(self):
        self.fake('ansible-playbook')
        for config in ('', None, '\n'):
            response = self.deploy('ansible', config=config)
            self.assertEqual(0, response['deploy_status_code'])
            self.assertIn('nothing to do', response['deploy_stdout'])
        self.assertEqual([], self.calls())
