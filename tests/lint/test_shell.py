# SPDX-License-Identifier: Apache-2.0
"""Shell scripts, found by their suffix or first line: what shellcheck does not ask for."""

from tests import base, repository

load_tests = base.load_scenarios


class ProgramTest(base.TestCase):
    scenarios = repository.scenarios(repository.is_shell, repository.interpreter)

    def test_it_stops_at_the_first_error(self):
        text = (base.ROOT / self.name).read_text()
        self.assertRegex(text, r'(?m)^set -\w*e', 'there is no "set -e" in it')
        self.assertRegex(text, r'(?m)^set -\w*u', 'there is no "set -u" in it')
