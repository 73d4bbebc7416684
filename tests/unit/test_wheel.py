# SPDX-License-Identifier: Apache-2.0
"""Packages: built as for a release, and a wheel installed where there is no checkout."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

from heat_software_config.commands import COMMANDS
from tests import base, repository

#: What users get of a checkout.
INSTALLED = (
    'boot-config/',
    'elements/',
    'example-templates/',
    'gating/',
    'heat_software_config/',
    'imagebuild/',
    'localheat/',
    'test-image/',
    'build-heat-image.sh',
    'try-template.sh',
)


TAG = '7.8.9'


def call(*command: object, cwd: pathlib.Path) -> str:
    environment = dict(os.environ, PYTHONDONTWRITEBYTECODE='1')
    # What builds a package is not under test.
    environment.pop('COVERAGE_PROCESS_START', None)
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=cwd,
        env=environment,
    )
    if done.returncode:
        raise AssertionError(f'{command}: {done.stdout}')
    return done.stdout


def clone(folder: pathlib.Path) -> None:
    """Make a git checkout without tags, of this one's files as they are."""
    for name in repository.names():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(base.ROOT / name, folder / name, follow_symlinks=False)
    call('git', 'init', '--quiet', cwd=folder)
    call('git', 'add', '--all', cwd=folder)
    identity = ('-c', 'user.name=a', '-c', 'user.email=a@example.org')
    call('git', *identity, 'commit', '--quiet', '--message', 'a', cwd=folder)


class PackageTest(base.TestCase):
    #: Commands find Python, and what they say about this machine, by its own programs.
    guard_processes = False

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        if not (base.ROOT / '.git').exists():
            raise cls.skipException('a package is built of a git checkout, and this is none')
        folder = tempfile.TemporaryDirectory(prefix='heat-package-')
        cls.addClassCleanup(folder.cleanup)
        root = pathlib.Path(folder.name)
        source = root / 'source'
        clone(source)
        cls.untagged = call(sys.executable, '-m', 'setuptools_scm', cwd=source).strip()
        call('git', 'tag', TAG, cwd=source)
        call(sys.executable, '-m', 'build', '--no-isolation', '--outdir', '../dist', cwd=source)
        (cls.archive,) = root.glob('dist/*.tar.gz')
        (cls.wheel,) = root.glob('dist/*.whl')
        cls.venv = root / 'venv'
        call(sys.executable, '-m', 'venv', '--without-pip', cls.venv, cwd=root)
        pip = (sys.executable, '-m', 'pip', '--python', cls.venv / 'bin/python')
        call(*pip, 'install', '--quiet', '--no-index', '--no-deps', cls.wheel, cwd=root)
        (cls.tree,) = cls.venv.glob('lib/python3*/site-packages/heat-software-config')

    def test_the_source_has_every_file_link_and_mode(self):
        with tarfile.open(self.archive) as archive:
            members = {member.name.partition('/')[2]: member for member in archive}
        files = set(repository.files())
        self.assertEqual([], sorted(files - set(members)))
        for name in repository.links():
            self.assertEqual(os.readlink(base.ROOT / name), members[name].linkname, name)
        for name in files:
            executable = os.access(base.ROOT / name, os.X_OK)
            self.assertEqual(executable, bool(members[name].mode & 0o100), name)

    def test_an_installation_has_what_users_need_with_its_content_and_mode(self):
        for name in repository.names():
            source, installed = base.ROOT / name, self.tree / name
            if not name.startswith(INSTALLED) or source.is_dir():
                continue
            self.assertEqual(source.read_bytes(), installed.read_bytes(), name)
            executable = os.access(source, os.X_OK)
            self.assertEqual(executable, os.access(installed, os.X_OK), name)
        self.assertFalse((self.tree / 'tests').exists())

    def test_python_imports_from_it(self):
        done = self.run_program([self.venv / 'bin/python', '-c', 'import localheat.errors'])
        self.assertEqual((0, '', ''), done)

    def test_each_command_runs_has_a_man_page_and_is_completed(self):
        for name in COMMANDS:
            done = self.run_program([self.venv / 'bin' / name, '--help'])
            self.assertEqual((0, ''), (done.status, done.stderr), name)
            page = (self.venv / f'share/man/man1/{name}.1').read_text()
            self.assertIn('.SH SYNOPSIS', page)
            self.assertNotIn(os.path.expanduser('~'), page)
            script = self.root / name
            script.write_text(
                f'source {self.venv}/share/bash-completion/completions/{name}\n'
                f'words=$(complete -p {name}); words=${{words##*-F }}\n'
                f'COMP_WORDS=({name} --hel) COMP_CWORD=1\n'
                f'${{words%% *}} {name} --hel {name}\n'
                'echo "${COMPREPLY[@]}"\n'
            )
            self.assertEqual((0, '--help\n', ''), self.run_program(['bash', script]), name)

    def test_an_extra_has_what_localheat_needs_in_the_versions_that_are_known_to_work(self):
        (metadata,) = self.venv.glob('lib/python3*/site-packages/*.dist-info/METADATA')
        needed = re.findall(
            r'(?m)^Requires-Dist: ([^;]*); extra == "localheat"$', metadata.read_text()
        )
        constraints = (base.ROOT / 'localheat/constraints.txt').read_text().split('\n')
        pins = {line for line in constraints if line and not line.startswith('#')}
        self.assertEqual(set(), pins - set(needed))
        self.assertIn('keystone', {re.split('[=<>]', name)[0] for name in needed})

    def test_the_version_is_that_of_the_last_tag(self):
        self.assertEqual(TAG, self.wheel.name.split('-')[1])
        done = self.run_program([self.venv / 'bin/heat-software-config', '--version'])
        self.assertEqual((0, f'heat-software-config {TAG}\n', ''), done)

    def test_without_a_tag_there_is_a_version_too(self):
        self.assertRegex(self.untagged, r'^0\.1\.dev1\+g[0-9a-f]+$')

    def test_diskimage_builder_finds_its_elements(self):
        done = self.run_program([self.venv / 'bin/heat-software-config', 'elements-path'])
        self.assertEqual((0, f'{self.tree}/elements\n', ''), done)

    def test_an_image_would_be_built_of_its_elements(self):
        # By the name of the script, too; and in place of the link that the checkout has.
        for name, folders in (
            ('build-heat-image', [self.tree / 'elements']),
            ('build-heat-image.sh', [self.tree / 'elements']),
            ('build-heat-test-image', [self.tree / 'test-image/elements', self.tree / 'elements']),
        ):
            done = self.run_program([self.venv / 'bin' / name, '--dry-run', '--distro', 'debian'])
            self.assertEqual(0, done.status, done.stderr)
            self.assertIn('disk-image-create ', done.stdout)
            self.assertIn(f'ELEMENTS_PATH={":".join(map(str, folders))} ', done.stdout)
