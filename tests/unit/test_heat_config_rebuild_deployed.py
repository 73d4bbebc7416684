# SPDX-License-Identifier: Apache-2.0
"""heat-config-rebuild-deployed: what is on record as carried out does not run."""

import os

from tests import agent, base

PROGRAM = agent.ELEMENT / 'bin' / 'heat-config-rebuild-deployed'


class RebuildDeployedTest(base.TestCase):
    def setUp(self):
        super().setUp()
        self.agent = self.useFixture(agent.Agent(self.sandbox))

    def rebuild(self, *args, env=None):
        done = self.run_script(PROGRAM, *args, env=env)
        self.assertNotIn('Traceback', done.stderr)
        return done

    def test_nothing_runs_or_is_signalled_afterwards(self):
        wanted = [
            agent.script(name, f'touch {self.root}/ran', url='http://127.0.0.1:9/')
            for name in ('one', 'two')
        ]
        self.agent.give(*wanted)
        done = self.rebuild()
        self.assertEqual(0, done.status, done.stderr)
        self.assertEqual('one: marked as carried out\ntwo: marked as carried out\n', done.stdout)
        for args in ([], ['--pending']):
            done = self.agent.run_again(*args)
            self.assertEqual((0, ''), (done.status, done.stderr))
        self.assertFalse((self.root / 'ran').exists())

    def test_what_is_on_record_stays_as_it_is(self):
        self.agent.run(agent.script('one', 'echo ran'))
        before = self.agent.state('one'), self.agent.response('one')
        self.assertEqual('', self.rebuild().stdout)
        self.assertEqual(before, (self.agent.state('one'), self.agent.response('one')))

    def test_groups_without_a_hook_are_passed_over(self):
        self.agent.give(
            agent.script('one', group='os-apply-config'),
            agent.script('two', group='Heat::Ungrouped'),
            None,
            {},
            'x',
        )
        self.assertEqual((0, '', ''), self.rebuild())
        self.assertEqual([], self.agent.files())

    def test_metadata_that_cannot_be_used(self):
        for text in (None, '{', '{}'):
            if text:
                self.agent.metadata.write_text(text)
            done = self.rebuild()
            self.assertEqual(1, done.status)
            self.assertIn(f'{self.agent.metadata} cannot be used: ', done.stderr)
        self.assertFalse(os.path.exists(self.agent.deployed))

    def test_a_record_that_cannot_be_made(self):
        self.agent.give(agent.script('one'))
        self.agent.deployed.write_text('')
        done = self.rebuild()
        self.assertEqual(1, done.status)
        self.assertIn(str(self.agent.deployed), done.stderr)

    def test_half_a_character_in_a_name_is_no_crash(self):
        self.agent.give(dict(agent.script('one'), name='a\ud800b'))
        self.assertEqual('a\\ud800b: marked as carried out\n', self.rebuild().stdout)

    def test_usage(self):
        self.assertEqual(0, self.rebuild('--help').status)
        self.assertEqual(2, self.rebuild('x').status)
