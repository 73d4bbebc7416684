# SPDX-License-Identifier: Apache-2.0
"""What holds for every hook. Hooks are found by themselves; so are the programs that they drive.

An element whose hook drives a program names it in a file heat-tools/<tool> (see the element
heat-tools). What else these tests need stands in the hook's own: `paths`, `config`, `options`.
"""

import importlib
import json
import re

from tests import base, deployments, hooks, interpreters, modules

load_tests = base.load_scenarios

GROUPS = sorted(
    path.stem.replace('hook-', '', 1)
    for path in base.ELEMENTS.glob('heat-config-*/install.d/hook-*.py')
)
#: The table of each hook's options.
TABLES = {
    path.parent.name.replace('heat-config-', '', 1): table
    for path, table in modules.load(base.ROOT / 'doc/write-options').tables().items()
}
#: By an option's kind, values that it cannot have, and some that it can.
WRONG = {
    'boolean': ['maybe', 7, [True], {'a': True}],
    'document': [5, True],
    'integer': ['many', 1.5, True, ['1'], {'a': 1}, -1],
    'list': [{'a': 1}, [['a']], [None], True],
    'map': ['a', ['a'], 5, True],
    'mode': [640, '999', 'rw', ['0640'], True],
    'number': ['a minute', True, [1], {'a': 1}, 'nan', -1],
    'string': [['a'], {'a': 1}, True],
}
RIGHT = {
    'boolean': [False, 'no'],
    'document': ['a: 1', {'a': 1}, ['a']],
    'integer': [1, '1'],
    'list': ['a', ['a', 'b'], 5, []],
    'map': [{}, {'a': 1}],
    'mode': ['0640'],
    'number': [1, 0.5, '2'],
    'string': ['a', 5],
}
SECRETS = {'deploy_password': 'Hush-Hush', 'deploy_signal_id': 'http://127.0.0.1/?Signature=Psst'}
CHUNK = 'x' * 1023 + '\n'
#: What the dispatcher reads of a hook's answer, in bytes.
RESPONSE_LIMIT = 8 * 1024 * 1024
GARBAGE = (
    '{"a":',
    '\x00\x7f\u20ac',
    '\ud800',
    '- [',
    '<xml/>',
    5,
    True,
    [None, 1],
    {'a': None},
    {'a': {'b': [1]}},
    {'': 'x'},
    None,
)


def test_case(group: str) -> 'type[hooks.HookTestCase]':
    """The class that tests this hook by itself: it knows the hook's environment."""
    module = importlib.import_module(f'tests.unit.test_heat_config_{group.replace("-", "_")}')
    return next(
        case
        for case in vars(module).values()
        if isinstance(case, type) and issubclass(case, hooks.HookTestCase) and case.group == group
    )


def recorded(group: str) -> str:
    """The name of the recorded deployment that the hook's tests begin with."""
    names = [group, f'{group}-create', 'ungrouped']
    return next(
        name for name in names if (deployments.FIXTURES / 'deployments' / f'{name}.json').exists()
    )


def programs(group: str) -> 'list[str]':
    """The programs that the hook may drive, by what its element says."""
    text = ''.join(path.read_text() for path in base.ELEMENTS.glob(f'heat-*-{group}/heat-tools/*'))
    return [
        name for names in re.findall(r'(?m)^programs="?([^"\n]*)', text) for name in names.split()
    ]


class ContractTestCase(hooks.HookTestCase):
    def setUp(self):
        case = test_case(self.group)
        self.paths, self.config, self.options = case.paths, case.config, case.options
        super().setUp()

    def deployment(self, **changes):
        """The recorded deployment; what it writes to /tmp goes to the sandbox."""
        for name in 'config', 'options':
            if getattr(self, name) is not None:
                changes.setdefault(name, getattr(self, name))
        text = json.dumps(deployments.load(recorded(self.group), **changes))
        return json.loads(text.replace('/tmp/', f'{self.root}/'))

    def fake_all(self, **answer):
        for name in programs(self.group):
            self.fake(name, answer)

    def answer(self, deployment, python=None):
        """The hook's answer: one object, and nothing else, and no traceback in it."""
        done = self.run_hook(deployment, python=python)
        self.assertEqual(0, done.status, done.stderr)
        self.assertNotIn('Traceback', done.stderr)
        response = json.loads(done.stdout)
        self.assertIsInstance(response, dict)
        self.assertNotIn('Traceback', str(response))
        self.assertEqual(hooks.KEYS, hooks.KEYS & set(response))
        self.assertIs(int, type(response['deploy_status_code']))
        self.assertLess(len(done.stdout), RESPONSE_LIMIT)
        return response


