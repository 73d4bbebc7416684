# SPDX-License-Identifier: Apache-2.0
"""build-agent-installer.sh, and what of heat-agent-install changes nothing on a system.

What it installs is tried in tests/functional/test_agent_installer.py.
"""

import json
import os
import sys
import zipfile
from typing import Any

from tests import base, interpreters
from tests.boot_config import elements

BUILD = base.ROOT / 'build-agent-installer.sh'


class InstallerTestCase(base.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.announce('bash', 'dirname', 'env', 'git', 'readlink')
        # The tests' own interpreter, for it has PyYAML.
        (self.sandbox.bin / 'python3').unlink()
        (self.sandbox.bin / 'python3').symlink_to(sys.executable)

    def build(self, *options: Any) -> Any:
        packages = os.pathsep.join(path for path in sys.path if path.endswith('site-packages'))
        return self.run_program([BUILD, *options], env={'PYTHONPATH': packages})


class BuildTest(InstallerTestCase):
    def test_it_writes_one_executable_file_and_says_so(self) -> None:
        file = self.root / 'installer'
        done = self.build('-o', file, '--hook', 'ansible')
        self.assertEqual((0, ''), (done.status, done.stderr))
        self.assertIn(f'{file}: ', done.stdout)
        self.assertTrue(os.access(file, os.X_OK))
        self.assertEqual(
            [], [path.name for path in self.root.iterdir() if '.installer' in path.name]
        )
        shown = self.run_program([file, '--help'])
        self.assertIn('(default: script,ansible)', ' '.join(shown.stdout.split()))

    def test_it_carries_all_elements_and_no_yaml_that_would_take_a_library(self) -> None:
        file = self.root / 'installer'
        self.build('-o', file)
        with zipfile.ZipFile(file) as archive:
            found = json.loads(archive.read('elements.json'))
        expected = elements()
        self.assertEqual(expected['agent'].keys(), found['agent'].keys())
        self.assertEqual(expected['hooks'].keys(), found['hooks'].keys())
        for tree in (found['agent'], *found['hooks'].values()):
            for place, text in tree.items():
                if place.startswith('package-installs/'):
                    self.assertIsInstance(json.loads(text), dict, place)

    def test_what_it_cannot_do_is_said_in_a_sentence(self) -> None:
        for options, said in (
            (['--hook', 'ansibel'], 'There is no hook ansibel, only ansible, '),
            (['-o', self.root / 'none' / 'file'], f'There is no folder {self.root / "none"}.'),
            (['--offline', '--python', 'three'], 'three is no version of Python such as 3.13.'),
        ):
            done = self.build(*options)
            self.assertEqual(1, done.status)
            self.assertIn(said, done.stderr)
            self.assertNotIn('Traceback', done.stderr)
        self.assertEqual(2, self.build('--rubbish').status)

    def test_help_and_version(self) -> None:
        for option in ('--help', '--version'):
            done = self.build(option)
            self.assertEqual((0, ''), (done.status, done.stderr))
            self.assertIn('build-agent-installer.sh', done.stdout)


class ProgramTest(InstallerTestCase):
    """The file itself, on this machine: nothing of it takes root."""

    def setUp(self) -> None:
        super().setUp()
        if not os.path.exists('/etc/os-release'):
            self.skipTest('this system has no /etc/os-release')
        self.file = self.root / 'heat-agent-install'
        self.assertEqual(0, self.build('-o', self.file).status)

    def install(self, *options: str, python: str = sys.executable) -> Any:
        return self.run_program([python, '-B', self.file, *options])

    def test_it_lists_its_hooks(self) -> None:
        done = self.install('--list')
        self.assertEqual(0, done.status, done.stderr)
        names = [line.split()[0] for line in done.stdout.splitlines()]
        self.assertEqual(sorted(elements()['hooks']), names)

    def test_the_oldest_and_the_newest_python_run_it(self) -> None:
        for python in interpreters.present().values():
            done = self.install('--list', python=str(python))
            self.assertEqual((0, ''), (done.status, done.stderr), python)

    def test_a_dry_run_names_packages_files_and_scripts_and_changes_nothing(self) -> None:
        done = self.install('--dry-run', '--hooks', 'ansible')
        self.assertEqual(0, done.status, done.stderr)
        for what in (
            'would install the package ',
            'would write /var/lib/heat-config/hooks/ansible',
            'would write /etc/systemd/system/os-collect-config.service',
            'would run install.d/30-heat-agent-venv',
        ):
            self.assertIn(what, done.stdout)
        self.assertIn('templates/etc/os-collect-config.conf\n', done.stdout)
        # The agent's own file is nobody's to remove.
        self.assertNotIn('would write /etc/os-collect-config.conf\n', done.stdout)

    def test_what_it_cannot_do_is_said_in_a_sentence(self) -> None:
        for options, status, said in (
            (['--dry-run', '--hooks', 'ansibel'], 1, 'there is no hook ansibel, only ansible, '),
            (['--list', '--root', str(self.root / 'none')], 1, 'does not hold a system'),
            (['--packages', '--pip'], 2, 'not allowed with'),
        ):
            done = self.install(*options)
            self.assertEqual(status, done.status, done.stderr)
            self.assertIn(said, done.stderr)
            self.assertNotIn('Traceback', done.stderr)
