# SPDX-License-Identifier: Apache-2.0
"""The hook ansible, with a fake ansible-playbook."""

import io
import json
import tarfile

import yaml

from tests import hooks

ID = 'bc923616-099a-4986-beb3-49f5d9a9f077'


class Unsafe(yaml.SafeLoader):
    """YAML as Ansible reads it: a string with the tag !unsafe is not expanded."""


Unsafe.add_constructor('!unsafe', yaml.SafeLoader.construct_scalar)


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
        return yaml.load(path.read_text(), Loader=Unsafe)

    def test_the_playbook_is_played_on_localhost(self):
        self.play(config='- hosts: all  # \u00e9\n')
        self.assertEqual(
            [
                '-i',
                'localhost,',
                '--connection',
                'local',
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
                '--connection',
                'local',
                '--module-path',
                '/opt/m',
                '--skip-tags',
                'three',
                '--tags',
                'one,two',
                str(self.playbook),
            ],
            self.call.argv[:11],
        )

    def test_tags_may_be_a_list(self):
        self.play(options={'tags': ['one', 'two']})
        self.assertEqual(['--tags', 'one,two'], self.call.argv[4:6])

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
            self.assertNotIn('--connection', self.call.argv)
        self.play(options={'inventory': ['/etc/ansible/hosts', 'one,']})
        self.assertEqual(['-i', '/etc/ansible/hosts', '-i', 'one,'], self.call.argv[:4])

    def test_this_server_is_reached_without_ssh_by_whatever_name(self):
        for inventory in ('localhost,', '127.0.0.1,', 'localhost,::1'):
            self.play(options={'inventory': inventory})
            self.assertEqual(['--connection', 'local'], self.call.argv[2:4])

    def test_strings_of_inputs_are_not_expanded_at_any_depth(self):
        inputs = {'text': '{{ 1+1 }}', 'map': {'{{ k }}': ['{% if %}', {'a': '{# #}'}]}}
        self.play(inputs=inputs)
        text = (self.working / f'{ID}_variables.json').read_text()
        for piece in ('{{ 1+1 }}', '{{ k }}', '{% if %}', '{# #}'):
            self.assertIn(f'!unsafe "{piece}"', text)
        self.play(inputs=inputs, options={'template_inputs': True})
        self.assertNotIn('!unsafe', (self.working / f'{ID}_variables.json').read_text())
        self.assertEqual('{{ 1+1 }}', self.variables()['text'])

    def test_any_character_reaches_ansible(self):
        text = '\U0001f600\u2028\x85\x07\\"\t\n: #'
        self.play(inputs={'text': text, 'key': {text: 1}})
        variables = self.variables()
        self.assertEqual((text, {text: 1}), (variables['text'], variables['key']))

    def test_further_options_are_arguments(self):
        self.play(
            options={
                'limit': ['a', 'b'],
                'become': True,
                'check': True,
                'diff': True,
                'verbosity': 2,
                'forks': 3,
                'env': {'ANSIBLE_GATHERING': 'explicit', 'N': 1},
                'roles_path': '/a:/b',
            }
        )
        self.assertEqual(
            ['--limit', 'a,b', '--become', '--check', '--diff', '-vv', '--forks', '3'],
            self.call.argv[4:12],
        )
        self.assertEqual(
            ('explicit', '1'), (self.call.env['ANSIBLE_GATHERING'], self.call.env['N'])
        )
        self.assertTrue(self.call.env['ANSIBLE_ROLES_PATH'].startswith('/a:/b:~/.ansible/roles:'))

    def test_the_password_of_vaults_is_the_value_of_an_input(self):
        self.play(options={'vault_password': 'secret'}, inputs={'secret': 'Hush', 'other': 1})
        path = self.call.argv[self.call.argv.index('--vault-password-file') + 1]
        self.assertEqual(f'{self.working}/{ID}_vault', path)
        self.assertFalse((self.working / f'{ID}_vault').exists())
        self.assertNotIn('secret', self.variables())
        self.assertNotIn('Hush', str(self.call))

    def test_a_password_of_vaults_that_is_no_input_is_an_error(self):
        self.fake('ansible-playbook')
        response = self.deploy('ansible', options={'vault_password': 'secret'})
        self.assertEqual(65, response['deploy_status_code'])
        self.assertIn('names the input secret, which has no value', response['deploy_stderr'])

    def test_requirements_are_installed_beforehand(self):
        self.fake('ansible-galaxy')
        self.play(options={'requirements': {'roles': [{'name': 'some.role'}]}})
        install = self.calls('ansible-galaxy')[0]
        self.assertEqual(['install', '-r', f'{self.working}/requirements.yml'], install.argv)
        self.assertIn('some.role', (self.working / 'requirements.yml').read_text())
        for call in (install, self.call):
            self.assertTrue(
                call.env['ANSIBLE_ROLES_PATH'].startswith(f'{self.working}/galaxy/roles:')
            )
            self.assertTrue(
                call.env['ANSIBLE_COLLECTIONS_PATH'].startswith(
                    f'{self.working}/galaxy/collections:'
                )
            )

    def test_requirements_are_tried_three_times(self):
        env = {'HEAT_ANSIBLE_RETRY_PAUSE': '0.01'}
        for answers, tries, status in (([{'status': 1}, {}], 2, 0), ([{'status': 1}], 3, 1)):
            before = len(self.calls('ansible-galaxy'))
            self.sandbox.env.pop('FAKE_TOOL_ANSWERS', None)
            self.fake('ansible-galaxy', *[{}] * before, *answers)
            self.fake('ansible-playbook')
            response = self.deploy('ansible', env=env, options={'requirements': 'roles: []'})
            self.assertEqual(tries, len(self.calls('ansible-galaxy')) - before)
            self.assertEqual(status, response['deploy_status_code'])

    def archive(self, **files):
        path = self.root / 'source.tar.gz'
        with tarfile.open(path, 'w:gz') as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(name.replace('_', '/') + '.yml')
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content.encode()))
        return path.as_uri()

    def test_a_playbook_may_come_out_of_an_archive(self):
        source = self.archive(site='- hosts: all\n', plays_web='- hosts: web\n')
        for options, name in (({}, 'site.yml'), ({'playbook': 'plays/web.yml'}, 'plays/web.yml')):
            self.play(config='', options=dict(options, source=source))
            self.assertIn(f'{self.working}/source/{name}', self.call.argv)
            self.assertEqual(f'{self.working}/source', self.call.cwd)

    def test_a_playbook_may_come_out_of_a_git_repository(self):
        folder = f'{self.working}/source.new'
        self.fake('git', {'files': {}}, {'files': {f'{folder}/site.yml': '- hosts: all'}})
        (self.working / 'source.new').mkdir(parents=True)
        self.fake('ansible-playbook')
        response = self.deploy(
            'ansible',
            config=None,
            options={'source': 'https://127.0.0.1/plays.git', 'source_version': 'v1'},
        )
        clone, checkout = self.calls('git')
        self.assertEqual(['clone', '--', 'https://127.0.0.1/plays.git', folder], clone.argv)
        self.assertEqual(['-C', folder, 'checkout', 'v1', '--'], checkout.argv)
        # The fake has made no clone.
        self.assertNotEqual(0, response['deploy_status_code'], response)

    def test_what_is_wrong_with_a_source_is_said(self):
        self.fake('ansible-playbook')
        source = self.archive(other='- hosts: all\n')
        for config, options, problem in (
            ('- hosts: all', {}, 'The config must be empty'),
            ('', {}, 'has no file site.yml'),
            ('', {'source_version': 'v1'}, 'is an archive, which has no version'),
            ('', {'source': f'file://{self.root}/none.zip'}, 'cannot be downloaded'),
        ):
            response = self.deploy(
                'ansible', config=config, options=dict({'source': source}, **options)
            )
            self.assertNotEqual(0, response['deploy_status_code'])
            self.assertIn(problem, response['deploy_stderr'])
        self.assertEqual([], self.calls('ansible-playbook'))

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
