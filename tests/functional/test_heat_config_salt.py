# SPDX-License-Identifier: Apache-2.0
"""The hook salt, with the real salt-call, from PyPI as the element installs it."""

import json

from tests import hooks
from tests.functional import tools

#: Keeps the machine's own configuration and state out of it.
MINION = """
cachedir: {root}/cache
pki_dir: {root}/pki
sock_dir: {root}/sock
log_file: {root}/log
id: the-minion
grains:
  role: web
"""
WRITE = "{{ opts['path'] }}: {file.managed: [{contents: '%s'}]}"


class SaltTest(hooks.HookTestCase):
    guard_processes = False
    group = 'salt'
    paths = {'SALT_MINION_CONFIG': 'etc/minion'}

    def setUp(self):
        super().setUp()
        self.sandbox.env['PATH'] += ':' + tools.install('salt')
        self.made = self.root / 'made'
        (self.root / 'etc').mkdir()
        (self.root / 'etc' / 'minion').write_text(MINION.format(root=self.root))

    def apply(self, state, inputs=None, **changes):
        return self.deploy('salt', dict(inputs or {}, path=str(self.made)), config=state, **changes)

    def test_inputs_are_pillar_as_they_are(self):
        response = self.apply(
            "{{ opts['path'] }}: {file.managed: [{contents: {{ pillar['text'] | json }}}]}",
            {'text': 'a {{ 1+1 }}: {% if %}'},
            options={'pillar': True},
        )
        self.assertEqual(0, response['deploy_status_code'], response)
        self.assertEqual('a {{ 1+1 }}: {% if %}\n', self.made.read_text())

    def test_a_trial_changes_nothing(self):
        response = self.apply(WRITE % 'x', options={'test': True})
        self.assertEqual(0, response['deploy_status_code'], response)
        self.assertIn('No changes made', response['deploy_stdout'])
        self.assertFalse(self.made.exists())

    def test_states_are_found_in_folders_and_in_formulas_from_git(self):
        formula = self.root / 'web-formula'
        (formula / 'web').mkdir(parents=True)
        (formula / 'web' / 'init.sls').write_text(WRITE % 'by a formula')
        for arguments in (
            ['init', '-q'],
            ['add', '.'],
            ['-c', 'user.name=x', '-c', 'user.email=x@x', 'commit', '-q', '-m', 'x'],
            ['tag', 'v1'],
        ):
            done = self.run_program(['git', *arguments], cwd=formula)
            self.assertEqual(0, done.status, done.stderr)
        for options in (
            {'file_roots': [str(formula)]},
            {'formulas': [f'{formula.as_uri()}#v1']},
        ):
            response = self.apply('include: [web]', options=options)
            self.assertEqual(0, response['deploy_status_code'], response)
            self.assertEqual('by a formula\n', self.made.read_text())
            self.made.unlink()

    def write(self, text, **changes):
        response = self.apply(WRITE % text, **changes)
        self.assertEqual(0, response['deploy_status_code'], response)
        return self.made.read_text(encoding='utf-8')

    def test_states_find_the_inputs(self):
        inputs = {'text': '\u00e9', 'number': 3, 'map': {'a': ['deep']}, 'none': None}
        text = (
            "{{ opts['text'] }} {{ opts['number'] + 1 }} {{ opts['map']['a'][0] }} "
            "[{{ opts['none'] }}] {{ pillar['master']['text'] }} "
            "{{ salt['config.get']('map:a:0') }}"
        )
        self.assertEqual('\u00e9 4 deep [] \u00e9 deep\n', self.write(text, inputs=inputs))

    def test_the_servers_own_config_counts(self):
        self.assertEqual('the-minion web\n', self.write("{{ opts['id'] }} {{ grains['role'] }}"))

    def test_the_answer_tells_of_each_state(self):
        response = self.apply(WRITE % 'x')
        states = json.loads(response['deploy_stdout'])
        self.assertEqual([True], [state['result'] for state in states.values()])

    def test_a_state_may_be_structured(self):
        response = self.apply({str(self.made): {'file.managed': [{'contents': '\U0001f600'}]}})
        self.assertEqual(0, response['deploy_status_code'], response)
        self.assertEqual('\U0001f600\n', self.made.read_text(encoding='utf-8'))

    def test_outputs_are_what_states_write(self):
        response = self.apply(
            "{{ opts['heat_outputs_path'] }}.result: {file.managed: [{contents: made}]}"
        )
        self.assertEqual('made\n', response['result'], response)

    def test_failing_states_are_told_apart(self):
        response = self.apply("""
good: {test.succeed_without_changes: []}
bad: {test.fail_without_changes: []}
worse: {file.managed: [{name: /nonexistent/folder/x, contents: x}]}
""")
        self.assertEqual(2, response['deploy_status_code'], response)
        self.assertEqual(
            ['bad: Failure!', 'worse: Parent directory not present'],
            response['deploy_stderr'].splitlines()[:2],
        )

    def test_a_state_function_that_does_not_exist_fails(self):
        response = self.apply('failure: {test.echo: [{text: does not work}]}')
        self.assertEqual(2, response['deploy_status_code'])
        self.assertIn("State 'test.echo' was not found", response['deploy_stderr'])

    def test_a_template_with_a_mistake_fails_and_says_where(self):
        response = self.apply('a: {{ nothing.at.all }}')
        self.assertEqual(1, response['deploy_status_code'])
        self.assertIn("'nothing' is undefined; line 1", response['deploy_stderr'])
