# SPDX-License-Identifier: Apache-2.0
"""The dispatcher's state: damaged, of another server, long; each deployment is signalled once."""

import importlib
import json
import os
import shutil
import string
import sys

import fixtures
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import agent, base, signal_server
from tests.agent import script

NESTED = '[' * 100000


class StateTestCase(base.TestCase):
    def setUp(self):
        super().setUp()
        self.agent = self.useFixture(agent.Agent(self.sandbox))
        self.heat = self.useFixture(signal_server.SignalServer())
        self.ran = self.root / 'ran'

    def script(self, name, text='true', **fields):
        return script(
            name, f'echo {name} >> {self.ran}\n{text}', url=self.heat.signed(name), **fields
        )

    def runs(self):
        return self.ran.read_text().split() if self.ran.exists() else []

    def codes(self, name):
        return [body['deploy_status_code'] for body in self.heat.bodies(name)]

    def settle(self, *args):
        done = self.agent.run_again(*args)
        self.assertNotIn('Traceback', done.stderr)
        return done


class DamageTest(StateTestCase):
    """What is damaged is put aside, said and failed where Heat waits; all others go on."""

    def damage(self, path):
        """The ways to damage a file, one after the other."""
        path.parent.mkdir(parents=True, exist_ok=True)

        def clear():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif os.path.lexists(path):
                path.unlink()

        for kind, make in (
            ('fifo', lambda: os.mkfifo(path)),
            ('folder', lambda: path.mkdir()),
            ('nested', lambda: path.write_text(NESTED)),
            ('half', lambda: path.write_text('{"half')),
            ('list', lambda: path.write_text('[]')),
            ('empty', lambda: path.write_text('')),
            ('bytes', lambda: path.write_bytes(b'\xff\xfe')),
            ('link', lambda: path.symlink_to('/no/such')),
            ('loop', lambda: path.symlink_to(path.name)),
        ):
            clear()
            make()
            yield kind
        clear()

    def test_a_damaged_deployment_whose_hook_may_have_run_is_a_failure_that_says_so(self):
        self.agent.run()
        for kind in self.damage(self.agent.deployed / 'one.json'):
            self.heat.requests.clear()
            (self.agent.deployed / '.open' / 'one').touch()
            (self.agent.deployed / 'one.state').write_text('{"name": "one"}')
            (self.agent.deployed / 'one.notify.json').unlink(missing_ok=True)
            self.agent.give(self.script('one'), self.script(f'other-{kind}'))
            for args in ([], ['--pending'], []):
                self.settle(*args)
            self.assertEqual([1], self.codes('one'), kind)
            self.assertIn('damaged', self.heat.bodies('one')[0]['deploy_stderr'], kind)
            self.assertEqual([0], self.codes(f'other-{kind}'), kind)
        self.assertNotIn('one', self.runs())

    def test_a_stray_record_without_a_mark_is_told_of_too(self):
        self.agent.run()
        for kind in ('fifo', 'folder'):
            (self.agent.deployed / kind).mkdir()
        os.mkfifo(self.agent.deployed / 'one.json')
        (self.agent.deployed / 'two.json').mkdir()
        self.agent.give(self.script('one'), self.script('two'), self.script('three'))
        self.settle()
        self.assertEqual(['three'], self.runs())
        self.settle()
        self.assertEqual([0], self.codes('three'))

    def test_a_pending_signal_of_a_damaged_deployment_is_sent_by_the_metadata(self):
        for kind in self.damage(self.agent.deployed / 'one.json'):
            shutil.rmtree(self.agent.deployed)
            self.heat.requests.clear()
            self.heat.stop()
            self.agent.run(self.script('one'))
            self.heat.start()
            path = self.agent.deployed / 'one.json'
            path.unlink()
            {'fifo': os.mkfifo, 'folder': os.mkdir}.get(kind, lambda path: path.write_text('{"'))(
                path
            )
            self.settle()
            self.assertEqual([0], self.codes('one'), kind)

    def test_a_damaged_response_is_a_failure_and_a_damaged_state_one_more_try(self):
        for ending, code in (('notify.json', 1), ('state', 0)):
            for kind in self.damage(self.agent.deployed / f'{ending}'):
                name = f'{ending[:1]}-{kind}'
                self.heat.stop()
                self.agent.run(self.script(name))
                self.heat.start()
                path = self.agent.deployed / f'{name}.{ending}'
                path.unlink()
                os.rename(self.agent.deployed / f'{ending}', path)
                self.settle()
                self.settle()
                self.assertEqual([code], self.codes(name), name)

    def test_damaged_state_of_the_agent_itself_stops_nothing(self):
        number = 0
        for name in (
            '.open',
            '.ledger',
            '.instance',
            '.run.lock',
            '.signal.lock',
            'tmp',
            '.x.5.tmp',
        ):
            path = self.agent.deployed / name
            self.agent.run()
            if path.is_dir():
                shutil.rmtree(path)
            for kind in self.damage(path):
                number += 1
                self.agent.give(self.script(f'n{number}'))
                self.settle()
                self.settle('--pending')
                self.assertEqual([0], self.codes(f'n{number}'), f'{name}: {kind}')

    def test_values_of_a_wrong_type_in_a_state_are_as_good_as_none(self):
        self.heat.stop()
        self.agent.run(self.script('one'))
        path = self.agent.deployed / 'one.state'
        state = json.loads(path.read_text())
        self.heat.start()
        for wrong in ('x', None, [], {}, True, float('inf'), float('nan'), -1):
            self.heat.requests.clear()
            path.write_text(json.dumps(dict.fromkeys(state, wrong), allow_nan=True))
            if wrong == 'x':
                path.write_text(json.dumps(dict(dict.fromkeys(state, wrong), signal='pending')))
            (self.agent.deployed / '.open' / 'one').touch()
            self.settle()
            self.assertEqual([0], self.codes('one'), wrong)

    def test_a_fifo_in_place_of_a_log_holds_up_nothing(self):
        self.agent.logs.mkdir()
        os.mkfifo(self.agent.logs / 'one.log')
        self.agent.run(self.script('one', 'echo out'))
        self.assertEqual([0], self.codes('one'))

    def test_what_nobody_waits_for_is_put_aside(self):
        self.agent.run()
        for kind in self.damage(self.agent.deployed / 'one.json'):
            (self.agent.deployed / '.open' / 'one').touch()
            (self.agent.deployed / 'one.state').write_text('{}')
            self.settle()
            self.assertEqual([], self.agent.files(), kind)
            self.assertEqual([], os.listdir(self.agent.deployed / '.open'), kind)


