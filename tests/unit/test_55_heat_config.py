# SPDX-License-Identifier: Apache-2.0
"""The dispatcher: each deployment's hook runs once, and Heat hears of it."""

import json
import os
import pathlib
import pwd
import shutil
import stat
import subprocess
import time

from tests import agent, base, deployments, interpreters, modules, signal_server
from tests.agent import script

load_tests = base.load_scenarios

heat_cgroup = modules.load(agent.ELEMENT / 'install.d' / 'heat_cgroup.py')

# A hook that answers what HOOK_ANSWER says, as one of another vendor might be written.
FOREIGN_HOOK = '#!/bin/sh\nread -r first\nprintf %s "$HOOK_ANSWER"\n'


class DispatcherTestCase(base.TestCase):
    python = None

    def setUp(self):
        super().setUp()
        self.agent = self.useFixture(agent.Agent(self.sandbox, self.python))
        self.heat = self.useFixture(signal_server.SignalServer())
        self.ran = self.root / 'ran'

    def script(self, name, text='true', **fields):
        """A deployment that notes each of its runs, and is signalled."""
        return script(
            name, f'echo {name} >> {self.ran}\n{text}', url=self.heat.signed(name), **fields
        )

    def start(self, stderr):
        """Start the dispatcher; the process."""
        return subprocess.Popen(
            ['sh', '-c', f'exec {agent.DISPATCHER}'],
            env=self.sandbox.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )

    def runs(self):
        """The names of the deployments that ran, in order."""
        return self.ran.read_text().split() if self.ran.exists() else []

    def signal(self, name):
        """What Heat was told of a deployment: exactly one signal."""
        bodies = self.heat.bodies(name)
        self.assertEqual(1, len(bodies), bodies)
        return bodies[0]

    def assert_failed(self, name, status_code, *words):
        """Heat was told of a failure with this status and these words in its reason."""
        signal = self.signal(name)
        self.assertEqual(status_code, signal['deploy_status_code'], signal)
        for word in words:
            self.assertIn(word, signal['deploy_stderr'])


class EachPythonTest(DispatcherTestCase):
    """The way from the metadata to Heat, on whichever Python a server has."""

    scenarios = interpreters.scenarios()

    def test_a_deployment_runs_and_is_signalled(self):
        done = self.agent.run(
            self.script(
                'one',
                'echo "to $name"; echo errors >&2; printf "%s" "$name" > '
                '"$heat_outputs_path.result"',
                inputs={'name': 'J\xfcrgen'},
            )
        )
        self.assertEqual((0, ''), (done.status, done.stdout), done.stderr)
        self.assertEqual(
            {
                'deploy_stdout': 'to J\xfcrgen\n',
                'deploy_stderr': 'errors\n',
                'deploy_status_code': 0,
                'result': 'J\xfcrgen',
            },
            self.signal('one'),
        )
        self.assertEqual('sent', self.agent.state('one')['signal'])

    def test_an_output_may_have_any_letters_in_its_name(self):
        deployment = self.script('one', 'printf x > "$heat_outputs_path.gr\xf6\xdfe"')
        deployment['outputs'] = [{'name': 'gr\xf6\xdfe'}]
        self.agent.run(deployment)
        self.assertEqual('x', self.signal('one').get('gr\xf6\xdfe'), self.signal('one'))

    def test_a_hook_that_takes_too_long_is_ended(self):
        self.announce('sleep')
        self.agent.run(self.script('one', 'sleep 300', options={'timeout': 1}))
        self.assert_failed('one', 124, 'ended after 1 seconds')

    def test_a_failing_hook_stops_none_of_the_others(self):
        self.agent.run(
            self.script('one', 'exit 3'), self.script('two', group='nosuch'), self.script('three')
        )
        self.assertEqual(['one', 'three'], self.runs())
        self.assert_failed('one', 3)
        self.assert_failed('two', 127)
        self.assertEqual(0, self.signal('three')['deploy_status_code'])

    def test_a_signal_that_could_not_be_delivered_is_delivered_later(self):
        self.heat.stop()
        self.agent.run(self.script('one'))
        self.heat.start()
        self.agent.run_again()
        self.assertEqual(0, self.signal('one')['deploy_status_code'])


class OnceTest(DispatcherTestCase):
    def test_what_is_on_record(self):
        """Bug 1520347: the files hold credentials, and were readable by all."""
        deployment = self.script('one', 'echo hello')
        self.agent.run(deployment)
        self.assertEqual(['one.json', 'one.notify.json', 'one.state'], self.agent.files())
        for name in self.agent.files():
            self.assertEqual(0o600, stat.S_IMODE((self.agent.deployed / name).stat().st_mode))
        self.assertEqual(0o700, stat.S_IMODE(self.agent.deployed.stat().st_mode))
        self.assertEqual(deployment, json.loads((self.agent.deployed / 'one.json').read_text()))
        self.assertEqual(self.signal('one'), self.agent.response('one'))
        state = self.agent.state('one')
        self.assertEqual(
            ('one', 'one', 'script', 'CREATE', 0, 'sent'),
            tuple(state[key] for key in ('id', 'name', 'group', 'action', 'status_code', 'signal')),
        )

    def test_a_deployment_runs_once(self):
        """Bug 1564627: a completed deployment was signalled again."""
        self.agent.run(self.script('one'))
        done = self.agent.run_again()
        self.assertEqual((0, ''), (done.status, done.stderr))
        self.assertEqual(['one'], self.runs())
        self.signal('one')

    def test_removing_the_record_makes_it_run_again(self):
        self.agent.run(self.script('one'))
        (self.agent.deployed / 'one.json').unlink()
        self.agent.run_again()
        self.assertEqual(['one', 'one'], self.runs())
        self.assertEqual(2, len(self.heat.bodies('one')))

    def test_the_order_is_that_of_heat(self):
        self.agent.run(*(self.script(name) for name in ('b', 'c', 'a')))
        self.assertEqual(['b', 'c', 'a'], self.runs())

    def test_eight_dispatchers_at_once_run_it_once(self):
        self.agent.give(self.script('one'), self.script('two'))
        processes = [self.start(stderr=subprocess.DEVNULL) for _ in range(8)]
        self.assertEqual([0] * 8, [process.wait(120) for process in processes])
        self.assertEqual(['one', 'two'], self.runs())
        self.signal('one')
        self.signal('two')

    def test_a_hook_that_calls_the_dispatcher_does_not_wait_for_itself(self):
        self.agent.run(self.script('one', f'{agent.DISPATCHER}; echo $?'))
        self.assertEqual('1\n', self.signal('one')['deploy_stdout'])
        self.assertIn('called by a hook', self.signal('one')['deploy_stderr'])

    def test_ids_are_not_used_as_paths(self):
        ids = ['../escaped', '/escaped', 'x.notify', '..', '.hidden', 'l' * 300, '\ud800', 'a\0b']
        self.agent.run(
            self.script('x'),
            *(self.script(f'n{number}', id=name) for number, name in enumerate(ids)),
        )
        self.agent.run_again()
        self.assertEqual(['x'] + [f'n{number}' for number in range(len(ids))], self.runs())
        self.assertEqual(3 * (1 + len(ids)), len(self.agent.files()))
        self.assertEqual(
            ['x.json', 'x.notify.json', 'x.state'],
            [name for name in self.agent.files() if name.startswith('x')],
        )
        self.assertEqual([], list(self.agent.folder.rglob('*escaped*')))

    def test_an_id_may_be_of_any_type(self):
        self.agent.run(
            self.script('one', id=7),
            self.script('two', id=['x']),
            self.script('three', id={'x': 1}),
        )
        self.agent.run_again()
        self.assertEqual(['one', 'two', 'three'], self.runs())

    def test_half_written_files_of_a_killed_dispatcher_are_removed(self):
        self.agent.run(self.script('one'))
        (self.agent.deployed / '.open' / 'one').touch()
        (self.agent.deployed / '.one.state.99999999.tmp').write_text('{"half')
        (self.agent.deployed / '.one.json.0123456789abcdef.tmp').write_text('{"half')
        self.agent.run_again()
        self.assertEqual(['one.json', 'one.notify.json', 'one.state'], self.agent.files())


