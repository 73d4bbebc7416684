# SPDX-License-Identifier: Apache-2.0
"""heat-config-status: what the agent did, and what a stack waits for."""

import importlib
import json
import os
import signal
import subprocess
import sys
import time

import fixtures

from tests import agent, base, interpreters, signal_server
from tests.agent import script

load_tests = base.load_scenarios

PROGRAM = agent.ELEMENT / 'bin' / 'heat-config-status'


class StatusTestCase(base.TestCase):
    python = None

    def setUp(self):
        super().setUp()
        self.agent = self.useFixture(agent.Agent(self.sandbox, self.python))
        self.heat = self.useFixture(signal_server.SignalServer())
        self.config = self.root / 'os-collect-config.conf'
        self.cache = self.root / 'cache'
        self.cache.mkdir()

    def script(self, name, text='true', **fields):
        return script(name, text, url=self.heat.signed(name), **fields)

    def status(self, *args):
        done = self.run_script(PROGRAM, *args, '--config', str(self.config))
        self.assertNotIn('Traceback', done.stderr)
        for secret in ('SECRET', 'Signature', 'PASSWORD', 'INPUT-VALUE'):
            self.assertNotIn(secret, done.stdout + done.stderr)
        return done

    def rows(self, *args):
        return {row['name']: row for row in self.status('--json', *args).json()['deployments']}


class EachPythonTest(StatusTestCase):
    scenarios = interpreters.scenarios()

    def test_a_table_of_what_was_done(self):
        self.agent.run(self.script('one', 'echo out'), self.script('two', 'exit 3'))
        done = self.status()
        self.assertEqual(1, done.status)
        head, one, two = done.stdout.splitlines()
        self.assertEqual(
            'STATE STATUS SIGNAL STARTED DURATION ACTION GROUP NAME ID LOG'.split(), head.split()
        )
        self.assertEqual(['done', '0', 'sent'], one.split()[:3])
        self.assertEqual(
            ['CREATE', 'script', 'one', 'one', str(self.agent.logs / 'one.log')], one.split()[-5:]
        )
        self.assertEqual(['failed', '3', 'sent'], two.split()[:3])


