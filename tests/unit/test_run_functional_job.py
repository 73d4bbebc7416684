# SPDX-License-Identifier: Apache-2.0
"""test-image/run-functional-job.sh refuses what cannot be, before it installs anything.

tests/integration/test_functional_job.py runs it.
"""

import os

from tests import base

COMMAND = base.ROOT / 'test-image' / 'run-functional-job.sh'


class RunFunctionalJobTest(base.TestCase):
    #: bash and git.
    guard_processes = False

    def run_job(self, *arguments: str):
        return self.run_program([COMMAND, *arguments])

    def assert_refused(self, text: str, *arguments: str) -> None:
        done = self.run_job(*arguments)
        self.assertEqual((1, ''), (done.status, done.stdout))
        self.assertIn(text, done.stderr)
        self.assertNotIn('Traceback', done.stderr)
        self.assertEqual([], os.listdir(self.root / 'home'))

    def test_an_image_that_is_not_there(self):
        self.assert_refused('there is no file /no/image', '--image', '/no/image')

    def test_a_checkout_that_is_none(self):
        self.assert_refused('no git checkout', '--checkout', str(self.root))

    def test_a_tree_without_the_environment(self):
        self.assert_refused(
            'hot/software-config/boot-config/test_image_env.yaml',
            '--heat-templates',
            str(self.root),
        )

    def test_a_folder_for_logs_that_holds_something(self):
        (self.root / 'logs').mkdir()
        (self.root / 'logs' / 'letter').write_text('dear')
        self.assert_refused('holds something else', '--log-dir', str(self.root / 'logs'))

    def test_minutes_that_are_none(self):
        for text in ('0', '-1', 'soon'):
            done = self.run_job('--timeout', text)
            self.assertEqual(2, done.status)
            self.assertIn('usage:', done.stderr)

    def test_help_says_what_it_does(self):
        done = self.run_job('--help')
        self.assertEqual((0, ''), (done.status, done.stderr))
        for text in ('--checkout', '--heat-templates', 'exit codes'):
            self.assertIn(text, done.stdout)