class MetadataTest(DispatcherTestCase):
    def test_metadata_that_cannot_be_used_is_an_error_that_says_why(self):
        for text, reason in (
            (None, 'No such file'),
            ('[' * 100000, 'nested too deeply'),
            ('{}', 'not a list'),
            ('[{"id": 1', 'Expecting'),
            ('"\udcff"', 'utf-8'),
        ):
            if text is not None:
                self.agent.metadata.write_bytes(text.encode('utf-8', 'surrogateescape'))
            done = self.agent.run_again()
            self.assertEqual(1, done.status, text)
            self.assertIn(f'{self.agent.metadata} cannot be used: ', done.stderr)
            self.assertIn(reason, done.stderr)
            self.assertNotIn('Traceback', done.stderr)

    def test_no_deployments_are_fine(self):
        """os-apply-config writes nothing, null, or an empty list, when Heat sends none."""
        for text in ('null', '[]', '', ' \n'):
            self.agent.metadata.write_text(text)
            done = self.agent.run_again()
            self.assertEqual((0, ''), (done.status, done.stderr))

    def test_entries_that_are_no_deployments_are_passed_over(self):
        done = self.agent.run(
            None, 'x', 7, [], {}, {'id': None}, {'name': 'n', 'group': 'script'}, self.script('one')
        )
        self.assertEqual(0, done.status, done.stderr)
        self.assertIn('without an id', done.stderr)
        self.assertEqual(['one'], self.runs())

    def test_unusable_entries_that_can_be_signalled_are_signalled(self):
        component = {'group': 'component', 'inputs': {'deploy_action': 'CREATE'}}
        unusable = {
            'null-group': {'group': None},
            'empty-group': {'group': ''},
            'config-number': {'config': 7},
            'options': {'options': {'timeout': 'soon'}},
            'zero-timeout': {'options': {'timeout': 0}},
            'component-text': dict(component, config='rubbish'),
            'component-null': dict(component, config=None),
            'component-list': dict(component, config={'configs': 'rubbish'}),
            'no-tool': dict(component, config={'configs': [{'actions': ['CREATE']}]}),
            'nul': {'inputs': {'value': 'a\0b'}},
        }
        done = self.agent.run(
            *(self.script(name, **fields) for name, fields in unusable.items()), self.script('last')
        )
        self.assertEqual(0, done.status, done.stderr)
        for name in unusable:
            self.assertNotEqual(0, self.signal(name)['deploy_status_code'], name)
            self.assertTrue(self.signal(name)['deploy_stderr'], name)
            self.assertNotIn('Traceback', self.signal(name)['deploy_stderr'], name)
        self.assertEqual(0, self.signal('last')['deploy_status_code'])

    def test_odd_but_usable_entries_run(self):
        """Bugs: `options: null`, `inputs: null`, `outputs: null` crashed hooks (1436740)."""
        deployment = self.script('one', options=None, outputs=None)
        deployment['inputs'] += [None, 'x', {}, {'name': None, 'value': 1}]
        self.agent.run(
            deployment,
            script('two', f'echo two >> {self.ran}', options=7, outputs='x'),
            dict(script('three', f'echo three >> {self.ran}'), inputs=None),
        )
        self.assertEqual(['one', 'two', 'three'], self.runs())
        self.assertEqual(0, self.agent.response('three')['deploy_status_code'])

    def test_rubbish_among_the_actions_of_a_component_is_passed_over(self):
        self.agent.run(
            self.script(
                'one',
                group='component',
                config={
                    'configs': [
                        None,
                        7,
                        {'actions': 7},
                        {'actions': None},
                        {'actions': 'CREATE'},
                        {
                            'actions': ['CREATE'],
                            'tool': 'script',
                            'config': '#!/bin/sh\necho ran\n',
                        },
                    ]
                },
            )
        )
        self.assertEqual('ran\n', self.signal('one')['deploy_stdout'])

    def test_a_component_runs_the_config_of_the_action(self):
        for action in ('create', 'update', 'suspend', 'resume', 'delete'):
            deployment = deployments.load(
                f'component-{action}',
                id=action,
                inputs={
                    'deploy_signal_transport': 'CFN_SIGNAL',
                    'deploy_signal_id': self.heat.signed(action),
                },
            )
            self.agent.run(deployment)
            self.assertEqual(
                deployments.read('signals', f'component-{action}')['result'],
                self.signal(action)['result'],
            )
            handed = json.loads((self.agent.deployed / f'{action}.json').read_text())
            recorded = deployments.read('hook-input', f'component-{action}')
            self.assertEqual(
                (recorded['group'], recorded['config']), (handed['group'], handed['config'])
            )

    def test_a_component_without_a_config_for_the_action_succeeds_at_once(self):
        self.agent.run(
            self.script(
                'one',
                group='component',
                config={'configs': [{'actions': ['DELETE'], 'tool': 'nosuch', 'config': ''}]},
            )
        )
        self.assertEqual(0, self.signal('one')['deploy_status_code'])

    def test_groups_that_have_no_hook_by_design_are_not_signalled(self):
        """Bug 1715497: os-apply-config was signalled as failed."""
        done = self.agent.run(
            script('one', group='os-apply-config'), self.script('two', group='Heat::Ungrouped')
        )
        self.assertEqual((0, ''), (done.status, done.stderr))
        self.assertEqual([], self.heat.requests)
        self.assertEqual([], self.agent.files())

    def test_a_deployment_of_which_no_signal_is_awaited_runs(self):
        self.agent.run(script('one', f'echo one >> {self.ran}'))
        self.assertEqual(['one'], self.runs())
        self.assertEqual('none', self.agent.state('one')['signal'])