class HookContractTest(ContractTestCase):
    scenarios = [(group, {'group': group}) for group in GROUPS]

    def test_it_bears_nulls(self):
        self.fake_all()
        deployment = self.deployment()
        for key in ('options', 'inputs', 'outputs', 'config', 'name', 'creation_time'):
            self.answer(dict(deployment, **{key: None}))
        self.answer(dict.fromkeys(deployment, None))
        self.answer({})
        deployment['inputs'] = [dict(entry, value=None) for entry in deployment['inputs']]
        self.answer(deployment)

    def test_a_missing_tool_is_status_127_and_names_the_element(self):
        response = self.answer(self.deployment())
        if programs(self.group):
            self.assertEqual(127, response['deploy_status_code'], response)
            self.assertIn(f'heat-config-{self.group}', response['deploy_stderr'])
        else:
            self.assertNotEqual(
                127,
                response['deploy_status_code'],
                "it drives a program: name it in a file in its element's folder heat-tools",
            )

    def test_it_bears_configs_that_make_no_sense(self):
        self.fake_all()
        for config in GARBAGE:
            self.answer(self.deployment(config=config))

    def test_what_is_no_deployment_is_refused(self):
        self.fake_all()
        for text in (b'', b'{', b'[]', b'null', b'5', b'"x"', b'\xff\xfe{}'):
            self.assertEqual(65, self.answer(text)['deploy_status_code'])
        self.assertEqual([], self.calls())

    def test_it_bears_output_that_is_not_utf_8(self):
        self.fake_all(stdout='a\udcffb\n', stderr='c\udcfed\n')
        response = self.answer(self.deployment())
        self.assertNotIn('\udcff', str(response))

    def test_it_bears_20_mb_of_output(self):
        self.fake_all(stdout=CHUNK, stderr=CHUNK, repeat=20 * 1024)
        self.answer(self.deployment())

    def test_it_passes_on_no_credentials(self):
        self.fake_all(stdout='{}')
        done = self.run_hook(self.deployment(inputs=SECRETS))
        for secret in SECRETS.values():
            self.assertNotIn(secret, done.stdout)
            self.assertNotIn(secret, done.stderr)
            # What fake tools were called with is a file, too.
            self.assertEqual(
                [],
                [
                    path
                    for path in self.root.rglob('*')
                    if path.is_file() and secret.encode() in path.read_bytes()
                ],
            )

    def test_it_logs_no_inputs(self):
        self.fake_all()
        done = self.run_hook(self.deployment(inputs={'password': 'Hush-Hush'}))
        self.assertNotIn('Hush-Hush', done.stderr)

    def test_it_bears_inputs_of_all_types(self):
        # 1333992, 1392802, 1382031
        self.fake_all()
        self.answer(
            self.deployment(
                inputs={
                    'number': 3,
                    'float': 0.5,
                    'truth': True,
                    'map': {'\u00e9': [None]},
                    'list': ['\u00e9'],
                    'text': '\U0001f600\ud800',
                }
            )
        )

    def test_what_it_writes_is_not_for_everybody(self):
        self.fake_all()
        self.answer(self.deployment())
        for folder in (self.working, self.outputs):
            if folder.exists():
                self.assertEqual(0o700, folder.stat().st_mode & 0o777)

    def test_its_options_are_in_a_table(self):
        names = [name for option in TABLES[self.group] for name in (option.name, *option.aliases)]
        self.assertEqual(sorted(set(names)), sorted(names))

    def test_an_unknown_option_is_a_warning_with_a_hint(self):
        self.fake_all()
        response = self.answer(self.with_options({'timeuot': 5, 'no such thing': {'a': 1}}))
        first, second = response['deploy_stderr'].splitlines()[:2]
        self.assertIn("'timeuot' is unknown and has no effect; did you mean timeout?", first)
        self.assertIn("'no such thing' is unknown and has no effect; known options are", second)

    def test_an_unknown_option_is_a_failure_where_that_is_asked_for(self):
        self.fake_all()
        response = self.answer(self.with_options({'timeuot': 5, 'strict_options': True}))
        self.assertEqual(65, response['deploy_status_code'], response)
        self.assertIn('did you mean timeout?', response['deploy_stderr'])
        self.sandbox.env['HEAT_CONFIG_STRICT_OPTIONS'] = 'yes'
        response = self.answer(self.with_options({'timeuot': 5}))
        self.assertEqual(65, response['deploy_status_code'], response)
        self.assertEqual([], self.calls())
        response = self.answer(self.with_options({'timeuot': 5, 'strict_options': False}))
        self.assertNotEqual(65, response['deploy_status_code'], response)

    def with_options(self, options):
        """The deployment, with these among its options."""
        deployment = self.deployment()
        return dict(deployment, options=dict(deployment['options'] or {}, **options))


class OptionsTest(ContractTestCase):
    """What holds for each option of each hook; the tests are made of the tables."""

    scenarios = [
        (f'{group},{option.name}', {'group': group, 'option': option})
        for group in GROUPS
        for option in [*TABLES[group], *(TABLES['heat-config'] if group == 'script' else [])]
    ]

    def try_value(self, name, value):
        self.fake_all(stdout='{}')
        deployment = self.deployment()
        return self.answer(
            dict(deployment, options=dict(deployment['options'] or {}, **{name: value}))
        )

    def test_a_wrong_type_is_a_sentence_before_anything_is_done(self):
        for value in WRONG[self.option.kind]:
            response = self.try_value(self.option.name, value)
            self.assertEqual(65, response['deploy_status_code'], (value, response))
            self.assertIn(
                f'The option {self.option.name} must be', response['deploy_stderr'], value
            )
        self.assertEqual([], self.calls())

    def test_values_of_its_type_are_taken_by_each_of_its_names(self):
        for name in (self.option.name, *self.option.aliases):
            for value in [*self.option.choices] or RIGHT[self.option.kind]:
                response = self.try_value(name, value)
                self.assertNotIn(f'{self.option.name} must be', response['deploy_stderr'])
                self.assertNotIn('unknown', response['deploy_stderr'])
                self.assertNotIn('Traceback', response['deploy_stderr'])


class InterpreterTest(ContractTestCase):
    scenarios = [
        (f'{group},{name}', dict(fields, group=group))
        for group in GROUPS
        for name, fields in interpreters.scenarios()
    ]

    def test_it_runs_on_this_python(self):
        self.fake_all(stdout='a', stderr='b')
        self.answer(self.deployment(), python=self.python)
