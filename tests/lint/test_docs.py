# SPDX-License-Identifier: Apache-2.0
"""The documentation and the release notes build without a warning."""

import sys

from tests import base


class DocumentationTest(base.TestCase):

    #: Sphinx and reno call git.
    guard_processes = False

    def setUp(self) -> None:
        super().setUp()
        if not (base.ROOT / '.git').exists():
            self.skipTest('release notes are read from the git history, and this is no git clone')

    def test_sphinx_has_nothing_to_say(self):
        done = self.run_program(
            [sys.executable, '-m', 'sphinx', '-W', '--keep-going', '-q', '-b', 'html',
             '-d', self.root / 'doctrees', base.ROOT / 'doc/source', self.root / 'html'],
            cwd=base.ROOT)
        self.assertEqual(0, done.status, done.stderr)
        self.assertTrue((self.root / 'html/index.html').exists())

    def test_reno_has_nothing_to_say(self):
        done = self.run_program(['reno', '--quiet', 'lint', base.ROOT], cwd=base.ROOT)
        self.assertEqual(0, done.status, done.stderr)