class HookTest(DispatcherTestCase):
    def run_hook(self, text, mode=0o755, **fields):
        self.agent.install_hook('tool', text, mode)
        done = self.agent.run(self.script('one', group='tool', **fields))
        self.assertEqual(0, done.status, done.stderr)

    def test_a_group_without_a_hook_is_a_failure_that_names_the_element(self):
        """Bug 1651785: it was only logged, and the stack hung until its timeout."""
        self.agent.run(self.script('one', group='nosuch'))
        self.assert_failed(
            'one', 127, 'no hook for the group nosuch', 'heat-config-nosuch', str(self.agent.hooks)
        )

    def test_the_libraries_beside_the_hooks_are_no_hooks(self):
        self.agent.run(
            self.script('one', group='heat_hook.py'),
            self.script('two', group='.'),
            self.script('three', group='../hooks/script'),
        )
        self.assert_failed('one', 127, 'no hook')
        self.assert_failed('two', 127, 'no hook')
        self.assert_failed('three', 127, 'no hook')

    def test_a_groups_letters_digits_and_dashes_make_its_hooks_name(self):
        self.agent.install_hook('My-tool_2', FOREIGN_HOOK)
        self.agent.run(self.script('one', group='My::-tool_2'), env={'HOOK_ANSWER': '{"a": "b"}'})
        self.assertEqual('b', self.signal('one')['a'])

    def test_a_hook_that_is_not_executable(self):
        self.run_hook(FOREIGN_HOOK, 0o644)
        self.assert_failed('one', 126, 'tool is not executable')

    def test_a_hook_with_a_bad_interpreter(self):
        self.run_hook('#!/no/such/interpreter\n')
        self.assert_failed('one', 126, "'#!/no/such/interpreter'", 'is not there')

    def test_a_hook_without_an_interpreter(self):
        self.run_hook('no program\n')
        self.assert_failed('one', 126, "'no program'", 'names no interpreter')

    def test_a_hook_that_crashes(self):
        """Story 2002084: its traceback was hidden."""
        self.run_hook('#!/usr/bin/env python3\nraise RuntimeError("a reason")\n')
        self.assert_failed(
            'one', 1, 'hook tool ended with status 1 and answered nothing', 'RuntimeError: a reason'
        )

    def test_a_hook_that_is_killed(self):
        self.run_hook('#!/bin/sh\necho before >&2\nkill -9 $$\n')
        self.assert_failed('one', 137, 'was killed by signal 9 (SIGKILL)', 'before')

    def test_a_hook_that_prints_nothing(self):
        """Bug: Heat took a hook that says nothing for one that succeeded."""
        self.run_hook('#!/bin/sh\nexit 0\n')
        self.assert_failed('one', 70, 'ended with status 0 and answered nothing')

    def test_a_hook_that_prints_no_json(self):
        self.run_hook('#!/bin/sh\necho Hello, {}; echo why >&2\n')
        self.assert_failed('one', 70, 'answered what is not JSON', 'why')

    def test_a_hook_that_prints_more_json_than_one_object(self):
        """Bug: docker-cmd printed docker's output before its JSON."""
        self.run_hook('#!/bin/sh\necho "output {}"; echo {}\n')
        self.assert_failed('one', 70, 'answered what is not JSON')

    def test_a_hook_that_prints_no_object(self):
        for number, answer in enumerate(('[]', '"x"', '7', 'null', 'true')):
            self.agent.install_hook('tool', FOREIGN_HOOK)
            self.agent.run(self.script(f'n{number}', group='tool'), env={'HOOK_ANSWER': answer})
            self.assert_failed(f'n{number}', 70, 'JSON that is not an object')

    def test_a_hook_that_fails_and_answers_nevertheless(self):
        self.agent.install_hook('tool', FOREIGN_HOOK + 'exit 5\n')
        answer = {'deploy_status_code': 0, 'deploy_stderr': 'said', 'result': 'x'}
        self.agent.run(self.script('one', group='tool'), env={'HOOK_ANSWER': json.dumps(answer)})
        self.assert_failed('one', 5, 'said', 'ended with status 5')
        self.assertEqual('x', self.signal('one')['result'])

    def test_an_empty_answer_is_a_success_as_it_is_for_heat(self):
        self.agent.install_hook('tool', FOREIGN_HOOK)
        self.agent.run(self.script('one', group='tool'), env={'HOOK_ANSWER': '{}'})
        self.assertEqual({'deploy_status_code': 0}, self.signal('one'))

    def test_a_hook_that_ends_with_124_has_not_timed_out(self):
        self.agent.install_hook('tool', FOREIGN_HOOK + 'exit 124\n')
        self.agent.run(
            self.script('one', group='tool', options={'timeout': 300}),
            env={'HOOK_ANSWER': '{"deploy_stderr": "said"}'},
        )
        self.assert_failed('one', 124, 'said', 'ended with status 124')

    def test_a_hook_that_reads_nothing(self):
        """A deployment larger than a pipe, and a hook that does not care for it."""
        self.agent.install_hook('tool', '#!/bin/sh\necho {}\n')
        self.agent.run(self.script('one', group='tool', config='x' * 1000000))
        self.assertEqual(0, self.signal('one')['deploy_status_code'])

    def test_a_hook_gets_the_deployment_whole(self):
        self.announce('cat')
        self.agent.install_hook('tool', '#!/bin/sh\ncat\n')
        deployment = self.script('one', group='tool', config='x' * 300000 + '\xfc\U0001f600')
        self.agent.run(deployment)
        self.assertEqual(dict(deployment, deploy_status_code=0), self.signal('one'))

    def test_a_daemon_that_a_hook_leaves_is_not_waited_for(self):
        """Bug: a daemon that held the hook's stdout hung the dispatcher."""
        self.announce('sleep')
        daemon = self.root / 'daemon'
        self.agent.run(self.script('one', f'sleep 600 & echo $! > {daemon}; echo started'))
        pid = int(daemon.read_text())
        self.addCleanup(os.kill, pid, 9)
        self.assertEqual('started\n', self.signal('one')['deploy_stdout'])
        os.kill(pid, 0)  # it is none of the agent's business

    def test_output_in_no_encoding_at_all(self):
        """Bug 1382031 and others: bytes that are no UTF-8 were a crash."""
        self.agent.run(self.script('one', r"printf '\377\376 \303\274'; printf '\200' >&2"))
        self.assertEqual('\ufffd\ufffd \xfc', self.signal('one')['deploy_stdout'])
        self.assertEqual('\ufffd', self.signal('one')['deploy_stderr'])

    def test_hooks_are_looked_for_in_order(self):
        """HEAT_CONFIG_HOOKS goes before the standard folders; all are named when none is found."""
        self.agent.run(self.script('one', group='nosuch'))
        self.assert_failed(
            'one',
            127,
            f'{self.agent.hooks}, /usr/libexec/heat-config/hooks, /var/lib/heat-config/hooks',
        )


