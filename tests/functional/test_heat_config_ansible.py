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
        playbook = [
            {'hosts': 'all', 'connection': 'local', 'gather_facts': False, 'tasks': list(tasks)}
        ]
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

    def test_a_failing_task_fails_and_says_why(self):
        response = self.play({'fail': {'msg': 'no such luck'}})
        self.assertEqual(2, response['deploy_status_code'])
        self.assertIn('no such luck', response['deploy_stderr'])

    def test_a_playbook_with_a_mistake_fails_and_says_where(self):
        response = self.deploy('ansible', config='- hosts: [')
        self.assertEqual(4, response['deploy_status_code'])
        self.assertIn('line 1', response['deploy_stderr'])
