# SPDX-License-Identifier: Apache-2.0
"""diskimage-builder's own lint over every folder of elements."""

import os

from tests import base, repository

load_tests = base.load_scenarios


class DibLintTest(base.TestCase):
    #: dib-lint calls some twenty tools.
    guard_processes = False

    scenarios = [
        (folder, {'folder': folder})
        for folder in repository.ELEMENT_FOLDERS
        if (base.ROOT / folder).is_dir()
    ]

    def test_dib_lint_has_nothing_to_say(self):
        empty = self.root / 'lib'  # dib-lint wants a library beside the elements
        empty.mkdir()
        done = self.run_program(
            ['dib-lint'],
            cwd=base.ROOT,
            env={
                'ELEMENTS_DIR': self.folder,
                'LIB_DIR': str(empty),
                'PATH': f'{self.sandbox.bin}{os.pathsep}{os.environ["PATH"]}',
            },
        )
        complaints = [
            line
            for line in done.stdout.splitlines()
            if not line.startswith(('Checking ', 'Parsing ', 'Skipping ', 'Running '))
        ]
        self.assertEqual('PASS', '\n'.join(complaints), done.stderr)