class LoginTest(DispatcherTestCase):
    """A service without User= has no HOME; what hooks run finds what it would after a login."""

    NAMES = ('HOME', 'USER', 'LOGNAME', 'SHELL')
    PRINT = 'printf "%s\\n" ' + ' '.join(f'"${name}"' for name in (*NAMES, 'PATH'))
    FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

    def setUp(self):
        super().setUp()
        for name in self.NAMES:
            self.sandbox.env.pop(name, None)
        self.user = pwd.getpwuid(os.geteuid())

    def printed(self, name='one'):
        return self.signal(name)['deploy_stdout'].splitlines()

    def test_a_script_has_a_home_a_user_and_a_shell(self):
        self.agent.run(self.script('one', f'set -u; {self.PRINT}; cd ~'))
        home, user, logname, shell, _ = self.printed()
        self.assertEqual(
            (self.user.pw_dir, self.user.pw_name, self.user.pw_name), (home, user, logname)
        )
        self.assertTrue(os.access(shell, os.X_OK), shell)

    def test_a_hook_of_another_vendor_has_them_too(self):
        self.agent.install_hook('tool', f'#!/bin/sh\nset -u\n{self.PRINT} >&2\necho "{{}}"\n')
        self.agent.run(self.script('one', group='tool'))
        self.assertEqual(self.user.pw_dir, self.agent.log('one').splitlines()[0])

    def test_what_is_set_stays(self):
        env = {name: f'/my/{name}' for name in self.NAMES}
        self.agent.run(self.script('one', self.PRINT), env=env)
        self.assertEqual(list(env.values()), self.printed()[:4])

    def test_a_path_has_all_folders_of_a_system_behind_its_own(self):
        (self.root / 'heat-agent').unlink()
        self.agent.run(self.script('one', self.PRINT))
        self.assertEqual([str(self.sandbox.bin), *self.FOLDERS], self.printed()[4].split(':'))

    def test_folders_are_not_added_twice(self):
        (self.root / 'heat-agent').write_text('HOME=/root\n# PATH=/x\n')
        path = f'{self.sandbox.bin}:/usr/bin:/usr/local/bin'
        self.agent.run(self.script('one', self.PRINT), env={'PATH': path})
        folders = self.printed()[4].split(':')
        self.assertEqual(path.split(':'), folders[:3])
        self.assertEqual(sorted([str(self.sandbox.bin), *self.FOLDERS]), sorted(folders))

    def test_a_path_in_the_agents_settings_stays(self):
        (self.root / 'heat-agent').write_text(f'HOME=/root\nPATH={self.sandbox.bin}\n')
        self.agent.run(self.script('one', self.PRINT))
        self.assertEqual(str(self.sandbox.bin), self.printed()[4])


class ContractOfOldTest(DispatcherTestCase):
    """What hooks of other vendors, and images, have relied on since 2014."""

    def test_an_input_of_the_type_string_is_a_text(self):
        self.announce('cat')
        self.agent.install_hook('tool', '#!/bin/sh\ncat\n')
        values = [3, 1.5, True, {'a': [1, None]}, ['x', '\xfc'], 'text', None]
        deployment = self.script('one', group='tool')
        first = len(deployment['inputs'])
        deployment['inputs'] += [
            {'name': f'i{number}', 'type': kind, 'value': value}
            for number, value in enumerate(values)
            for kind in ('String', 'Json')
        ]
        self.agent.run(deployment)
        got = [item['value'] for item in self.signal('one')['inputs'][first:]]
        self.assertEqual(
            ['3', '1.5', 'true', '{"a": [1, null]}', '["x", "\\u00fc"]', 'text', ''], got[::2]
        )
        self.assertEqual(values, got[1::2])

    def test_what_a_hook_prints_in_place_of_json_is_kept(self):
        self.agent.install_hook('tool', '#!/bin/sh\necho hello\n')
        self.agent.run(self.script('one', group='tool'))
        self.assert_failed('one', 70, 'answered what is not JSON')
        self.assertEqual('hello\n', self.signal('one')['deploy_stdout'])

    def test_what_a_hook_printed_until_its_timeout_is_kept(self):
        self.announce('sleep')
        self.agent.install_hook('tool', '#!/bin/sh\necho hello\nsleep 300\n')
        self.agent.run(self.script('one', group='tool', options={'timeout': 1.5}))
        self.assertEqual('hello\n', self.signal('one')['deploy_stdout'])

    def test_metadata_that_others_may_read_are_hidden(self):
        """Bug 1520347, of an older os-apply-config or a container's mount."""
        self.agent.give(self.script('one'))
        for mode in (0o644, 0o660, 0o604):
            self.agent.metadata.chmod(mode)
            self.agent.run_again()
            self.assertEqual(0o600, stat.S_IMODE(self.agent.metadata.stat().st_mode))


class ApplyConfigTest(DispatcherTestCase):
    """Group os-apply-config: done when the files are written, before the dispatcher runs."""

    def setUp(self):
        super().setUp()
        self.scripts = self.root / 'os-refresh-config'
        self.sandbox.env['OS_REFRESH_CONFIG_BASE_DIR'] = str(self.scripts)
        self.deployment = self.script('one', group='os-apply-config', config={'a': 1})

    def test_it_is_signalled_once_as_a_success(self):
        self.agent.run(self.deployment)
        self.agent.run_again()
        self.assertEqual(0, self.signal('one')['deploy_status_code'])

    def test_files_that_could_not_be_written_are_a_failure_with_the_reason(self):
        failures = self.agent.metadata.with_name('os-apply-config.failed')
        failures.write_text('/etc/x: no such key\n')
        self.agent.run(self.deployment)
        self.assert_failed('one', 1, 'os-apply-config failed', '/etc/x: no such key')

    def test_a_script_that_signals_by_itself_is_left_to_do_so(self):
        (self.scripts / 'post-configure.d').mkdir(parents=True)
        (self.scripts / 'post-configure.d' / '99-refresh-completed').touch()
        done = self.agent.run(self.deployment)
        self.assertEqual((0, ''), (done.status, done.stderr))
        self.assertEqual(([], []), (self.heat.requests, self.agent.files()))

    def test_its_signal_is_tried_again_and_survives_a_crash(self):
        self.heat.stop()
        self.agent.run(self.deployment)
        (self.agent.deployed / 'one.notify.json').unlink()
        self.heat.start()
        self.agent.run_again()
        self.assertEqual(0, self.signal('one')['deploy_status_code'])