class DeploymentsTest(StatusTestCase):
    def test_nothing_was_done_yet(self):
        self.assertEqual((0, 'no deployments\n', ''), self.status())

    def test_all_is_well(self):
        self.agent.run(self.script('one', inputs={'secret': 'INPUT-VALUE'}), script('two'))
        rows = self.rows()
        self.assertEqual(0, self.status().status)
        self.assertEqual(['sent', 'none'], [rows[name]['signal'] for name in ('one', 'two')])
        self.assertEqual({'done'}, {row['state'] for row in rows.values()})
        self.assertIsInstance(rows['one']['duration'], int)

    def test_what_is_not_finished_is_told_by_the_exit_status(self):
        self.heat.stop()
        self.agent.run(self.script('one'))
        done = self.status()
        self.assertEqual(3, done.status)
        self.assertIn('one: signal pending: ', done.stdout)
        self.assertEqual('pending', self.rows()['one']['signal'])

    def test_what_waits_is_shown(self):
        self.agent.give(self.script('one'), script('two', group='Heat::Ungrouped'), None, 'x')
        self.assertEqual(
            {'one': 'waiting'}, {name: row['state'] for name, row in self.rows().items()}
        )
        self.assertEqual(3, self.status().status)

    def test_a_refused_signal_is_a_failure(self):
        self.heat.answers = [403]
        self.agent.run(self.script('one'))
        self.assertEqual(1, self.status().status)
        self.assertEqual('refused', self.rows('--failed')['one']['signal'])

    def test_an_output_that_means_failure_is_one(self):
        deployment = self.script('one', 'echo why > $heat_outputs_path.result')
        deployment['outputs'][0]['error_output'] = True
        self.agent.run(deployment)
        self.assertEqual('failed', self.rows()['one']['state'])

    def test_only_what_failed(self):
        self.agent.run(self.script('one'), self.script('two', 'exit 1'))
        self.assertEqual({'two'}, set(self.rows('--failed')))

    def test_what_runs_and_what_was_interrupted(self):
        """Told apart by whether a dispatcher is at work."""
        program = f'python3 {PROGRAM} --json'
        self.agent.run(self.script('one', program))
        seen = json.loads(self.heat.bodies('one')[0]['deploy_stdout'])
        self.assertEqual('running', seen['deployments'][0]['state'])
        (self.agent.deployed / 'one.notify.json').unlink()
        self.assertEqual('interrupted', self.rows()['one']['state'])

    def test_what_earlier_agents_left(self):
        self.agent.deployed.mkdir()
        (self.agent.deployed / 'one.json').write_text(json.dumps(self.script('one')))
        (self.agent.deployed / 'one.notify.json').write_text('{"deploy_status_code": 0}')
        row = self.rows()['one']
        self.assertEqual(('done', 0, 'unknown'), (row['state'], row['status'], row['signal']))
        self.assertEqual(0, self.status().status)

    def test_a_damaged_record_is_no_crash(self):
        self.agent.run(self.script('one'))
        for name in ('one.json', 'one.notify.json', 'one.state'):
            (self.agent.deployed / name).write_text('{"half')
        self.assertIn(self.status().status, (0, 3))

    def test_a_state_that_only_root_may_read(self):
        """Told plainly, to those who are not root."""
        self.agent.run(self.script('one'))
        status = load(self, 'heat_status')

        def refuse(path):
            raise PermissionError(13, 'Permission denied', path)

        self.useFixture(fixtures.MonkeyPatch('os.listdir', refuse))
        errors = self.useFixture(fixtures.StringStream('stderr'))
        self.useFixture(fixtures.MonkeyPatch('sys.stderr', errors.stream))
        self.assertEqual(2, status.main([]))
        errors.stream.seek(0)
        self.assertIn('for root only', errors.stream.read())

    def test_watching_goes_on_until_interrupted(self):
        self.agent.run(self.script('one'))
        process = subprocess.Popen(
            ['sh', '-c', f'exec python3 {PROGRAM} --watch 0.1'],
            env=self.sandbox.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # What a shell runs in the background, as it may these tests, starts deaf to it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        for _ in range(4):
            self.assertTrue(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        self.assertEqual((0, b''), (process.returncode, errors))

    def test_half_a_character_in_a_name_is_no_crash(self):
        self.agent.run(dict(self.script('one', 'exit 1'), name='a\ud800b'))
        for args in ([], ['--why'], ['--json'], ['--all']):
            self.assertIn('a\\ud800b', self.status(*args).stdout)

    def test_usage(self):
        self.assertEqual(2, self.status('--nosuch').status)
        done = self.status('--help')
        self.assertEqual(0, done.status)
        self.assertIn('exit status:', done.stdout)


class WhyTest(StatusTestCase):
    """Each answer is a sentence; those that may be the reason come first, after a mark."""

    def setUp(self):
        super().setUp()
        self.fake('systemctl', {'stdout': 'inactive\n', 'status': 3})
        self.fake('journalctl')
        self.config.write_text(
            f'[DEFAULT]\ncollectors = ec2 cfn local\ncachedir = {self.cache}\n'
            f'[cfn]\nmetadata_url = {self.heat.url}/v1/\nsecret_access_key = SECRET\n'
        )
        for name in ('cfn.json', 'cfn.json.last'):
            (self.cache / name).write_text('{}')

    def problems(self):
        answer = self.status('--why', '--json')
        return [
            finding['text']
            for finding in answer.json()['why']
            if not finding['fine']
            and not finding['text'].startswith('The agent, os-collect-config, is not')
        ]

    def fine(self):
        return [
            finding['text']
            for finding in self.status('--why', '--json').json()['why']
            if finding['fine']
        ]

    def test_all_is_well(self):
        self.agent.run(self.script('one'))
        self.assertEqual([], self.problems())
        self.assertIn('There is a hook for the group script.', self.fine())
        self.assertIn(f"Heat's CloudFormation API can be reached at {self.heat.url}.", self.fine())

    def test_sentences_with_what_may_be_the_reason_first(self):
        self.agent.run(self.script('one', group='nosuch'))
        lines = self.status('--why').stdout.splitlines()
        marks = [line[:2] for line in lines]
        self.assertEqual(sorted(marks, reverse=True, key=lambda mark: mark == '! '), marks)
        self.assertIn('! ', marks)
        self.assertIn('  ', marks)

    def test_the_agent_never_got_metadata(self):
        self.fake(
            'journalctl',
            {
                'stdout': 'INFO fine\n'
                'WARNING Source [cfn] at http://x/?Signature=abc Unavailable.\nok\n'
            },
        )
        os.unlink(self.cache / 'cfn.json')
        problems = ' '.join(self.problems())
        self.assertIn('never got metadata by its collector cfn', problems)
        self.assertIn('It said: WARNING Source [cfn] at http://x/?... Unavailable.', problems)

    def test_the_agent_last_got_metadata_long_ago(self):
        long_ago = time.time() - 7300
        os.utime(self.cache / 'cfn.json', (long_ago, long_ago))
        self.assertIn(
            'The agent last got metadata by its collector cfn 2 h ago.', ' '.join(self.problems())
        )

    def test_metadata_with_which_the_agent_did_not_succeed(self):
        (self.cache / 'cfn.json').write_text('{"new": 1}')
        self.assertIn('os-refresh-config has not succeeded with it yet', ' '.join(self.problems()))

    def test_the_agent_was_not_told_where_to_ask(self):
        self.config.write_text('[DEFAULT]\ncollectors = ec2 local\n')
        self.assertIn('not told where to ask Heat', ' '.join(self.problems()))
        self.config.write_text('rubbish')
        self.assertIn('not told where to ask Heat', ' '.join(self.problems()))

    def test_there_is_no_metadata(self):
        self.assertIn(f'There is no {self.agent.metadata}', ' '.join(self.problems()))
        self.agent.metadata.write_text('{')
        self.assertIn(f'{self.agent.metadata} cannot be used', ' '.join(self.problems()))

    def test_a_hook_is_missing(self):
        self.agent.give(
            self.script('one', group='nosuch'),
            self.script(
                'two',
                group='component',
                config={'configs': [{'actions': ['CREATE'], 'tool': 'other', 'config': ''}]},
            ),
        )
        problems = ' '.join(self.problems())
        for group in ('nosuch', 'other'):
            self.assertIn(f'no hook for the group {group}', problems)

    def test_heat_cannot_be_reached(self):
        self.agent.run(self.script('one'))
        self.heat.stop()
        self.assertIn(
            f"Heat's CloudFormation API cannot be reached at {self.heat.url}: ",
            ' '.join(self.problems()),
        )

    def test_keystone_cannot_be_reached(self):
        with self.config.open('a') as file:
            file.write('[heat]\nauth_url = http://user:PASSWORD@127.0.0.1:9/v3\n')
        self.assertIn(
            'Keystone cannot be reached at http://127.0.0.1:9: ', ' '.join(self.problems())
        )

    def test_where_a_signal_goes_cannot_be_reached(self):
        self.agent.run(script('one', url='http://127.0.0.1:9/v1/signal?Signature=SECRET'))
        problems = ' '.join(self.problems())
        self.assertIn('What signals are sent to cannot be reached at http://127.0.0.1:9', problems)
        self.assertIn('Heat has not got the result of one (one): http://127.0.0.1:9', problems)
        self.assertIn('tried again in', problems)

    def test_the_clock_is_wrong(self):
        self.heat.routes['GET', '/'] = (
            b'HTTP/1.0 200 OK\r\nDate: Wed, 21 Oct 2015 07:28:00 GMT\r\n\r\n'
        )
        self.assertIn('ahead of that of ' + self.heat.url, ' '.join(self.problems()))

    def test_an_answer_that_is_no_http_is_no_crash(self):
        self.heat.routes['GET', '/'] = b'rubbish'
        self.assertIn('cannot be reached', ' '.join(self.problems()))

    def test_a_server_that_answers_with_an_error_is_there(self):
        self.heat.routes['GET', '/'] = 404
        self.agent.run(self.script('one'))
        self.assertEqual([], self.problems())

    def test_what_failed_and_what_was_refused(self):
        self.heat.answers = [200, 403]
        self.agent.run(self.script('one', 'exit 3'), self.script('two'))
        problems = ' '.join(self.problems())
        self.assertIn(
            f'one (one) failed with status 3. Its log is {self.agent.logs}/one.log.', problems
        )
        self.assertIn('The result of two (two) was refused', problems)

    def test_what_waits_runs_or_was_interrupted(self):
        self.agent.run(self.script('one', f'python3 {PROGRAM} --why --config {self.config}'))
        self.assertIn(
            'one (one) has been running for ', self.heat.bodies('one')[0]['deploy_stdout']
        )
        (self.agent.deployed / 'one.notify.json').unlink()
        self.agent.give(self.script('one'), self.script('two'))
        problems = ' '.join(self.problems())
        self.assertIn('one (one) was interrupted', problems)
        self.assertIn('two (two) waits', problems)


class AgentProcessTest(StatusTestCase):
    def test_the_agent_is_looked_for_among_the_processes(self):
        diagnosis = load(self, 'heat_diagnosis')
        for pid, words in (('1', 'init'), ('20', '/venv/bin/python\0/usr/bin/os-collect-config')):
            (self.root / 'proc' / pid).mkdir(parents=True)
            (self.root / 'proc' / pid / 'cmdline').write_text(words)
        self.assertTrue(diagnosis.agent_finding(str(self.root / 'proc')).is_fine)
        (self.root / 'proc' / '20' / 'cmdline').write_text('vi\0os-collect-config.conf')
        self.fake('systemctl', {'stdout': 'failed\n', 'status': 3})
        self.useFixture(fixtures.EnvironmentVariable('PATH', str(self.sandbox.bin)))
        for name, value in self.sandbox.env.items():
            self.useFixture(fixtures.EnvironmentVariable(name, value))
        finding = diagnosis.agent_finding(str(self.root / 'proc'))
        self.assertFalse(finding.is_fine)
        self.assertIn('is not running (systemd calls it failed)', finding.text)


def load(test, name):
    """A module of the program, which works with the test's agent."""
    libraries = {path.stem for path in (agent.ELEMENT / 'install.d').glob('heat_*.py')}
    test.useFixture(fixtures.EnvironmentVariable('HEAT_CONFIG_DEPLOYED', str(test.agent.deployed)))
    test.useFixture(fixtures.MonkeyPatch('sys.path', [str(test.agent.hooks), *sys.path]))
    for library in libraries:
        test.addCleanup(sys.modules.pop, library, None)
        sys.modules.pop(library, None)
    return importlib.import_module(name)
