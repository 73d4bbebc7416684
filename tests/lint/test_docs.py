# SPDX-License-Identifier: Apache-2.0
"""The documentation and the release notes build without a warning."""

import re
import sys

from tests import base, repository


class ReadmeTest(base.TestCase):
    #: The list of files is git's.
    guard_processes = False

    def test_its_map_names_every_folder_and_no_other(self):
        readme = (base.ROOT / 'README.rst').read_text(encoding='utf-8')
        section = re.search(r'(?ms)^Map\n---+\n(.*?)^[^\n]+\n---+\n', readme).group(1)
        named = [
            name
            for line in re.findall(r'(?m)^``.*', section)
            for name in re.findall(r'``([^`]+)/``', line)
        ]
        folders = {name.split('/')[0] for name in repository.names() if '/' in name}
        self.assertEqual(
            sorted(name for name in folders if not name.startswith('.')), sorted(named)
        )


class DocumentationTest(base.TestCase):
    #: Sphinx and reno call git.
    guard_processes = False

    def setUp(self) -> None:
        super().setUp()
        if not (base.ROOT / '.git').exists():
            self.skipTest('release notes are read from the git history, and this is no git clone')

    def test_sphinx_has_nothing_to_say(self):
        done = self.run_program(
            [
                sys.executable,
                '-m',
                'sphinx',
                '-W',
                '--keep-going',
                '-q',
                '-b',
                'html',
                '-d',
                self.root / 'doctrees',
                base.ROOT / 'doc/source',
                self.root / 'html',
            ],
            cwd=base.ROOT,
        )
        complaints = [line for line in done.stderr.splitlines() if ' INFO reno.' not in line]
        self.assertEqual(0, done.status, '\n'.join(complaints))
        self.assertTrue((self.root / 'html/index.html').exists())

    def test_reno_has_nothing_to_say(self):
        done = self.run_program(['reno', '--quiet', 'lint', base.ROOT], cwd=base.ROOT)
        self.assertEqual(0, done.status, done.stderr)
