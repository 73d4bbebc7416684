# SPDX-License-Identifier: Apache-2.0
"""The hook ansible, with the real ansible-playbook."""

import json

from tests import hooks

CALLBACK = """
from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'aggregate'
    CALLBACK_NAME = 'seen'

    def v2_playbook_on_stats(self, stats):
        open({path!r}, 'w').close()
"""


class AnsibleTest(hooks.HookTestCase):
    guard_processes = False
    group = 'ansible'

    def play(self, *tasks, inputs=None, **changes):
        playbook = [{'hosts': 'all', 'gather_facts': False, 'tasks': list(tasks)}]
        return self.deploy('ansible', inputs, config=json.dumps(playbook), **changes)

    def write(self, name, content, **task):
        return dict({'copy': {'dest': str(self.root / name), 'content': content}}, **task)

    def made(self, name='made'):
        return (self.root / name).read_text(encoding='utf-8')

    def test_the_recorded_playbook_does_what_it_says(self):
        inputs = {'foo': 'fooo', 'bar': self.root.name + '.heat-config-ansible'}
        response = self.deploy('ansible', inputs)
        self.assertEqual(0, response['deploy_status_code'], response)
        made = self.root.with_name(inputs['bar'])
        self.addCleanup(made.unlink)
        self.assertEqual('fooo\n', made.read_text())
        self.assertEqual(f'The file {made} contains fooo\n', response['result'])

    def test_variables_keep_their_types(self):
        task = self.write(
            'made',
            '{{ text }} {{ map.a[0] + 1 }} {{ truth is sameas false }} {{ nothing is none }}',
        )
        response = self.play(
            task, inputs={'text': '\u00e9', 'map': {'a': [1]}, 'truth': False, 'nothing': None}
        )
        self.assertEqual(0, response['deploy_status_code'], response)
        self.assertEqual('\u00e9 2 True True', self.made())

    def test_a_null_is_not_the_text_none(self):
        self.play(self.write('made', '[{{ nothing }}]'), inputs={'nothing': None})
        self.assertEqual('[]', self.made())

    def test_tags_choose_tasks(self):
        tasks = [self.write(name, name, tags=[name]) for name in ('one', 'two', 'three')]
        response = self.play(*tasks, options={'tags': 'one,two', 'skip_tags': 'two'})
        self.assertEqual(0, response['deploy_status_code'], response)
        self.assertEqual(
            ['one'], [name for name in ('one', 'two', 'three') if (self.root / name).exists()]
        )

    def test_modules_and_callbacks_are_found_where_the_options_say(self):
        for name in ('modules', 'callbacks'):
            (self.root / name).mkdir()
        (self.root / 'modules' / 'greet').write_text(
            '#!/bin/sh\n# WANT_JSON\necho \'{"changed": false, "greeting": "hello"}\'\n'
        )
        (self.root / 'callbacks' / 'seen.py').write_text(
            CALLBACK.format(path=str(self.root / 'seen'))
        )
        response = self.play(
            {'greet': {}, 'register': 'answer'},
            self.write('made', '{{ answer.greeting }}'),
            options={
                'modulepath': str(self.root / 'modules'),
                'callback_plugins': str(self.root / 'callbacks'),
            },
        )
        self.assertEqual(0, response['deploy_status_code'], response)
        self.assertEqual('hello', self.made())
        self.assertTrue((self.root / 'seen').exists())

    def test_an_inventory_names_the_hosts(self):
        inventory = self.root / 'hosts'
        inventory.write_text('one ansible_connection=local who=me\n')
        self.play(
            self.write('made', '{{ inventory_hostname }} {{ who }}'),
            options={'inventory': str(inventory)},
        )
        self.assertEqual('one me', self.made())

    def test_a_play_of_this_server_needs_no_connection(self):
        for hosts in ('localhost', 'all', '127.0.0.1'):
            playbook = [
                {'hosts': hosts, 'gather_facts': False, 'tasks': [self.write('made', hosts)]}
            ]
            options = {'inventory': '127.0.0.1,'} if hosts == '127.0.0.1' else {}
            response = self.deploy('ansible', config=json.dumps(playbook), options=options)
            self.assertEqual(0, response['deploy_status_code'], response)
            self.assertEqual(hosts, self.made())

    def test_a_plays_own_connection_comes_first(self):
        playbook = [{'hosts': 'all', 'connection': 'ssh', 'tasks': [self.write('made', 'x')]}]
        response = self.deploy(
            'ansible',
            config=json.dumps(playbook),
            options={'env': {'ANSIBLE_REMOTE_PORT': 1, 'ANSIBLE_TIMEOUT': 5}},
        )
        self.assertEqual(4, response['deploy_status_code'], response)
        self.assertIn('UNREACHABLE', response['deploy_stdout'] + response['deploy_stderr'])

    def test_inputs_arrive_as_they_are(self):
        inputs = {
            'text': 'a {{ 1+1 }} {% if %} {# #} \U0001f600 "\\n',
            'map': {'{{ k }}': ['{{ lookup("pipe", "id -un") }}', {'deep': '{{ 1+1 }}'}]},
        }
        response = self.play(
            {'set_fact': {'copied': '{{ text }}'}},
            self.write('made', '{{ [copied, map] | to_json }}'),
            inputs=inputs,
        )
        self.assertEqual(0, response['deploy_status_code'], response)
        self.assertEqual([inputs['text'], inputs['map']], json.loads(self.made()))

    def test_inputs_are_expanded_where_that_is_asked_for(self):
        response = self.play(
            self.write('made', '{{ text }}'),
            inputs={'text': '{{ 1+1 }}'},
            options={'template_inputs': True},
        )
        self.assertEqual(0, response['deploy_status_code'], response)
        self.assertEqual('2', self.made())

    def test_nothing_done_is_a_failure(self):
        playbook = [{'hosts': 'web', 'tasks': [self.write('made', 'x')]}]
        response = self.deploy('ansible', config=json.dumps(playbook))
        self.assertEqual(1, response['deploy_status_code'], response)
        self.assertIn('Nothing was done: no host', response['deploy_stderr'])
        for facts in (False, True):
            playbook = [
                {
                    'hosts': 'all',
                    'gather_facts': facts,
                    'tasks': [self.write('made', 'x', tags=['one'])],
                }
            ]
            response = self.deploy('ansible', config=json.dumps(playbook), options={'tags': 'two'})
            self.assertEqual(1, response['deploy_status_code'], response)
            self.assertIn('no task has one of the tags two', response['deploy_stderr'])

    def test_one_play_without_hosts_is_no_failure(self):
        playbook = [
            {'hosts': 'web', 'tasks': [self.write('web', 'x')]},
            {'hosts': 'all', 'gather_facts': False, 'tasks': [self.write('made', 'x')]},
        ]
        response = self.deploy('ansible', config=json.dumps(playbook))
        self.assertEqual(0, response['deploy_status_code'], response)
        self.assertEqual('x', self.made())

    def test_limit_check_diff_verbosity_forks_and_env(self):
        inventory = {'inventory': str(self.root / 'hosts'), 'limit': 'two', 'forks': 1}
        (self.root / 'hosts').write_text('[all:vars]\nansible_connection=local\n[x]\none\ntwo\n')
        task = self.write('{{ inventory_hostname }}', '{{ lookup("env", "WHO") }}\n')
        options = dict(inventory, env={'WHO': 'me'}, check=True, diff=True, verbosity=1)
        response = self.play(task, options=options)
        self.assertEqual(0, response['deploy_status_code'], response)
        self.assertIn('+me', response['deploy_stdout'])
        self.assertFalse((self.root / 'two').exists())
        options['check'] = False
        self.play(task, options=options)
        self.assertEqual('me\n', (self.root / 'two').read_text())
        self.assertFalse((self.root / 'one').exists())

    def test_become(self):
        env = {
            'ANSIBLE_BECOME_METHOD': 'su',
            'ANSIBLE_BECOME_USER': 'nobody',
            'ANSIBLE_BECOME_FLAGS': '-s /bin/sh',
        }
        response = self.play(
            {'raw': 'id -un', 'register': 'who'},
            {'debug': {'msg': 'became {{ who.stdout }}'}},
            options={'become': True, 'env': env},
        )
        self.assertEqual(0, response['deploy_status_code'], response)
        self.assertIn('became nobody', response['deploy_stdout'])

    def vault(self, password, text):
        """A text as a value that ansible-vault has encrypted."""
        (self.root / 'password').write_text(password)
        done = self.run_program(
            [
                'ansible-vault',
                'encrypt_string',
                '--vault-password-file',
                self.root / 'password',
                text,
            ],
            env={'LC_ALL': 'C.UTF-8'},
        )
        self.assertEqual(0, done.status, done.stderr)
        return done.stdout

    def test_vaults_open_with_an_inputs_value(self):
        lines = self.vault('Hush', 'treasure').splitlines()
        playbook = (
            '- hosts: all\n  gather_facts: false\n  vars:\n    found: '
            + '\n    '.join(lines)
            + f'\n  tasks:\n  - copy: {{dest: {self.root}/made, content: "{{{{ found }}}}"}}\n'
        )
        for password, status in (('wrong', 4), ('Hush', 0)):
            response = self.deploy(
                'ansible',
                {'key': password},
                config=playbook,
                options={'vault_password': 'key'},
            )
            self.assertEqual(status != 0, response['deploy_status_code'] != 0, response)
        self.assertEqual('treasure', self.made())

    def git(self, folder):
        """Make a git repository of a folder, with a tag."""
        for arguments in (
            ['init', '-q'],
            ['add', '.'],
            ['-c', 'user.name=x', '-c', 'user.email=x@x', 'commit', '-q', '-m', 'x'],
            ['tag', 'v1'],
        ):
            done = self.run_program(['git', *arguments], cwd=folder)
            self.assertEqual(0, done.status, done.stderr)
        return folder.as_uri()

    def role(self):
        """The folder of a role that writes a file."""
        tasks = self.root / 'greeter' / 'tasks'
        tasks.mkdir(parents=True)
        (tasks.parent / 'meta').mkdir()
        (tasks.parent / 'meta' / 'main.yml').write_text('galaxy_info: {author: x}\n')
        (tasks / 'main.yml').write_text(json.dumps([self.write('made', 'by a role')]))
        return tasks.parent

    def test_roles_are_found_in_folders_and_installed_from_git(self):
        role = self.role()
        playbook = json.dumps([{'hosts': 'all', 'gather_facts': False, 'roles': ['greeter']}])
        requirements = {
            'roles': [{'name': 'greeter', 'src': self.git(role), 'scm': 'git', 'version': 'v1'}]
        }
        for options in ({'roles_path': str(self.root)}, {'requirements': requirements}):
            response = self.deploy('ansible', config=playbook, options=options)
            self.assertEqual(0, response['deploy_status_code'], response)
            self.assertEqual('by a role', self.made())
            (self.root / 'made').unlink()

    def test_collections_are_installed_from_archives(self):
        collection = self.root / 'ns' / 'stuff'
        (collection / 'playbooks').mkdir(parents=True)
        (collection / 'plugins/filter').mkdir(parents=True)
        (collection / 'plugins/filter/loud.py').write_text(
            'class FilterModule:\n    def filters(self):\n        return {"loud": str.upper}\n'
        )
        (collection / 'galaxy.yml').write_text(
            'namespace: ns\nname: stuff\nversion: 1.0.0\nreadme: README.md\nauthors: [x]\n'
        )
        (collection / 'README.md').write_text('x')
        done = self.run_program(
            ['ansible-galaxy', 'collection', 'build', collection],
            cwd=self.root,
            env={'LC_ALL': 'C.UTF-8'},
        )
        self.assertEqual(0, done.status, done.stderr)
        response = self.play(
            self.write('made', '{{ "x" | ns.stuff.loud }}'),
            options={
                'requirements': {
                    'collections': [{'name': f'{self.root}/ns-stuff-1.0.0.tar.gz', 'type': 'file'}]
                }
            },
        )
        self.assertEqual(0, response['deploy_status_code'], response)
        self.assertEqual('X', self.made())

    def test_a_playbook_and_its_requirements_come_out_of_a_git_repository(self):
        role = self.git(self.role())
        source = self.root / 'plays'
        source.mkdir()
        (source / 'requirements.yml').write_text(
            json.dumps({'roles': [{'name': 'greeter', 'src': role, 'scm': 'git'}]})
        )
        (source / 'web.yml').write_text(
            json.dumps([{'hosts': 'all', 'gather_facts': False, 'roles': ['greeter']}])
        )
        options = {
            'source': self.git(source),
            'source_version': 'v1',
            'playbook': 'web.yml',
            'requirements': 'requirements.yml',
        }
        response = self.deploy('ansible', config='', options=options)
        self.assertEqual(0, response['deploy_status_code'], response)
        self.assertEqual('by a role', self.made())
        response = self.deploy('ansible', config='', options=dict(options, source_version='v2'))
        self.assertEqual(128, response['deploy_status_code'], response)
        self.assertIn('v2', response['deploy_stderr'])

    def test_a_failing_task_fails_and_says_why(self):
        response = self.play({'fail': {'msg': 'no such luck'}})
        self.assertEqual(2, response['deploy_status_code'])
        self.assertIn('no such luck', response['deploy_stderr'])

    def test_a_playbook_with_a_mistake_fails_and_says_where(self):
        response = self.deploy('ansible', config='- hosts: [')
        self.assertEqual(4, response['deploy_status_code'])
        self.assertIn('line 1', response['deploy_stderr'])