class MetadataTest(StateTestCase):
    """Whatever Heat sends: the deployment fails that cannot be used, and the others run."""

    def assert_failed_alone(self, **fields):
        deployment = self.script('one', **{k: v for k, v in fields.items() if k != 'inputs'})
        deployment['inputs'] += fields.get('inputs', [])
        self.agent.run(deployment, self.script('two'))
        self.settle()
        self.assertEqual([0], self.codes('two'))
        self.assertEqual(1, len(self.codes('one')), self.heat.requests)
        self.assertNotEqual(0, self.codes('one')[0])
        return self.heat.bodies('one')[0]['deploy_stderr']

    def test_an_input_whose_name_is_a_map(self):
        reason = self.assert_failed_alone(inputs=[{'name': {'a': 1}, 'value': 1}])
        self.assertIn('The name of an input must be a string, not a map', reason)

    def test_an_output_whose_name_is_a_list(self):
        reason = self.assert_failed_alone(outputs=[{'name': ['a']}])
        self.assertIn('The name of an output must be a string, not a list', reason)

    def test_a_component_that_is_nested_too_deeply(self):
        reason = self.assert_failed_alone(group='component', config=NESTED)
        self.assertIn('nested too deeply', reason)

    def test_inputs_that_are_nested_as_deep_as_json_can_be_read(self):
        deep = []
        for _ in range(900):
            deep = [deep]
        for inputs in (
            [{'name': 'x', 'value': deep}],
            [{'name': 'deploy_stack_id', 'value': deep}],
        ):
            deployment = self.script('one')
            deployment['inputs'] += inputs
            self.agent.run(deployment, self.script('two'))
            self.assertEqual([0], self.codes('two'))
            self.assertEqual(1, len(self.codes('one')))
            self.heat.requests.clear()
            shutil.rmtree(self.agent.deployed)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4)
    ),
    max_leaves=8,
)
ITEMS = st.lists(
    VALUES
    | st.fixed_dictionaries(
        {'name': st.text() | VALUES},
        optional={'value': VALUES, 'type': st.sampled_from(['String', 'Json']) | VALUES},
    ),
    max_size=4,
)
CONFIGS = VALUES | st.fixed_dictionaries(
    {
        'configs': VALUES
        | st.lists(
            st.fixed_dictionaries(
                {}, optional={'actions': VALUES, 'tool': VALUES, 'config': VALUES}
            ),
            max_size=3,
        )
    }
)
DEPLOYMENTS = st.fixed_dictionaries(
    {
        'id': st.text(min_size=1, max_size=9) | st.integers(min_value=1) | VALUES,
        'group': st.sampled_from(['component', 'nosuch', '../x', '', None]) | VALUES,
        'inputs': ITEMS,
    },
    optional={
        'name': st.text(string.printable) | VALUES,
        'config': CONFIGS,
        'options': VALUES | st.dictionaries(st.sampled_from(['timeout']), VALUES),
        'outputs': ITEMS | VALUES,
        'creation_time': VALUES,
    },
)


