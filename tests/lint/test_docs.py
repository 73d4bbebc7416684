# SPDX-License-Identifier: Apache-2.0
"""The documentation builds without a warning."""

import re
import shutil
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


class ReleaseNoteTest(base.TestCase):
    #: reno calls git.
    guard_processes = False

    def test_a_new_one_passes_the_linters(self):
        folder = self.root / 'releasenotes'
        folder.mkdir()
        shutil.copy(base.ROOT / 'releasenotes/config.yaml', folder)
        done = self.run_program(['reno', 'new', 'a-hook'], cwd=self.root)
        self.assertEqual(0, done.status, done.stderr)
        (note,) = folder.glob('notes/a-hook-*.yaml')
        for command in (
            ['init', '--quiet'],
            ['add', '.'],
            ['-c', 'user.name=a', '-c', 'user.email=a@example.org', 'commit', '-qm', 'a'],
        ):
            self.assertEqual(0, self.run_program(['git', *command], cwd=self.root).status)
        done = self.run_program(['reno', '--quiet', 'lint'], cwd=self.root)
        self.assertEqual((0, '', ''), done)
        done = self.run_program(['yamllint', '--strict', '-c', base.ROOT / '.yamllint', note])
        self.assertEqual((0, '', ''), done)
        self.assertEqual('# SPDX-License-Identifier: Apache-2.0', note.read_text().split('\n')[0])
