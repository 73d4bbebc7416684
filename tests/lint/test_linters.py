# SPDX-License-Identifier: Apache-2.0
"""The linters, which stand in .pre-commit-config.yaml, over all files."""

import yaml

from tests import base, repository

load_tests = base.load_scenarios

CONFIG = yaml.safe_load((base.ROOT / '.pre-commit-config.yaml').read_text(encoding='utf-8'))


class LinterTest(base.TestCase):
    #: pre-commit calls git, and what the list names.
    guard_processes = False

    scenarios = [
        (hook['id'], {'hook': hook['id']})
        for source in CONFIG['repos']
        for hook in source['hooks']
        if 'stages' not in hook
    ]

    def test_it_has_nothing_to_say(self):
        if not (base.ROOT / '.git').exists():
            self.skipTest('pre-commit works on a git clone, and this is none')
        done = self.run_program(
            [
                base.ROOT / '.tox/lint/bin/pre-commit',
                'run',
                '--color=never',
                self.hook,
                '--files',
                *repository.names(),
            ],
            cwd=base.ROOT,
        )
        self.assertEqual(0, done.status, done.stdout + done.stderr)
        self.assertNotIn('(no files to check)', done.stdout)
