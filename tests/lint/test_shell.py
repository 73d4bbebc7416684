# SPDX-License-Identifier: Apache-2.0
"""Shell scripts, found by their suffix or first line."""

from tests import base, repository

load_tests = base.load_scenarios


class ShellTest(base.TestCase):
    scenarios = repository.scenarios(repository.is_shell)

    def test_shellcheck_has_nothing_to_say(self):
        self.announce('shellcheck')
        options = []
        if not repository.interpreter(self.name):
            # Sourced by diskimage-builder, which uses the variables that such a file sets.
            options = ['--shell=bash', '--exclude=SC2034']
        done = self.run_program(
            ['shellcheck', '--external-sources', '--source-path=SCRIPTDIR', *options, self.name],
            cwd=base.ROOT,
        )
        self.assertEqual(0, done.status, done.stdout + done.stderr)


class ProgramTest(base.TestCase):
    scenarios = repository.scenarios(repository.is_shell, repository.interpreter)

    def test_it_stops_at_the_first_error(self):
        text = (base.ROOT / self.name).read_text()
        self.assertRegex(text, r'(?m)^set -\w*e', 'there is no "set -e" in it')
        self.assertRegex(text, r'(?m)^set -\w*u', 'there is no "set -u" in it')