class TimeoutTest(DispatcherTestCase):
    def setUp(self):
        super().setUp()
        self.announce('sleep')

    def run_hook(self, text):
        """Run a hook that is at work long before its time is over."""
        self.agent.install_hook('tool', '#!/bin/sh\n' + text)
        self.agent.run(self.script('one', group='tool', options={'timeout': '2.5'}))

    def test_a_timeout_says_so_with_the_output_so_far(self):
        self.run_hook('echo working >&2; sleep 300')
        self.assert_failed(
            'one', 124, 'The hook tool was ended after 2.5 seconds, its timeout', 'working'
        )

    def test_the_hooks_whole_process_group_is_ended(self):
        pids = self.root / 'pids'
        self.run_hook(f'sleep 301 & echo $! >> {pids}\necho $$ >> {pids}; sleep 302')
        for pid in pids.read_text().split():
            self.assertFalse(is_running(pid), pid)

    def test_what_has_left_the_group_is_ended(self):
        need_control_groups(self)
        self.announce('env', 'setsid')
        pid = self.root / 'pid'
        self.run_hook(f"setsid env -i /bin/sh -c 'echo $$ > {pid}; sleep 301' & sleep 302")
        self.assertFalse(is_running(pid.read_text().strip()))

    def test_it_is_ended_politely(self):
        """Each of the group gets SIGTERM first, and the time to obey it."""
        tidied = self.root / 'tidied'
        self.run_hook(
            f'sh -c \'trap "sleep 0.5; echo tidied > {tidied}; exit" TERM\n'
            "sleep 300 & wait' & wait"
        )
        self.assertTrue(tidied.exists())

    def test_the_environments_timeout_is_for_deployments_without_one(self):
        self.agent.run(
            self.script('one', 'sleep 300'),
            self.script('two', 'sleep 2', options={'timeout': 300}),
            env={'HEAT_CONFIG_HOOK_TIMEOUT': '1'},
        )
        self.assert_failed('one', 124, 'after 1 seconds')
        self.assertEqual(0, self.signal('two')['deploy_status_code'])

    def test_a_timeout_that_is_no_number_says_whose_it_is(self):
        self.agent.run(self.script('one'), env={'HEAT_CONFIG_HOOK_TIMEOUT': '5m'})
        self.assert_failed('one', 65, "HEAT_CONFIG_HOOK_TIMEOUT is '5m'", 'no number of seconds')
        self.assertEqual([], self.runs())


class LogTest(DispatcherTestCase):
    def test_each_line_goes_to_the_journal_and_to_a_file(self):
        """Bug 1787912, Story 2007264: nothing could be read until the tool had ended."""
        done = self.agent.run(
            self.script('one', 'echo out; echo err >&2'), self.script('two', 'printf unended')
        )
        for name, line in (('one', 'out'), ('one', 'err'), ('two', 'unended')):
            self.assertIn(f'heat-config: {name}: {line}\n', done.stderr)
            self.assertIn(line, self.agent.log(name).splitlines())
        log = self.agent.logs / 'one.log'
        self.assertEqual(0o600, stat.S_IMODE(log.stat().st_mode))
        self.assertEqual(0o700, stat.S_IMODE(self.agent.logs.stat().st_mode))

    def test_output_can_be_followed_while_the_hook_runs(self):
        self.announce('sleep')
        log = self.agent.logs / 'one.log'
        self.agent.run(
            self.script(
                'one',
                f'echo early; until [ -s {log} ]; do sleep 0.1; done\n'
                f'read -r line < {log}; echo "read $line"',
                options={'timeout': 60},
            )
        )
        self.assertEqual('early\nread early\n', self.signal('one')['deploy_stdout'])

    def test_the_old_variable_for_the_logs_folder_is_honoured(self):
        del self.sandbox.env['HEAT_CONFIG_LOGS']
        self.agent.run(
            self.script('one', 'echo out'), env={'HEAT_SCRIPT_LOGS': str(self.root / 'elsewhere')}
        )
        self.assertEqual('out\n', (self.root / 'elsewhere' / 'one.log').read_text())

    def test_a_log_is_bounded(self):
        """Ten megabytes, and ten more of what was before that."""
        self.agent.run(
            self.script('one', 'python3 -c "for n in range(250000): print(n, 98 * str(7))"')
        )
        sizes = [path.stat().st_size for path in sorted(self.agent.logs.iterdir())]
        self.assertEqual(['one.log', 'one.log.1'], sorted(os.listdir(self.agent.logs)))
        self.assertLess(max(sizes), 11 * 1024 * 1024)
        self.assertIn('249999 ', self.agent.log('one'))

    def test_no_log_is_no_reason_to_fail(self):
        self.agent.logs.write_text('not a folder')
        done = self.agent.run(self.script('one', 'echo out'))
        self.assertIn(f'no log in {self.agent.logs}/one.log: ', done.stderr)
        self.assertEqual('out\n', self.signal('one')['deploy_stdout'])

    def test_a_log_is_not_written_through_a_link(self):
        self.agent.logs.mkdir()
        (self.agent.logs / 'one.log').symlink_to(self.root / 'target')
        self.agent.run(self.script('one', 'echo out'))
        self.assertFalse((self.root / 'target').exists())
        self.assertEqual(0, self.signal('one')['deploy_status_code'])

    def test_credentials_and_inputs_are_not_logged(self):
        """Bug: the script hook logged each input, deploy_password too."""
        deployment = self.script(
            'one', 'echo ran', inputs={'secret': 'INPUT-VALUE', 'deploy_password': 'PASSWORD-VALUE'}
        )
        self.heat.answers = [503, 403]
        done = self.agent.run(deployment)
        done = done.stderr + self.agent.run_again().stderr
        for secret in ('INPUT-VALUE', 'PASSWORD-VALUE', 'SECRET', 'Signature'):
            self.assertNotIn(secret, done)
            self.assertNotIn(secret, self.agent.log('one'))
            self.assertNotIn(secret, (self.agent.deployed / 'one.state').read_text())

    def test_credentials_are_masked_where_a_tool_prints_them(self):
        self.announce('cat')
        self.agent.install_hook('tool', '#!/bin/sh\ncat >&2\necho {}\n')
        done = self.agent.run(
            self.script('one', group='tool', inputs={'deploy_password': 'PASSWORD-VALUE'})
        )
        for log in (done.stderr, self.agent.log('one')):
            self.assertNotIn('PASSWORD-VALUE', log)
            self.assertNotIn('SECRET', log)
            self.assertIn('***', log)

    def test_a_log_that_nobody_reads_any_more_stops_nothing(self):
        """The agent died, and the pipe to it is broken."""
        reading, writing = os.pipe()
        os.close(reading)
        self.agent.give(self.script('one', 'echo out; echo err >&2'), self.script('two'))
        process = self.start(stderr=writing)
        os.close(writing)
        process.wait(120)
        self.assertEqual(0, self.signal('one')['deploy_status_code'])
        self.assertEqual(['one', 'two'], self.runs())

    def test_a_log_that_nobody_reads_holds_up_nothing(self):
        """Bug: a hook that printed much outlived its timeout, and all after it waited."""
        self.announce('head', 'tr')
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.agent.give(
            self.script(
                'one',
                'head -c 300000 /dev/zero | tr "\\0" x; echo end >&2; sleep 300',
                options={'timeout': 3},
            ),
            self.script('two'),
        )
        self.announce('sleep')
        process = self.start(stderr=writing)
        os.close(writing)
        process.wait(120)
        self.assert_failed('one', 124, 'its timeout')
        self.assertEqual(['one', 'two'], self.runs())
        self.assertGreater(len(self.agent.log('one')), 300000)

    def test_credentials_of_other_deployments_are_masked_too(self):
        """A script can print the metadata, which hold those of all."""
        self.announce('cat')
        done = self.agent.run(
            self.script('one', f'cat {self.agent.metadata}', inputs={'deploy_password': 'FIRST'}),
            self.script(
                'two', inputs={'deploy_password': 'SECOND"\\', 'db_password': 'correct horse'}
            ),
        )
        for log in (done.stderr, self.agent.log('one')):
            for secret in ('FIRST', 'SECOND', 'correct horse', 'Signature'):
                self.assertNotIn(secret, log)
            self.assertIn('"deploy_password"', log)


