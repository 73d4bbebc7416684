# SPDX-License-Identifier: Apache-2.0
"""The documentation builds without a warning."""

import re
import shutil
import sys

from tests import base, modules, repository

load_tests = base.load_scenarios


class ContributingTest(base.TestCase):
    #: The list of files is git's.
    guard_processes = False

    def test_its_map_names_every_folder_and_no_other(self):
        text = (base.ROOT / 'CONTRIBUTING.rst').read_text(encoding='utf-8')
        section = re.search(r'(?ms)^Map\n---+\n(.*?)^[^\n]+\n---+\n', text).group(1)
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


class PictureTest(base.TestCase):
    scenarios = [
        (path.stem, {'path': path}) for path in sorted((base.ROOT / 'doc/pictures').glob('*.dot'))
    ]

    def test_it_is_drawn_of_the_text_beside_it(self):
        draw_pictures = modules.load(base.ROOT / 'doc/draw-pictures')
        drawn = self.path.with_suffix('.svg').read_text(encoding='utf-8')
        if not drawn.startswith(draw_pictures.mark(self.path)):
            self.fail(f'doc/pictures/{self.path.name} has changed: run doc/draw-pictures')


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