class WholeDocumentTest(StateTestCase):
    """Property: whatever else the metadata hold, each deployment is signalled exactly once."""

    def load(self, name):
        """A module of the agent, in this process and with the test's folders."""
        for variable, value in self.sandbox.env.items():
            if variable.startswith('HEAT_'):
                self.useFixture(fixtures.EnvironmentVariable(variable, value))
        self.useFixture(fixtures.MonkeyPatch('sys.path', [str(self.agent.hooks), *sys.path]))
        for path in (agent.ELEMENT / 'install.d').glob('heat_*.py'):
            self.addCleanup(sys.modules.pop, path.stem, None)
            sys.modules.pop(path.stem, None)
        return importlib.import_module(name)

    def test_each_deployment_is_signalled_once(self):
        dispatcher = self.load('heat_dispatcher')
        notify = sys.modules['heat_notify']
        deployed = sys.modules['heat_deployed']
        sent = []
        notify.SENDERS['CFN_SIGNAL'] = (
            lambda inputs, response: sent.append((inputs['deploy_signal_id'], response)),
            notify.BODY_LIMIT,
        )
        self.useFixture(fixtures.StringStream('stderr'))
        last = {'id': 'last', 'name': 'last', 'group': 'nosuch', 'inputs': []}

        @settings(
            max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None
        )
        @given(st.lists(DEPLOYMENTS | VALUES, max_size=4))
        def check(document):
            shutil.rmtree(self.agent.deployed, ignore_errors=True)
            del sent[:]
            document = json.loads(json.dumps([*document, last]))
            expected = []
            names = set()
            for data in document:
                if deployed.is_deployment(data):
                    inputs = data['inputs'] if isinstance(data.get('inputs'), list) else []
                    data['inputs'] = [
                        item
                        for item in inputs
                        if not isinstance(item, dict)
                        or not str(item.get('name')).startswith('deploy_')
                    ]
                    name = deployed.Record.of(data).name
                    data['inputs'].append({'name': 'deploy_signal_id', 'value': name})
                    if data.get('group') not in deployed.GROUPS_WITHOUT_HOOK and name not in names:
                        expected.append(name)
                        names.add(name)
            self.agent.metadata.write_text(json.dumps(document))
            for arguments in ([], ['--pending'], []):
                dispatcher.main(arguments)
            self.assertEqual(sorted(expected), sorted(name for name, _ in sent))
            for _, response in sent:
                json.dumps(response)

        check()


