# SPDX-License-Identifier: Apache-2.0
"""Each command of the project tells what it does and its version, where nothing is installed."""

import os
import pathlib
import shutil
import stat

from tests import base, repository

load_tests = base.load_scenarios

#: Where commands are; those of elements go to servers.
FOLDERS = ('.', 'benchmarks', 'boot-config', 'doc', 'imagebuild', 'test-image')


def is_command(name: str) -> bool:
    folder = os.path.dirname(name) or '.'
    path = base.ROOT / name
    return (
        (folder in FOLDERS or (name.startswith('elements/') and folder.endswith('/bin')))
        and path.is_file()
        and bool(path.stat().st_mode & stat.S_IXUSR)
        # What a build calls.
        and name != 'imagebuild/sweep'
    )


class CommandTest(base.TestCase):
    #: bash and python3 only.
    guard_processes = False

    scenarios = [(name, {'name': name}) for name in repository.names() if is_command(name)]

    def ask(self, option: str):
        """Run a command with an option, where nothing but what it is written in is installed."""
        folder = self.root / 'plain'
        folder.mkdir()
        for program in ('bash', 'basename', 'cat', 'dirname', 'env', 'readlink', 'sed', 'sh'):
            found = shutil.which(program)
            assert found is not None
            (folder / program).symlink_to(found)
        # Without the tests' own packages.
        (folder / 'python3').symlink_to(pathlib.Path('/usr/bin/python3').resolve())
        return self.run_program(
            [base.ROOT / self.name, option],
            env={'PATH': str(folder), 'HOME': '/nonexistent', 'PYTHONPATH': ''},
        )

    def test_it_says_what_it_does(self):
        done = self.ask('--help')
        self.assertEqual((0, ''), (done.status, done.stderr))
        self.assertIn(os.path.basename(self.name).partition('.')[0], done.stdout)

    def test_it_says_its_version(self):
        done = self.ask('--version')
        self.assertEqual((0, ''), (done.status, done.stderr))
        self.assertRegex(done.stdout, r'^\S+ \S+( .*)?\n$')
