# SPDX-License-Identifier: Apache-2.0
"""The surroundings of tests: what they promise, for all other tests rest on it."""

import os
import subprocess
import sys

import fixtures
import testtools

from tests import base


class SandboxTest(base.TestCase):
    def test_a_program_sees_nothing_of_the_callers_environment(self):
        self.useFixture(fixtures.EnvironmentVariable('HEAT_TEST_SECRET', 'x'))
        done = self.run_program(['sh', '-c', 'echo "$HEAT_TEST_SECRET|$PATH"'])
        self.assertEqual((0, f'|{self.sandbox.bin}\n', ''), done)

    def test_an_unannounced_program_is_not_on_path(self):
        done = self.run_program(['sh', '-c', 'ls'])
        self.assertEqual(127, done.status)

    def test_an_announced_program_is_on_path(self):
        self.announce('ls')
        self.assertEqual(0, self.run_program(['sh', '-c', 'ls']).status)

    def test_announcing_a_missing_program_says_so(self):
        error = self.assertRaises(FileNotFoundError, self.announce, 'no-such-program')
        self.assertIn('no-such-program', str(error))

    def test_an_unannounced_process_is_a_failure_even_if_the_exception_is_swallowed(self):

        class Careless(base.TestCase):
            def test(self):
                try:
                    subprocess.run(['true'], check=True)
                except Exception:
                    pass

        result = testtools.TestResult()
        Careless('test').run(result)
        self.assertFalse(result.wasSuccessful())
        self.assertIn('the test started true', result.failures[0][1])

    def test_stdin_that_is_no_text_is_sent_as_json(self):
        self.announce('cat')
        self.assertEqual({'a': None}, self.run_program(['cat'], stdin={'a': None}).json())

    def test_a_program_that_hangs_is_killed_with_its_children(self):
        self.announce('sleep')
        error = self.assertRaises(
            AssertionError,
            self.run_program,
            ['sh', '-c', 'echo begun; sleep 600 & sleep 600'],
            timeout=1,
        )
        self.assertIn('did not end in 1 s', str(error))
        self.assertIn('begun', str(error))

    def test_a_script_runs_without_the_packages_of_the_tests(self):
        script = self.root / 'script.py'
        script.write_text('import fixtures\n')
        self.assertIn('ModuleNotFoundError', self.run_script(script).stderr)
        self.assertEqual(0, self.run_script(script, python=sys.executable).status)


class FakeToolTest(base.TestCase):
    def test_it_records_how_it_was_called(self):
        self.fake('puppet')
        self.run_program(['puppet', 'apply', 'a b'], stdin='in', env={'FACTER_x': '1'}, cwd='/')
        (call,) = self.calls('puppet')
        self.assertEqual(
            ('puppet', ['apply', 'a b'], '/', 'in'), (call.tool, call.argv, call.cwd, call.stdin)
        )
        self.assertEqual('1', call.env['FACTER_x'])

    def test_it_succeeds_silently_by_default(self):
        self.fake('puppet')
        self.assertEqual((0, '', ''), self.run_program(['puppet']))

    def test_it_answers_call_by_call_and_then_with_the_last_answer(self):
        self.fake('docker', {'stdout': 'one'}, {'stderr': 'two', 'status': 3})
        self.fake('podman', {'stdout': 'other'})
        self.assertEqual((0, 'one', ''), self.run_program(['docker']))
        self.assertEqual((0, 'other', ''), self.run_program(['podman']))
        self.assertEqual((3, '', 'two'), self.run_program(['docker']))
        self.assertEqual((3, '', 'two'), self.run_program(['docker']))
        self.assertEqual(
            ['docker', 'podman', 'docker', 'docker'], [call.tool for call in self.calls()]
        )

    def test_it_writes_files_named_by_its_environment_and_arguments(self):
        self.fake('puppet', {'files': {'$outputs.a': 'A', '{1}': 'B'}})
        self.run_program(['puppet', '-f', self.root / 'b'], env={'outputs': str(self.root / 'o')})
        self.assertEqual('A', (self.root / 'o.a').read_text())
        self.assertEqual('B', (self.root / 'b').read_text())

    def test_it_prints_bytes_that_are_not_utf8(self):
        self.fake('puppet', {'stdout': '\udcff'})
        self.assertEqual('\\xff', self.run_program(['puppet']).stdout)

    def test_it_prints_more_than_an_environment_can_hold(self):
        self.fake('puppet', {'stdout': '0123456789', 'repeat': 100000})
        self.assertEqual(1000000, len(self.run_program(['puppet']).stdout))

    def test_it_can_be_killed_by_a_signal(self):
        self.fake('puppet', {'status': -9})
        self.assertEqual(-9, self.run_program(['puppet']).status)

    def test_scripts_find_it_on_path(self):
        self.fake('ansible-playbook', {'stdout': 'ok'})
        done = self.run_program(['sh', '-c', 'ansible-playbook site.yaml'])
        self.assertEqual((0, 'ok', ''), done)
        self.assertEqual(
            os.path.realpath(self.root), os.path.realpath(self.calls('ansible-playbook')[0].cwd)
        )
