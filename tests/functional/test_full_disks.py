# SPDX-License-Identifier: Apache-2.0
"""One signal, and at most one run, whatever runs out on the disk: real XFS, ext4 and tmpfs.

On a full XFS not even an empty file can be made, nor anywhere without inodes.
"""

import pathlib
import shutil
import subprocess
from typing import Optional

from tests import base
from tests.functional.test_every_deployment_is_signalled import HOOK, PromiseTestCase

load_tests = base.load_scenarios

PAGE = 4096
FILLING_HOOK = HOOK + (
    'cat /dev/zero > "$DISK/hook-filler" || true\n'
    # In a shell of its own, which such a failure ends.
    """sh -c 'n=0; while : > "$DISK/hook-$n"; do n=$((n + 1)); [ $n -lt 2000 ] || break; done'\n"""
    'exit 0\n'
)


class FullDiskTestCase(PromiseTestCase):
    kind = ''

    def setUp(self) -> None:
        super().setUp()
        self.disk = self.root / 'disk'
        self.disk.mkdir()
        self.sandbox.env.update(
            HEAT_CONFIG_DEPLOYED=str(self.disk / 'deployed'), DISK=str(self.disk)
        )
        self.agent.deployed = self.disk / 'deployed'
        self.agent.install_hook('filling', FILLING_HOOK)

    def mount(self, kind: str, options: str = '') -> None:
        """Mount a new file system in place of what there was."""
        subprocess.run(['umount', '-l', self.disk], check=False, stderr=subprocess.DEVNULL)
        if kind == 'tmpfs':
            command = ['mount', '-t', 'tmpfs', '-o', options, 'none', self.disk]
        else:
            mkfs = shutil.which(f'mkfs.{kind}')
            if not mkfs:
                self.skipTest(f'mkfs.{kind} is not there')
            image = self.root / 'image'
            image.unlink(missing_ok=True)
            with image.open('wb') as file:
                file.truncate((320 if kind == 'xfs' else 16) * 1024 * 1024)
            subprocess.run([mkfs, '-q', *options.split(), image], check=True)
            command = ['mount', '-o', 'loop', image, self.disk]
        mounted = subprocess.run(command, check=False, stderr=subprocess.PIPE)
        if mounted.returncode:
            self.skipTest(f'no {kind} can be mounted: ' + mounted.stderr.decode().strip())
        self.addCleanup(
            subprocess.run, ['umount', '-l', self.disk], check=False, stderr=subprocess.DEVNULL
        )

    def exhaust(self, pages: int = 0, inodes: int = 0) -> None:
        """Fill the disk until nothing can be made any more, but for some pages and inodes."""
        with (self.disk / 'filler').open('wb', buffering=0) as file:
            for piece in (1024 * 1024, PAGE, 1):
                try:
                    while True:
                        file.write(b'x' * piece)
                except OSError:
                    pass
            if pages:
                file.truncate(max(0, file.tell() - pages * PAGE))
        if not pages:
            self.exhaust_inodes(inodes)

    def exhaust_inodes(self, but: int = 0) -> None:
        folder = self.disk / 'files'
        made: list[pathlib.Path] = []
        try:
            folder.mkdir(exist_ok=True)
            made.append(folder)
            while len(made) < 200000:
                path = folder / f'{len(made)}'
                path.touch()
                made.append(path)
        except OSError:
            pass
        for path in made[len(made) - but :] if but else ():
            path.unlink() if path.is_file() else path.rmdir()

    def free(self) -> None:
        for path in self.disk.iterdir():
            if path.name != 'deployed':
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def begin(self, history: bool, groups: 'tuple[str, ...]' = ('quick', 'slow', 'quick')) -> None:
        """Have the disk empty or with a record, and three new deployments."""
        self.start_over()
        self.tries += 1
        if history:
            self.agent.give(self.deployment(f'old-{self.tries}', 'quick'))
            self.settle()
        self.wanted = {
            f'{self.tries}-{number}': self.deployment(f'{self.tries}-{number}', group)
            for number, group in enumerate(groups)
        }
        self.agent.give(*self.wanted.values())

    def run_all(self) -> None:
        for args in ([], ['--pending'], []):
            done = self.agent.run_again(*args)
            self.assertNotIn('Traceback', done.stderr)

    def assert_one_each(self, when: str) -> None:
        self.assert_promise(list(self.wanted), when, signals=1)

    def check_full_before(self, when: str) -> None:
        self.run_all()
        self.assert_one_each(f'{when}, full')
        self.free()
        self.run_all()
        self.assert_one_each(f'{when}, and then emptied')

    def check_full_by_a_hook(self, when: str) -> None:
        self.run_all()
        self.free()
        self.run_all()
        self.assert_one_each(f'{when}, filled by a hook')
        self.assertEqual(0, self.heat.bodies(list(self.wanted)[1])[0]['deploy_status_code'], when)

    def check_full_while_heat_is_away(self, when: str) -> None:
        """Then there is space, a reboot, and the timer runs before the metadata are back."""
        metadata = self.agent.metadata.read_text()
        self.heat.stop()
        self.run_all()
        self.free()
        self.agent.metadata.unlink()
        self.heat.start()
        self.agent.run_again('--pending')
        self.agent.metadata.write_text(metadata)
        self.run_all()
        self.assert_one_each(f'{when}, full while Heat was away')


class RealDiskTest(FullDiskTestCase):
    options: Optional[str] = ''
    scenarios = [
        ('xfs', {'kind': 'xfs'}),
        ('ext4', {'kind': 'ext4'}),
        ('ext4,few-inodes', {'kind': 'ext4', 'options': '-N 64'}),
        ('tmpfs', {'kind': 'tmpfs', 'options': f'size={128 * PAGE}'}),
        ('tmpfs,few-inodes', {'kind': 'tmpfs', 'options': 'size=16m,nr_inodes=64'}),
    ]

    def test_full_before_a_run(self):
        for history in (True, False):
            self.mount(self.kind, self.options)
            self.begin(history)
            self.exhaust()
            self.check_full_before(f'history {history}')

    def test_full_by_a_hook(self):
        for history in (True, False):
            self.mount(self.kind, self.options)
            self.begin(history, ('quick', 'filling', 'quick'))
            self.check_full_by_a_hook(f'history {history}')

    def test_full_while_heat_is_away(self):
        for groups in (('quick', 'slow', 'quick'), ('quick', 'filling', 'quick')):
            self.mount(self.kind, self.options)
            self.begin(True, groups)
            if 'filling' not in groups:
                self.exhaust()
            self.check_full_while_heat_is_away(f'{groups}')


class AtAnyRecordTest(FullDiskTestCase):
    """The last page, or the last inode, is taken by any step of the state machine."""

    def test_pages(self):
        for history in (True, False):
            self.mount('tmpfs', f'size={64 * PAGE}')
            for pages in range(1, 21):
                self.begin(history)
                self.exhaust(pages=pages)
                self.check_full_before(f'{pages} pages, history {history}')

    def test_inodes(self):
        for kind, options in (('tmpfs', 'size=16m,nr_inodes=48'), ('ext4', '-N 64')):
            for history in (True, False):
                self.mount(kind, options)
                for inodes in range(9):
                    self.begin(history)
                    self.exhaust_inodes(inodes)
                    self.check_full_before(f'{kind}, {inodes} inodes, history {history}')
