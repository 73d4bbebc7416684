# SPDX-License-Identifier: Apache-2.0
"""What run_tests.sh says about a run."""

import io
import sys

import subunit

from tests import base


class ReportTest(base.TestCase):
    def report(self, *events: 'tuple[str, str]', printed: bytes = b'') -> str:
        """The report on a run of tests, given as pairs of name and status."""
        stream = io.BytesIO()
        result = subunit.StreamResultToBytes(stream)
        for name, status in events:
            result.status(test_id=name, test_status='inprogress')
            if status != 'inprogress':
                result.status(
                    test_id=name,
                    test_status=status,
                    file_name='reason',
                    eof=True,
                    file_bytes=f'why {name}'.encode(),
                    mime_type='text/plain',
                )
        report = self.root / 'report.txt'
        done = self.run_program(
            [sys.executable, '-m', 'tests.report', '--dots', report],
            stdin=printed + stream.getvalue(),
            cwd=base.ROOT,
        )
        self.assertEqual((0, ''), (done.status, done.stderr))
        return report.read_text()

    def test_its_last_line_is_the_sum(self):
        report = self.report(('a', 'success'), ('b', 'success'), ('c', 'skip'), ('d', 'fail'))
        self.assertEqual('2 passed, 1 failed, 1 skipped', report.splitlines()[-1])

    def test_a_run_without_tests_has_a_sum_too(self):
        self.assertEqual('0 passed, 0 failed, 0 skipped', self.report().strip())

    def test_it_says_why_a_test_failed_or_was_skipped(self):
        report = self.report(('c', 'skip'), ('d', 'fail'))
        self.assertIn('skipped: c: why c\n', report)
        self.assertIn('failed: d (fail)\n\nwhy d\n', report)

    def test_a_test_whose_process_died_has_failed(self):
        report = self.report(('a', 'inprogress'))
        self.assertIn('failed: a (inprogress)', report)
        self.assertIn('0 passed, 1 failed, 0 skipped', report)

    def test_an_unexpected_success_is_a_failure_and_an_expected_failure_is_none(self):
        self.assertIn(
            '1 passed, 1 failed, 0 skipped', self.report(('a', 'xfail'), ('b', 'uxsuccess'))
        )

    def test_what_the_runner_printed_is_not_lost(self):
        self.assertIn(
            "No module named 'nosuch'\n", self.report(printed=b"No module named 'nosuch'\n")
        )
