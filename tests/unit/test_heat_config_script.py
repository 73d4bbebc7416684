# SPDX-License-Identifier: Apache-2.0
"""The hook of the group script."""

import json
import os
import stat

from tests import base, deployments, hooks, interpreters

load_tests = base.load_scenarios


class ScriptTestCase(hooks.HookTestCase):
    group = 'script'

    def script(self, text, first='#!/bin/sh\n', inputs=None, python=None, **fields):
        """What the hook answers to a script."""
        fields = dict({'config': first + text}, **fields)
        return self.deploy('script-create', inputs, python=python, **fields)


class EachPythonTest(ScriptTestCase):
    scenarios = interpreters.scenarios()

    def test_inputs_and_outputs_of_any_type_and_language(self):
        """Bugs 1333992, 1382031: in the locale C, which is the agent's."""
        self.announce('tee')
        response = self.script(
            'printf "%s %s" "$foo" "\xfc" | tee "$heat_outputs_path.result"',
            inputs={'foo': '\u4e2d'},
            python=self.python,
        )
        self.assertEqual(
            {
                'deploy_stdout': '\u4e2d \xfc',
                'deploy_stderr': '',
                'result': '\u4e2d \xfc',
                'deploy_status_code': 0,
            },
            response,
        )


class ScriptTest(ScriptTestCase):
    def test_recorded_deployments_have_the_recorded_answers(self):
        for action in ('create', 'update', 'suspend', 'resume', 'delete'):
            self.assertEqual(
                deployments.read('signals', f'script-{action}'), self.deploy(f'script-{action}')
            )

    def test_values_that_are_no_text_are_json(self):
        """Bugs: an int or a boolean crashed the hook, null became the text None (1392802)."""
        inputs = {
            'number': 7,
            'float': 1.5,
            'yes': True,
            'list': ['a', 1],
            'map': {'k': [None]},
            'nothing': None,
        }
        self.announce('env')
        lines = self.script('env', inputs=inputs)['deploy_stdout'].splitlines()
        for line in (
            'number=7',
            'float=1.5',
            'yes=true',
            'list=["a", 1]',
            'map={"k": [null]}',
            'nothing=',
        ):
            self.assertIn(line, lines)

    def test_the_tempest_scenario(self):
        """What heat-tempest-plugin asserts of it."""
        response = self.script(
            'echo -n "Output to stdout"\necho "Output to stderr" >&2\n'
            'echo -n "$foo" > $heat_outputs_path.result\n',
            inputs={'foo': '1'},
        )
        self.assertEqual(
            ('1', 'Output to stderr\n', 0),
            tuple(response[key] for key in ('result', 'deploy_stderr', 'deploy_status_code')),
        )

    def test_credentials_are_not_for_the_script(self):
        """Bug: the script hook logged each name=value, deploy_password too."""
        self.announce('env')
        done = self.run_hook(
            deployments.load(
                'script-heat-signal',
                {'deploy_password': 'PASSWORD', 'deploy_signal_id': 'SIGNED'},
                config='#!/bin/sh\nenv',
            )
        )
        for text in (done.stdout, done.stderr):
            self.assertNotIn('PASSWORD', text)
            self.assertNotIn('SIGNED', text)
        self.assertIn('deploy_stack_id=', done.json()['deploy_stdout'])

    def test_what_it_logs_holds_no_inputs(self):
        done = self.run_hook(
            deployments.load('script-create', {'foo': 'VALUE'}, config='#!/bin/sh\nexit 1\n')
        )
        self.assertNotIn('VALUE', done.stderr)

    def test_a_failing_script(self):
        response = self.script('echo out; echo err >&2; exit 5')
        self.assertEqual(
            ('out\n', 'err\n', 5),
            tuple(
                response[key] for key in ('deploy_stdout', 'deploy_stderr', 'deploy_status_code')
            ),
        )

    def test_a_script_that_is_killed(self):
        self.assertEqual(128 + 15, self.script('kill $$')['deploy_status_code'])

    def test_a_script_that_cannot_run_says_why(self):
        for config, status_code, words in (
            ('no program', 126, 'names no interpreter'),
            ('#!/no/such/shell\n', 126, 'is not there'),
            ('', 126, 'names no interpreter'),
            (None, 126, 'names no interpreter'),
            ({'a': 1}, 65, 'must be a string, not a map'),
        ):
            response = self.deploy('script-create', config=config)
            self.assertEqual(status_code, response['deploy_status_code'], config)
            self.assertIn(words, response['deploy_stderr'])
            self.assertNotIn('Traceback', response['deploy_stderr'])

    def test_lines_that_end_as_on_windows(self):
        self.assertEqual('a\n', self.script('echo a\r\n', '#!/bin/sh\r\n')['deploy_stdout'])

    def test_a_longer_older_version_leaves_nothing_behind(self):
        """Bugs 1434187, 1391072: files were written without being truncated."""
        self.script('echo one\necho two\n')
        self.assertEqual('three\n', self.script('echo three')['deploy_stdout'])

    def test_the_output_of_an_earlier_run_is_not_this_ones(self):
        self.script('echo old > $heat_outputs_path.result')
        self.assertNotIn('result', self.script('true'))

    def test_an_output_that_no_file_can_be_named_after(self):
        response = self.script('true', outputs=[{'name': '../../x'}])
        self.assertEqual(65, response['deploy_status_code'])
        self.assertIn("An output cannot be named '../../x'", response['deploy_stderr'])

    def test_an_output_that_cannot_be_read(self):
        self.announce('mkdir')
        response = self.script('mkdir $heat_outputs_path.result')
        self.assertEqual(1, response['deploy_status_code'])
        self.assertIn('The output result cannot be read', response['deploy_stderr'])

    def test_options_and_lists_may_be_null(self):
        """Bug: `options: null`, `inputs: null` crashed hooks."""
        deployment = deployments.load('script-create', config='#!/bin/sh\necho ran\n')
        response = self.run_hook(dict(deployment, options=None, inputs=None, outputs=None)).json()
        self.assertEqual(
            {'deploy_stdout': 'ran\n', 'deploy_stderr': '', 'deploy_status_code': 0}, response
        )

    def test_input_that_is_no_deployment_is_answered(self):
        for stdin in ('', '{"half', '[]', b'\xff'):
            response = self.run_hook(stdin).json()
            self.assertEqual(65, response['deploy_status_code'])

    def test_an_environment_that_is_too_large_says_so(self):
        response = self.script('true', inputs={'foo': 'x' * 200000})
        self.assertEqual(65, response['deploy_status_code'])
        self.assertIn(
            'The input foo is too large for the environment: it has 200005 bytes, of which one '
            'variable takes 131071',
            response['deploy_stderr'],
        )
        self.assertIn('"$heat_inputs_path/foo"', response['deploy_stderr'])

    def test_large_inputs_are_left_to_a_script_that_reads_them_as_files(self):
        self.announce('wc')
        inputs = {f'large{number}': 'x' * 120000 for number in range(20)}
        response = self.script(
            'echo "[$foo]"; wc -c < "$heat_inputs_path/foo"; wc -c < "$heat_inputs_path/large19"',
            inputs=dict(inputs, foo='y' * 2000000),
        )
        self.assertEqual(0, response['deploy_status_code'], response)
        self.assertEqual('[]\n2000000\n120000\n', response['deploy_stdout'])

    def test_all_inputs_are_files_and_json_while_it_runs(self):
        self.announce('cat')
        response = self.script(
            'cat "$heat_inputs_path/map" "$heat_inputs_path/foo"; echo; echo "$heat_inputs_path"; '
            'cat "$heat_inputs_path.json"',
            inputs={'map': {'a': [1]}, 'foo': 'bar', 'odd/../name': 1},
        )
        files, folder, text = response['deploy_stdout'].splitlines()
        self.assertEqual('{"a": [1]}bar', files)
        inputs = json.loads(text)
        self.assertEqual(({'a': [1]}, 1), (inputs['map'], inputs['odd/../name']))
        self.assertNotIn('deploy_password', inputs)
        self.assertFalse(os.path.exists(folder) or os.path.exists(folder + '.json'))

    def test_env_cwd_umask_and_interpreter_are_options(self):
        response = self.script(
            'echo "$PWD $A"; : > made',
            first='',
            options={
                'env': {'A': {'b': 1}},
                'cwd': str(self.root),
                'umask': '0027',
                'interpreter': '/bin/sh -u',
            },
        )
        self.assertEqual(0, response['deploy_status_code'], response)
        self.assertEqual(f'{self.root} {{"b": 1}}\n', response['deploy_stdout'])
        self.assertEqual(0o640, (self.root / 'made').stat().st_mode & 0o777)

    def test_a_user_or_group_that_is_not_there_is_an_error(self):
        for options, problem in (
            ({'user': 'nosuch'}, 'There is no user nosuch'),
            ({'user': '4294967290'}, 'There is no user 4294967290'),
            ({'group': 'nosuch'}, 'There is no group nosuch'),
        ):
            response = self.script('true', options=options)
            self.assertEqual(65, response['deploy_status_code'], response)
            self.assertIn(problem, response['deploy_stderr'])

    def test_what_no_variable_can_hold(self):
        response = self.script('true', inputs={'foo': 'a\0b'})
        self.assertEqual(65, response['deploy_status_code'])
        response = self.script('true', inputs={'a=b': 'c'})
        self.assertEqual(65, response['deploy_status_code'])

    def test_the_script_is_nobody_elses_to_read(self):
        self.script('true', id='one')
        self.assertEqual(0o700, stat.S_IMODE((self.working / 'one').stat().st_mode))
        self.assertEqual(0o700, stat.S_IMODE(self.working.stat().st_mode))

    def test_it_runs_in_its_working_folder(self):
        self.assertEqual(
            os.path.realpath(self.working) + '\n', self.script('pwd -P')['deploy_stdout']
        )

    def test_long_output_is_cut_at_its_beginning(self):
        self.announce('head', 'tr')
        response = self.script('head -c 3000000 /dev/zero | tr "\\0" x; echo END')
        self.assertTrue(response['deploy_stdout'].endswith('xEND\n'))
        self.assertTrue(response['deploy_stdout'].startswith('[... '))
        self.assertLess(len(response['deploy_stdout']), 600000)
