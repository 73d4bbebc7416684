# SPDX-License-Identifier: Apache-2.0
"""Follows a run of tests, given as a subunit stream on standard input, and reports on it.

usage: python -m tests.report [--dots] REPORT <STREAM

Shows each test as it starts and ends, in lines, or as it ends, in one character. Then writes to
the file REPORT why tests were skipped, each failure in full, and on the last line the sums:
``N passed, N failed, N skipped``. A test that never ended, as when its process died, has failed.
What the runner itself printed, such as a module that cannot be imported, comes first.
"""

import argparse
import collections
import sys
from typing import Any, TextIO

import subunit
import testtools

OUTCOMES = {'success': 'passed', 'xfail': 'passed', 'skip': 'skipped'}
DOTS = {'passed': '.', 'skipped': 's', 'failed': 'F'}
DOTS_IN_A_LINE = 80

Test = 'dict[str, Any]'  # as testtools.StreamToDict describes it


def outcome(test: Test) -> str:
    return OUTCOMES.get(test['status'], 'failed')


def text(test: Test) -> str:
    """All that a test left to read: its traceback, its output, the reason of its skipping."""
    parts = (
        detail.as_text().strip()
        for _, detail in sorted(test['details'].items())
        if detail.content_type.type == 'text'
    )
    return '\n\n'.join(part for part in parts if part)


class Printed(testtools.StreamResult):
    """Gathers what belongs to no test: what the runner printed among the stream."""

    def __init__(self) -> None:
        super().__init__()
        self.data = b''

    def status(self, test_id: Any = None, file_bytes: Any = None, **_: Any) -> None:
        if test_id is None and file_bytes:
            self.data += file_bytes


class Starts(testtools.StreamResult):
    """Shows each test as it starts: one that takes minutes is not mistaken for one that hangs."""

    def status(self, test_id: Any = None, test_status: Any = None, **_: Any) -> None:
        if test_status == 'inprogress':
            print(f'{"started":8} {"":9}  {test_id}', flush=True)


def follow(dots: bool) -> 'tuple[list[Test], str]':
    """Show the tests of the stream while it runs; return them, and what the runner printed."""
    tests: list[Test] = []

    def ended(test: Test) -> None:
        if test['status'] == 'exists':
            return
        tests.append(test)
        if dots:
            end = '' if len(tests) % DOTS_IN_A_LINE else '\n'
            print(DOTS[outcome(test)], end=end, flush=True)
        else:
            start, stop = test['timestamps']
            seconds = f'{(stop - start).total_seconds():7.1f} s' if start and stop else ''
            print(f'{outcome(test):8} {seconds}  {test["id"]}', flush=True)

    printed = Printed()
    shown = [] if dots else [Starts()]
    result = testtools.CopyStreamResult([*shown, testtools.StreamToDict(ended), printed])
    result.startTestRun()
    subunit.ByteStreamToStreamResult(sys.stdin.buffer, non_subunit_name='runner').run(result)
    result.stopTestRun()
    if dots and tests:
        print()
    return sorted(tests, key=lambda test: test['id']), printed.data.decode(errors='replace')


def write(tests: 'list[Test]', printed: str, report: TextIO) -> None:
    report.write(printed)
    count = collections.Counter(outcome(test) for test in tests)
    for test in tests:
        if outcome(test) == 'skipped':
            report.write(f'skipped: {test["id"]}: {text(test)}\n')
    for test in tests:
        if outcome(test) == 'failed':
            report.write(f'\n{"=" * 80}\nfailed: {test["id"]} ({test["status"]})\n\n{text(test)}\n')
    report.write(', '.join(f'{count[key]} {key}' for key in ('passed', 'failed', 'skipped')) + '\n')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--dots', action='store_true', help='show a test as one character')
    parser.add_argument('report', help='the file to write')
    options = parser.parse_args()
    tests, printed = follow(options.dots)
    with open(options.report, 'w', encoding='utf-8') as report:
        write(tests, printed, report)


if __name__ == '__main__':
    main()