class InterruptedTest(DispatcherTestCase):
    #: A script that kills the dispatcher that runs its hook.
    KILL = (
        'read -r _ _ _ dispatcher _ < /proc/$PPID/stat; echo $$ > {0}; '
        'kill -9 $dispatcher; sleep 300'
    )

    def setUp(self):
        super().setUp()
        self.announce('sleep')
        self.pid = self.root / 'pid'
        self.kill = self.KILL.format(self.pid)

    def test_a_deployment_whose_dispatcher_was_killed_is_a_failure_that_says_so(self):
        done = self.agent.run(self.script('one', self.kill), self.script('two'))
        self.assertEqual(-9, done.status)
        self.assertEqual([], self.heat.requests)
        self.agent.run_again()
        self.assert_failed('one', 75, 'The hook script was interrupted', 'not run again')
        self.assertEqual(0, self.signal('two')['deploy_status_code'])
        self.assertEqual(['one', 'two'], self.runs())

    def test_what_it_left_running_is_ended(self):
        self.agent.run(self.script('one', self.kill))
        pid = self.pid.read_text().strip()
        self.assertTrue(is_running(pid))
        self.agent.run_again('--pending')
        self.assertFalse(is_running(pid))
        self.assert_failed('one', 75, 'interrupted')

    def test_what_has_none_of_its_environment_any_more_is_ended(self):
        """Bug: it went on while the next hooks ran."""
        children = self.root / 'children'
        self.agent.run(self.script('one', f'env -i sleep 301 & echo $! > {children}\n{self.kill}'))
        self.announce('env')
        self.agent.run_again('--pending')
        self.assertFalse(is_running(children.read_text().strip()))

    def test_what_has_left_its_session_is_ended(self):
        need_control_groups(self)
        children = self.root / 'children'
        self.announce('env', 'setsid')
        self.agent.run(
            self.script(
                'one',
                f"setsid env -i /bin/sh -c 'echo $$ > {children}; sleep 301' &\n"
                f'until [ -s {children} ]; do sleep 0.1; done; {self.kill}',
            )
        )
        self.agent.run_again('--pending')
        self.assertFalse(is_running(children.read_text().strip()))

    def test_what_another_agent_runs_is_left_alone(self):
        """As that of a container, whose deployments may have the same names."""
        self.agent.run(self.script('one', self.kill))
        pid = self.pid.read_text().strip()
        self.addCleanup(os.kill, int(pid), 9)
        elsewhere = str(self.root / 'elsewhere')
        shutil.copytree(self.agent.deployed, elsewhere)
        self.agent.run_again('--pending', env={'HEAT_CONFIG_DEPLOYED': elsewhere})
        self.assertTrue(is_running(pid))

    def test_it_is_told_without_new_metadata(self):
        """After a reboot the metadata, which lies in /run, is gone."""
        self.agent.run(self.script('one', self.kill))
        self.agent.metadata.unlink()
        done = self.agent.run_again('--pending')
        self.assertEqual(0, done.status)
        self.assert_failed('one', 75, 'interrupted')

    def test_a_response_that_cannot_be_read_is_not_taken_for_a_success(self):
        self.heat.stop()
        self.agent.run(self.script('one'))
        self.heat.start()
        (self.agent.deployed / 'one.notify.json').write_text('')
        self.agent.run_again()
        self.assert_failed('one', 1, 'one.notify.json is damaged')

    def test_a_state_that_cannot_be_read_costs_a_second_signal_at_most(self):
        self.agent.run(self.script('one'))
        (self.agent.deployed / 'one.state').write_text('')
        (self.agent.deployed / '.open' / 'one').touch()
        self.agent.run_again()
        self.assertEqual([self.heat.bodies()[0]] * 2, self.heat.bodies())
        self.assertEqual(['one'], self.runs())

    def test_a_deployment_that_was_only_marked_on_a_full_disk_is_told_of(self):
        self.agent.deployed.mkdir()
        (self.agent.deployed / 'one.json').touch()
        (self.agent.deployed / 'one.state').touch()
        self.agent.run(self.script('one'))
        self.assertEqual([], self.runs())
        self.assert_failed('one', 1, 'could not record this deployment')
        self.agent.run_again()
        self.signal('one')

    def test_a_record_that_something_is_in_the_way_of_is_made_nevertheless(self):
        for name in ('one.state', 'one.notify.json'):
            (self.agent.deployed / name).mkdir(parents=True)
        done = self.agent.run(self.script('one'), self.script('two'))
        self.assertEqual(0, done.status)
        self.assertIn('one.state is not a file: it was moved to ', done.stderr)
        self.assertEqual(['one', 'two'], self.runs())
        self.assertEqual(0, self.signal('one')['deploy_status_code'])
        self.assertTrue((self.agent.deployed / '.damaged' / 'one.state.0').is_dir())


