# SPDX-License-Identifier: Apache-2.0
"""The commands of an installed package, and its version, in a checkout."""

import configparser
import os
import subprocess
import sys

from heat_software_config import paths, version
from heat_software_config.commands import COMMANDS
from tests import base

load_tests = base.load_scenarios


class CommandsTest(base.TestCase):
    def test_setup_cfg_has_each_by_its_name_and_by_that_of_its_script(self):
        config = configparser.ConfigParser()
        config.read(base.ROOT / 'setup.cfg')
        listed = config['options.entry_points']['console_scripts'].split('\n')
        names = [line.split(' = ')[0] for line in listed if line]
        expected = set(COMMANDS) | {
            os.path.basename(command.script) for command in COMMANDS.values() if command.script
        }
        self.assertEqual(sorted(expected), names)


class CommandTest(base.TestCase):
    #: Scripts call what they need to find Python.
    guard_processes = False

    scenarios = [(name, {'name': name}) for name in COMMANDS]

    def run_command(self, *args):
        program = self.root / self.name
        program.write_text('from heat_software_config.commands import main; main()\n')
        return self.run_program(
            [sys.executable, program, *args], env={'PYTHONPATH': str(base.ROOT)}
        )

    def test_it_helps_and_says_what_it_needs(self):
        done = self.run_command('--help')
        self.assertEqual((0, ''), (done.status, done.stderr))
        self.assertIn('usage: ', done.stdout)

    def test_it_refuses_what_it_does_not_know(self):
        done = self.run_command('--no-such-option')
        self.assertEqual((2, ''), (done.status, done.stdout))
        self.assertIn('error: ', done.stderr)


class PathsTest(base.TestCase):
    def paths(self, *args):
        return self.run_program(
            [sys.executable, '-m', 'heat_software_config.paths', *args], cwd=base.ROOT
        )

    def test_a_shell_takes_them_as_variables(self):
        script = self.root / 'script'
        script.write_text(self.paths('paths').stdout + 'echo "$ELEMENTS_PATH" "$BOOT_CONFIG"\n')
        done = self.run_program(['sh', script])
        self.assertEqual((0, f'{base.ELEMENTS} {base.ROOT}/boot-config\n', ''), done)

    def test_each_is_a_folder(self):
        for folder in paths.FOLDERS.values():
            self.assertTrue((base.ROOT / folder).is_dir(), folder)

    def test_the_path_of_the_elements_stands_alone(self):
        self.assertEqual((0, f'{base.ELEMENTS}\n', ''), self.paths('elements-path'))

    def test_without_a_command_it_says_which_there_are(self):
        done = self.paths()
        self.assertEqual((2, ''), (done.status, done.stdout))
        self.assertIn('required: COMMAND', done.stderr)


class VersionTest(base.TestCase):
    #: It asks git.
    guard_processes = False

    def shown(self):
        done = self.run_program(
            [sys.executable, '-m', 'heat_software_config.paths', '--version'], cwd=base.ROOT
        )
        self.assertEqual((0, ''), (done.status, done.stderr))
        return done.stdout

    def test_of_a_checkout_it_is_what_git_says(self):
        if version.FILE.exists():
            self.skipTest('this is no checkout, but an unpacked package')
        said = subprocess.run(
            ['git', 'describe', '--tags', '--always', '--dirty'],
            cwd=base.ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.assertEqual(f'heat-software-config {said.stdout}', self.shown())

    def test_of_a_package_it_is_in_a_file(self):
        if not version.FILE.exists():
            self.skipTest('this is a checkout; test_wheel tries packages')
        self.assertEqual(f'heat-software-config {version.FILE.read_text()}', self.shown())
