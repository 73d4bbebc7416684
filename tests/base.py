# SPDX-License-Identifier: Apache-2.0
"""The base class of all tests."""

import os
import pathlib
import unittest
from typing import Any

import fixtures
import testscenarios
import testtools

from tests import sandbox

ROOT = pathlib.Path(__file__).resolve().parent.parent
ELEMENTS = ROOT / 'elements'


def load_scenarios(
    loader: unittest.TestLoader, tests: unittest.TestSuite, pattern: Any
) -> unittest.TestSuite:
    """The load_tests of a module whose classes have `scenarios`: each test once per scenario.

    A class with an empty list has no tests, where testscenarios alone would run them unprepared.
    """
    return loader.suiteClass(
        testscenarios.generate_scenarios(
            test
            for test in testtools.iterate_tests(tests)
            if getattr(test, 'scenarios', None) != []
        )
    )


class TestCase(testtools.TestCase):
    """A test with a sandbox, and with a time limit ($OS_TEST_TIMEOUT, in seconds).

    The sandbox's most used methods are at hand by their own names:

        def test_a_failing_playbook_is_a_failed_deployment(self):
            self.fake('ansible-playbook', {'status': 2, 'stderr': 'no hosts'})
            done = self.run_script(HOOK, stdin=deployments.load('ansible'))
            self.assertEqual(2, done.json()['deploy_status_code'])
            self.assertEqual(['-i', ...], self.calls('ansible-playbook')[0].argv)
    """

    #: False: real tools; see tests.sandbox.Sandbox.
    guard_processes = True

    def setUp(self) -> None:
        super().setUp()
        timeout = int(os.environ.get('OS_TEST_TIMEOUT') or 0)
        if timeout:
            self.useFixture(fixtures.Timeout(timeout, gentle=True))
        self.sandbox = self.useFixture(sandbox.Sandbox(guard=self.guard_processes))
        self.root = self.sandbox.root
        self.announce = self.sandbox.announce
        self.calls = self.sandbox.calls
        self.fake = self.sandbox.fake
        self.run_program = self.sandbox.run
        self.run_script = self.sandbox.run_script