class MigrationTest(DispatcherTestCase):
    """What earlier agents left behind: nothing runs twice."""

    def setUp(self):
        super().setUp()
        self.agent.deployed.mkdir()
        self.agent.old_deployed.mkdir()

    def leave(self, folder, name, response='{}'):
        deployment = self.script(name)
        (folder / f'{name}.json').write_text(json.dumps(deployment))
        if response is not None:
            (folder / f'{name}.notify.json').write_text(response)
        return deployment

    def test_finished_deployments_are_neither_run_nor_signalled(self):
        self.agent.run(
            self.leave(self.agent.deployed, 'one'), self.leave(self.agent.old_deployed, 'two')
        )
        self.assertEqual([], self.runs())
        self.assertEqual([], self.heat.requests)

    def test_the_old_folder_is_moved(self):
        """Bug 1513220: it lay in /var/run, and all ran again after a reboot."""
        deployment = self.leave(self.agent.old_deployed, 'one')
        (self.agent.old_deployed / 'folder').mkdir()
        self.agent.run(deployment)
        self.assertEqual(['folder'], os.listdir(self.agent.old_deployed))
        self.assertEqual(['one.json', 'one.notify.json'], self.agent.files())
        self.assertEqual(0o600, stat.S_IMODE((self.agent.deployed / 'one.json').stat().st_mode))

    def test_the_old_folder_may_be_the_new_one(self):
        deployment = self.leave(self.agent.deployed, 'one')
        done = self.agent.run(
            deployment, env={'HEAT_CONFIG_DEPLOYED_OLD': str(self.agent.deployed)}
        )
        self.assertEqual((0, ''), (done.status, done.stderr))
        self.assertEqual(['one.json', 'one.notify.json'], self.agent.files())

    def test_one_that_never_ended_is_told_of_if_heat_still_has_it(self):
        wanted = self.leave(self.agent.deployed, 'one', None)
        self.leave(self.agent.deployed, 'two', None)
        self.agent.run(wanted)
        self.assert_failed('one', 75, 'interrupted')
        self.assertEqual(1, len(self.heat.requests))
        self.assertEqual([], self.runs())

    def test_one_that_was_rebuilt_as_deployed_is_left_alone(self):
        """Earlier versions of heat-config-rebuild-deployed made empty files."""
        (self.agent.deployed / 'one.json').touch()
        self.agent.run(self.script('one'))
        self.assertEqual(([], []), (self.runs(), self.heat.requests))


class SignalTest(DispatcherTestCase):
    def test_a_signal_is_tried_again_without_new_metadata(self):
        """Bug: the signal was sent once, and lost with whatever died meanwhile."""
        self.heat.stop()
        done = self.agent.run(self.script('one'))
        self.assertEqual(0, done.status)
        self.assertIn('one: signal pending: ', done.stderr)
        self.agent.metadata.unlink()
        self.heat.start()
        self.postpone('one', -1)
        self.agent.run_again('--pending')
        self.assertEqual(0, self.signal('one')['deploy_status_code'])
        self.assertEqual('sent', self.agent.state('one')['signal'])

    def postpone(self, name, seconds):
        state = dict(self.agent.state(name), next_try=int(time.time()) + seconds)
        (self.agent.deployed / f'{name}.state').write_text(json.dumps(state))

    def test_the_timer_waits_longer_from_try_to_try(self):
        self.heat.answers = [503]
        self.agent.run(self.script('one'))
        pauses = []
        for _ in range(8):
            state = self.agent.state('one')
            pauses.append(round((state['next_try'] - time.time()) / 10) * 10)
            self.agent.run_again('--pending')
            self.assertEqual(len(pauses), len(self.heat.requests), 'before its time')
            self.postpone('one', -1)
            self.agent.run_again('--pending')
        self.assertEqual(sorted(pauses), pauses)
        self.assertEqual(600, pauses[-1])

    def test_a_run_for_new_metadata_does_not_wait(self):
        self.heat.answers = [503, 200]
        self.agent.run(self.script('one'))
        self.agent.run_again()
        self.assertEqual('sent', self.agent.state('one')['signal'])

    def test_a_clock_that_was_wrong_delays_nothing(self):
        self.heat.answers = [503, 200]
        self.agent.run(self.script('one'))
        self.postpone('one', 365 * 86400)
        self.agent.run_again('--pending')
        self.assertEqual('sent', self.agent.state('one')['signal'])

    def test_what_heat_refuses_is_not_tried_again(self):
        """Bug: heat-config-notify took a 404 or a 403 for success."""
        self.heat.answers = [404]
        done = self.agent.run(self.script('one'))
        self.assertIn('one: signal refused: ', done.stderr)
        self.agent.run_again()
        self.assertEqual(1, len(self.heat.requests))
        self.assertEqual('refused', self.agent.state('one')['signal'])
        self.assertIn('404', self.agent.state('one')['problem'])

    def test_while_heat_is_away_the_hooks_go_on(self):
        self.heat.stop()
        self.agent.run(self.script('one'), self.script('two'), self.script('three'))
        self.assertEqual(['one', 'two', 'three'], self.runs())
        self.heat.start()
        self.agent.run_again()
        for name in self.runs():
            self.signal(name)

    def test_a_signal_that_heat_awaits_no_more_is_dropped(self):
        """Heat tells signals apart by resource, and would take it for that of the next action."""
        self.heat.stop()
        self.agent.run(self.script('one', 'exit 1'))
        self.heat.start()
        self.agent.run(self.script('two', inputs={'deploy_resource_name': 'one'}))
        self.assertEqual([0], [body['deploy_status_code'] for body in self.heat.bodies()])
        self.assertEqual('obsolete', self.agent.state('one')['signal'])

    def test_inputs_of_any_type_do_no_harm(self):
        done = self.agent.run(
            self.script(
                'one',
                inputs={
                    'deploy_stack_id': {'x': 1},
                    'deploy_resource_name': ['y'],
                    'deploy_signal_verb': None,
                },
            ),
            self.script('two', inputs={'deploy_signal_id': [1]}),
        )
        self.assertEqual(0, done.status, done.stderr)
        self.assertNotIn('Traceback', done.stderr)
        self.signal('one')
        self.assertEqual('refused', self.agent.state('two')['signal'])

    def test_another_command_may_signal(self):
        """HEAT_CONFIG_NOTIFY, as before: the deployment's file as argument, the answer as input."""
        self.fake('my-notify', {'stdout': 'said'}, {'status': 4, 'stderr': 'a\nno way'})
        env = {'HEAT_CONFIG_NOTIFY': 'my-notify'}
        self.agent.run(self.script('one', 'echo out'), self.script('two'), env=env)
        call = self.calls('my-notify')[0]
        self.assertEqual([str(self.agent.deployed / 'one.json')], call.argv)
        self.assertEqual(self.agent.response('one'), json.loads(call.stdin))
        self.assertEqual('sent', self.agent.state('one')['signal'])
        self.assertEqual(
            ('pending', 'my-notify failed: no way'),
            tuple(self.agent.state('two')[key] for key in ('signal', 'problem')),
        )
        self.assertEqual([], self.heat.requests)

    def test_a_command_for_signals_that_is_not_there_is_tried_again_later(self):
        done = self.agent.run(self.script('one'), env={'HEAT_CONFIG_NOTIFY': 'no-such-command'})
        self.assertIn('no-such-command: command not found', done.stderr)
        self.agent.run_again()
        self.assertEqual('sent', self.agent.state('one')['signal'])

    def test_a_patience_that_is_no_number_is_said_and_not_taken(self):
        done = self.agent.run(self.script('one'), env={'HEAT_CONFIG_NOTIFY_PATIENCE': 'long'})
        self.assertIn("HEAT_CONFIG_NOTIFY_PATIENCE is 'long', which is no number", done.stderr)
        self.assertNotIn('Traceback', done.stderr)
        self.signal('one')

    def test_outputs_too_large_for_a_signal_are_a_failed_deployment_on_record_too(self):
        self.announce('head')
        deployment = self.script('one', 'head -c 1100000 /dev/zero > "$heat_outputs_path.big"')
        deployment['outputs'] = [{'name': 'big'}, {'name': 'small'}]
        self.agent.run(deployment)
        self.assert_failed('one', 1, 'The output big has ')
        self.assertEqual(1, self.agent.state('one')['status_code'])


