# SPDX-License-Identifier: Apache-2.0
"""The command line of run_tests.sh."""

from tests import base


class RunTestsTest(base.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.announce('bash', 'cat', 'dirname', 'readlink')

    def test_help_names_every_level(self):
        done = self.run_program([base.ROOT / 'run_tests.sh', '--help'])
        self.assertEqual((0, ''), (done.status, done.stderr))
        for level in ('lint', 'unit', 'docs', 'functional', 'integration', 'all', 'coverage'):
            self.assertIn(f'--{level} ', done.stdout)

    def test_an_unknown_option_is_refused_before_anything_is_set_up(self):
        done = self.run_program([base.ROOT / 'run_tests.sh', '--fast'])
        self.assertEqual((1, ''), (done.status, done.stdout))
        self.assertEqual(
            'run_tests.sh: unknown option --fast; see ./run_tests.sh --help\n', done.stderr
        )