class InstanceTest(StateTestCase):
    """A server made of another's disk begins anew, and tells nothing of the other's."""

    def setUp(self):
        super().setUp()
        self.instance = self.root / 'instance-id'
        self.cloud_init = self.root / 'cloud-init'
        self.sandbox.env.update(
            HEAT_CONFIG_INSTANCE_ID=str(self.instance), HEAT_CONFIG_CLOUD_INIT=str(self.cloud_init)
        )
        self.instance.write_text('server-a\n')

    def leave_unfinished(self):
        """A deployment that ran, one whose signal is pending and one whose hook still runs."""
        self.heat.stop()
        self.agent.run(self.script('pending'), self.script('running'))
        (self.agent.deployed / 'running.notify.json').unlink()
        self.heat.start()

    def test_a_copy_tells_nothing_of_the_others_deployments(self):
        self.leave_unfinished()
        self.agent.metadata.unlink()
        self.instance.write_text('server-b\n')
        for args in (['--pending'], []):
            done = self.settle(*args)
        self.assertEqual([], self.heat.requests)
        self.assertEqual([], self.agent.files())
        done = self.agent.run(self.script('new'))
        self.assertEqual([0], self.codes('new'))
        self.assertEqual(['pending', 'running', 'new'], self.runs(), done.stderr)

    def test_it_says_so_and_keeps_what_there_was(self):
        self.leave_unfinished()
        self.instance.write_text('server-b\n')
        done = self.agent.run()
        self.assertIn('this server is server-b, a copy of server-a', done.stderr)
        kept = self.agent.deployed / '.instances' / 'server-a'
        self.assertTrue((kept / 'pending.json').exists())
        self.assertEqual('', self.agent.run().stderr)

    def test_the_same_instance_loses_nothing(self):
        self.leave_unfinished()
        self.settle()
        self.assertEqual(([0], [75]), (self.codes('pending'), self.codes('running')))

    def test_an_unknown_instance_loses_nothing(self):
        for text in ('', 'iid-datasource-none\n', 'nocloud'):
            self.heat.requests.clear()
            shutil.rmtree(self.agent.deployed, ignore_errors=True)
            self.instance.write_text('server-a')
            self.leave_unfinished()
            self.instance.write_text(text)
            self.settle()
            self.assertEqual(([0], [75]), (self.codes('pending'), self.codes('running')), text)
        self.instance.unlink()
        self.assertEqual('', self.settle().stderr)

    def test_state_of_before_instances_were_told_apart_is_ones_own(self):
        self.leave_unfinished()
        (self.agent.deployed / '.instance').unlink()
        self.instance.write_text('server-b\n')
        self.settle()
        self.assertEqual(([0], [75]), (self.codes('pending'), self.codes('running')))

    def test_the_timer_waits_until_cloud_init_knows_which_server_this_is(self):
        self.cloud_init.mkdir()
        (self.cloud_init / 'enabled').touch()
        (self.cloud_init / '.instance-id').touch()
        self.leave_unfinished()
        (self.cloud_init / '.instance-id').unlink()
        uptime = float(open('/proc/uptime').read().split()[0])
        if uptime < 600:
            self.settle('--pending')
            self.assertEqual([], self.heat.requests)
        (self.cloud_init / '.instance-id').touch()
        self.settle('--pending')
        self.assertEqual([75], self.codes('running'))


class HistoryTest(StateTestCase):
    """A run looks at nothing that is finished, however much of it there is."""

    #: Notes what a Python program opens and lists.
    WATCH = (
        'import sys\n'
        'def note(event, arguments):\n'
        '    if event in ("open", "os.listdir", "os.scandir"):\n'
        '        sys.__stderr__.write(f"SAW {arguments[0]}\\n")\n'
        'sys.addaudithook(note)\n'
    )

    def seen(self, *command):
        folder = self.root / 'watch'
        folder.mkdir(exist_ok=True)
        (folder / 'sitecustomize.py').write_text(self.WATCH)
        done = self.run_program(command, env={'PYTHONPATH': str(folder)})
        self.assertNotIn('Traceback', done.stderr)
        return done, [line[4:] for line in done.stderr.splitlines() if line.startswith('SAW ')]

    def test_what_is_finished_is_not_looked_at(self):
        self.agent.run(*(self.script(f'old-{number}', group='nosuch') for number in range(3)))
        self.agent.give(self.script('new', group='nosuch'))
        self.settle()
        status = str(self.sandbox.bin / 'heat-config-status')
        for command in (
            [str(agent.DISPATCHER)],
            [str(agent.DISPATCHER), '--pending'],
            [status, '--json'],
        ):
            done, seen = self.seen(*command)
            self.assertIn(str(self.agent.metadata), seen)
            self.assertEqual([], [path for path in seen if 'old-' in path], command)
            self.assertNotIn(str(self.agent.deployed), seen, command)
        self.assertEqual(['new'], [row['name'] for row in json.loads(done.stdout)['deployments']])
        done, seen = self.seen(status, '--json', '--all')
        self.assertEqual(4, len(json.loads(done.stdout)['deployments']))

    def test_what_an_agent_without_marks_left_is_found(self):
        self.heat.stop()
        self.agent.run(self.script('pending'), self.script('interrupted'), self.script('done'))
        (self.agent.deployed / 'interrupted.notify.json').unlink()
        state = self.agent.state('done')
        (self.agent.deployed / 'done.state').write_text(json.dumps(dict(state, signal='sent')))
        shutil.rmtree(self.agent.deployed / '.open')
        (self.agent.deployed / '.ledger').unlink()
        self.agent.metadata.unlink()
        self.heat.start()
        self.settle()
        self.assertEqual(
            ([0], [75], []), tuple(map(self.codes, ('pending', 'interrupted', 'done')))
        )

    def test_marks_are_there_until_heat_knows(self):
        marks = self.agent.deployed / '.open'
        self.heat.stop()
        self.agent.run(self.script('one'))
        self.assertEqual(['one'], os.listdir(marks))
        self.heat.start()
        self.settle()
        self.assertEqual([], os.listdir(marks))