class RebootTest(DispatcherTestCase):
    SCRIPT = 'if [ "$HEAT_CONFIG_REBOOTS" -lt {} ]; then heat-config-reboot; exit; fi; echo done'

    def setUp(self):
        super().setUp()
        self.announce('cat', 'mv', 'sync')
        self.fake('my-reboot')
        self.sandbox.env['HEAT_CONFIG_REBOOT'] = 'my-reboot --now'

    def boot(self, name='one'):
        """Make a request for a reboot one of an earlier boot."""
        (self.agent.deployed / f'{name}.reboot').write_text('another boot')

    def test_a_script_is_continued_after_the_reboot_that_it_asked_for(self):
        done = self.agent.run(self.script('one', self.SCRIPT.format(1)), self.script('two'))
        self.assertEqual(1, done.status)
        self.assertEqual([['--now']], [call.argv for call in self.calls('my-reboot')])
        self.assertEqual((['one'], []), (self.runs(), self.heat.requests))
        self.boot()
        self.assertEqual(0, self.agent.run_again().status)
        self.assertEqual(['one', 'one', 'two'], self.runs())
        self.assertEqual('done\n', self.signal('one')['deploy_stdout'])
        self.assertEqual(1, len(self.calls('my-reboot')))

    def test_it_is_continued_without_new_metadata(self):
        self.agent.run(self.script('one', self.SCRIPT.format(1)))
        self.boot()
        self.agent.metadata.unlink()
        self.agent.run_again('--pending')
        self.assertEqual('done\n', self.signal('one')['deploy_stdout'])

    def test_it_runs_once_for_each_boot(self):
        self.agent.run(self.script('one', self.SCRIPT.format(2)))
        self.agent.run_again()  # the machine is not down yet
        self.assertEqual(['one'], self.runs())
        self.boot()
        self.agent.run_again()
        self.boot()
        self.agent.run_again()
        self.assertEqual(['one'] * 3, self.runs())
        self.assertEqual('done\n', self.signal('one')['deploy_stdout'])

    def test_a_script_that_asks_and_fails_has_failed(self):
        self.agent.run(self.script('one', 'heat-config-reboot; exit 3'))
        self.assert_failed('one', 3)
        self.assertEqual([], self.calls('my-reboot'))

    def test_a_script_that_asks_for_ever_is_ended(self):
        self.agent.run(self.script('one', self.SCRIPT.format(99)))
        for _ in range(12):
            if self.heat.requests:
                break
            self.boot()
            self.agent.run_again()
        self.assert_failed('one', 1, 'more than 10 reboots')
        self.assertEqual(10, len(self.calls('my-reboot')))

    def test_a_reboot_that_fails_is_a_failed_deployment(self):
        self.fake('my-reboot', {'status': 1, 'stderr': 'not today'})
        self.agent.run(self.script('one', self.SCRIPT.format(1)))
        self.assert_failed('one', 1, 'my-reboot --now failed', 'not today')

    def test_a_reboot_command_that_is_not_there_is_a_failed_deployment(self):
        done = self.agent.run(
            self.script('one', self.SCRIPT.format(1)),
            self.script('two'),
            env={'HEAT_CONFIG_REBOOT': 'no-such-command'},
        )
        self.assertNotIn('Traceback', done.stderr)
        self.assert_failed('one', 127, 'no-such-command failed', 'not found')
        self.assertEqual(0, self.signal('two')['deploy_status_code'])

    def test_a_script_that_asked_and_was_killed_is_interrupted(self):
        """Bug: the machine was rebooted though the script had not ended well."""
        self.agent.run(
            self.script(
                'one',
                'heat-config-reboot\nread -r _ _ _ dispatcher _ < /proc/$PPID/stat\n'
                'kill -9 $dispatcher $PPID',
            )
        )
        self.agent.run_again()
        self.assert_failed('one', 75, 'interrupted')
        self.assertEqual([], self.calls('my-reboot'))

    def test_a_script_that_was_killed_by_the_reboot_is_continued(self):
        """It asked, and then rebooted the machine itself."""
        self.agent.run(
            self.script(
                'one',
                '[ "$HEAT_CONFIG_REBOOTS" -eq 0 ] || exit 0\nheat-config-reboot\n'
                'read -r _ _ _ dispatcher _ < /proc/$PPID/stat; kill -9 $dispatcher $PPID',
            )
        )
        self.boot()
        self.agent.run_again()
        self.assertEqual(0, self.signal('one')['deploy_status_code'])
        self.assertEqual(['one', 'one'], self.runs())


class UsageTest(DispatcherTestCase):
    def test_help(self):
        done = self.agent.run_again('--help')
        self.assertEqual(0, done.status)
        self.assertIn('Usage: 55-heat-config', done.stdout)

    def test_what_it_does_not_know(self):
        done = self.agent.run_again('--nosuch')
        self.assertEqual((2, ''), (done.status, done.stdout))
        self.assertIn('--nosuch', done.stderr)

    def test_a_record_that_cannot_be_kept_at_all(self):
        self.agent.deployed.write_text('not a folder')
        done = self.agent.run(self.script('one'))
        self.assertEqual(1, done.status)
        self.assertIn('cannot work', done.stderr)
        self.assertNotIn('Traceback', done.stderr)
        self.assertEqual([], self.runs())


def is_running(pid: str) -> bool:
    """Whether a process is there, and no mere remains of one."""
    try:
        return pathlib.Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] != 'Z'
    except FileNotFoundError:
        return False


def need_control_groups(test: base.TestCase) -> None:
    group = heat_cgroup.ControlGroup.create(f'test-{os.getpid()}')
    if not group:
        test.skipTest('no control groups of version 2 that can be written')
    group.remove()
