# SPDX-License-Identifier: Apache-2.0
"""The hook salt, with a fake salt-call."""

import json

from tests import hooks

ID = 'e2aad288-cae8-429d-95be-a6431ee612f1'


def state(number, result, comment=''):
    return {
        '__id__': f'state {number}',
        '__run_num__': number,
        'result': result,
        'comment': comment,
        'changes': {},
    }


class SaltTest(hooks.HookTestCase):
    group = 'salt'
    paths = {'SALT_MINION_CONFIG': 'etc/minion'}

    def call_salt(self, states=None, status=0, stderr='', **changes):
        answer = {
            'stdout': json.dumps({'local': {} if states is None else states}),
            'status': status,
            'stderr': stderr,
        }
        self.fake('salt-call', answer)
        response = self.deploy('salt', **changes)
        self.call = self.calls('salt-call')[-1]
        return response

    def minion_config(self):
        """The minion's options: what the included files say, the last one first."""
        folder = self.call.argv[self.call.argv.index('--config-dir') + 1]
        with open(f'{folder}/minion', encoding='utf-8') as config:
            self.included = json.load(config)['include']
        with open(self.included[-1], encoding='utf-8') as config:
            return json.load(config)

    def test_the_state_is_applied_by_salt_call_without_a_master(self):
        self.call_salt(config='a: {test.nop: []}')
        self.assertEqual('--local', self.call.argv[0])
        self.assertEqual(['state.sls', ID], self.call.argv[-2:])
        self.assertEqual('a: {test.nop: []}', (self.working / f'{ID}.sls').read_text())
        self.assertEqual({'base': [str(self.working)]}, self.minion_config()['file_roots'])

    def test_a_state_may_be_structured(self):
        config = {'inline': {'pkg.installed': [{'name': '\U0001f600'}]}}
        self.call_salt(config=config)
        text = (self.working / f'{ID}.sls').read_text(encoding='utf-8')
        self.assertEqual(config, json.loads(text))
        self.assertIn('\U0001f600', text)

    def test_inputs_are_options_of_the_minion(self):
        inputs = {'text': '\u00e9', 'number': 3, 'truth': False, 'map': {'a': 1}}
        self.call_salt(inputs=dict(inputs, none=None))
        config = self.minion_config()
        self.assertEqual(inputs, {key: config[key] for key in inputs})
        self.assertEqual('', config['none'])
        self.assertTrue(config['pillar_opts'])

    def test_inputs_are_for_root_alone(self):
        self.call_salt()
        self.minion_config()
        self.assertEqual(0o600, (self.root / self.included[-1]).stat().st_mode & 0o777)

    def test_the_servers_own_config_is_included_and_overridden(self):
        own = self.root / 'etc'
        (own / 'minion.d').mkdir(parents=True)
        for name in ('minion', 'minion.d/b.conf', 'minion.d/a.conf', 'grains'):
            (own / name).touch()
        self.call_salt()
        self.minion_config()
        self.assertEqual(
            [str(own / name) for name in ('minion', 'minion.d/a.conf', 'minion.d/b.conf')],
            self.included[:-1],
        )
        self.assertEqual(
            own / 'grains', (self.root / self.included[-1]).with_name('grains').resolve()
        )

    def test_success_tells_of_each_state(self):
        states = {'x': state(0, True, 'done')}
        response = self.call_salt(states)
        self.assertEqual(0, response['deploy_status_code'])
        self.assertEqual(states, json.loads(response['deploy_stdout']))

    def test_failing_states_are_told_apart(self):
        response = self.call_salt(
            {'b': state(2, False, 'no parent'), 'a': state(1, True), 'c': state(0, False, 'why')},
            status=2,
            stderr='[ERROR] x\n',
        )
        self.assertEqual(2, response['deploy_status_code'])
        self.assertEqual('state 0: why\nstate 2: no parent\n[ERROR] x\n', response['deploy_stderr'])

    def test_a_failing_state_fails_whatever_salts_status_is(self):
        self.assertEqual(1, self.call_salt({'b': state(2, False)})['deploy_status_code'])

    def test_a_status_without_a_failing_state_is_success(self):
        # 1483336
        response = self.call_salt({'a': state(1, True), 'b': state(2, None)}, status=2)
        self.assertEqual(0, response['deploy_status_code'])

    def test_a_state_that_cannot_be_rendered_fails_and_says_why(self):
        response = self.call_salt(['Rendering SLS failed: x'], status=1)
        self.assertEqual(1, response['deploy_status_code'])
        self.assertEqual('Rendering SLS failed: x\n', response['deploy_stderr'])

    def test_an_answer_that_is_none_fails(self):
        for answer in ('Traceback', '', '[]', '{"local": {"a": 1}}', '{"local": null}'):
            self.fake('salt-call', {'stdout': answer, 'stderr': 'oops'})
            response = self.deploy('salt')
            self.assertEqual(1, response['deploy_status_code'])
            self.assertIn('oops', response['deploy_stderr'])

    def test_outputs_are_read_from_files(self):
        self.fake(
            'salt-call',
            {'stdout': '{"local": {}}', 'files': {f'{self.outputs}/{ID}.result': 'made'}},
        )
        self.assertEqual('made', self.deploy('salt')['result'])
        self.call = self.calls('salt-call')[0]
        self.assertEqual(f'{self.outputs}/{ID}', self.minion_config()['heat_outputs_path'])

    def test_what_salt_returned_may_be_an_output(self):
        states = {'x': state(0, True)}
        response = self.call_salt(states, outputs=[{'name': 'return'}, {'name': 'retcode'}])
        self.assertEqual((states, 0), (response['return'], response['retcode']))

    def test_an_output_that_was_not_written_is_not_there(self):
        self.assertNotIn('result', self.call_salt())

    def test_further_states_are_found_in_folders_and_formulas(self):
        self.fake('git', {'files': {}})
        formula = self.working / 'formulas'
        (self.root / 'formula').mkdir()
        self.call_salt(options={'file_roots': '/srv/a:/srv/b'})
        self.assertEqual(
            [str(self.working), '/srv/a', '/srv/b'], self.minion_config()['file_roots']['base']
        )
        self.fake('salt-call', {'stdout': '{}'})
        response = self.deploy('salt', options={'formulas': ['https://127.0.0.1/f.git#v1']})
        clone = self.calls('git')[0].argv
        self.assertEqual(['clone', '--', 'https://127.0.0.1/f.git'], clone[:3])
        self.assertTrue(clone[3].startswith(f'{formula}/'))
        self.assertIn('checkout', self.calls('git')[1].argv)
        self.assertNotEqual(0, response['deploy_status_code'])  # the fake has made no clone

    def test_a_trial_is_an_argument(self):
        self.call_salt(options={'test': True})
        self.assertEqual('test=True', self.call.argv[-1])

    def test_inputs_are_pillar_where_that_is_asked_for(self):
        self.call_salt(inputs={'text': '{{ 1+1 }}'}, options={'pillar': True})
        folder = self.root / self.minion_config()['pillar_roots']['base'][0]
        first, text = (folder / 'heat.sls').read_text().split('\n', 1)
        self.assertEqual('#!json', first)
        self.assertEqual('{{ 1+1 }}', json.loads(text)['text'])

    def test_ids_that_differ_are_states_that_differ(self):
        for id in ('a.b', 'a_b'):
            self.call_salt(id=id)
        self.assertEqual(2, len(list(self.working.glob('*.sls'))))

    def test_an_empty_state_is_nothing_to_do(self):
        self.fake('salt-call')
        for config in ('', None):
            self.assertEqual(0, self.deploy('salt', config=config)['deploy_status_code'])
        self.assertEqual([], self.calls())

    def test_a_shorter_state_leaves_nothing_of_a_longer_one(self):
        # 1434187, 1391072
        self.call_salt(config='a: {test.nop: []}')
        self.call_salt(config='a: []')
        self.assertEqual('a: []', (self.working / f'{ID}.sls').read_text())
