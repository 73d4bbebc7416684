# SPDX-License-Identifier: Apache-2.0
"""The folders of a build, of which nothing is left however it ends.

A guard, which is imagebuild/sweep, waits beside each build until that has ended or is dead, and
then ends its processes, unmounts, detaches and removes. Where it could not, as when the machine
went down, the next build of the same user does: of each there is a record, whose lock is held while
it lives.
"""

import contextlib
import fcntl
import pathlib
import secrets
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from imagebuild import ending, machine, tools

SWEEP = pathlib.Path(__file__).resolve().parent / 'sweep'


@dataclass(frozen=True)
class Site:
    """Where a build works.

    :param work: a folder in TMPDIR.
    :param staging: a folder beside the image.
    """

    work: pathlib.Path
    staging: pathlib.Path
    _guard: IO[str]

    def watch(self, session: int) -> None:
        """Have a session's processes ended with the build."""
        self._guard.write(f'{session}\n')
        self._guard.flush()


def _sweep(path: str, folders: Sequence[str]) -> 'subprocess.Popen[str]':
    """Start sweeping; it waits until its stdin is closed."""
    return subprocess.Popen(
        machine.as_root(['env', f'PATH={path}', str(SWEEP), *folders]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    )


def _finish(sweeping: 'subprocess.Popen[str]', say: Callable[[str], None]) -> bool:
    output, _ = sweeping.communicate()
    if sweeping.returncode:
        say(output.strip())
    return sweeping.returncode == 0


@contextlib.contextmanager
def _recorded(records: pathlib.Path, folders: Sequence[pathlib.Path]) -> Iterator[None]:
    """Keep a record of a build's folders until they have been swept."""
    path = records / folders[0].name
    with path.open('x') as record:
        fcntl.flock(record, fcntl.LOCK_EX)
        record.write('\n'.join(map(str, folders)))
        record.flush()
        try:
            yield
        finally:
            if not any(folder.exists() for folder in folders):
                path.unlink()


def _sweep_the_dead(records: pathlib.Path, path: str, say: Callable[[str], None]) -> None:
    for found in records.iterdir():
        with found.open() as record:
            try:
                fcntl.flock(record, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            folders = record.read().split('\n')
            if folders == ['']:  # of a build that is just beginning
                continue
            left = [folder for folder in folders if pathlib.Path(folder).exists()]
            if left:
                say(f'removing what an earlier build has left: {" ".join(left)}')
            if not left or _finish(_sweep(path, left), say):
                found.unlink(missing_ok=True)


@contextlib.contextmanager
def swept(
    image_folder: pathlib.Path,
    path: str,
    environ: Mapping[str, str],
    say: Callable[[str], None],
) -> Iterator[Site]:
    """Give a build its folders; remove what dead ones have left, and afterwards these.

    :param path: the PATH on which sweeping finds its programs, stand-ins first.
    """
    records = tools.cache(environ) / 'heat-image' / 'builds'
    records.mkdir(parents=True, exist_ok=True)
    _sweep_the_dead(records, path, say)
    name = f'heat-image-{secrets.token_hex(4)}'
    site = (
        pathlib.Path(tempfile.gettempdir()).resolve() / name,
        image_folder.resolve() / f'.{name}',
    )
    with _recorded(records, site):
        guard = _sweep(path, list(map(str, site)))
        try:
            for folder in site:
                folder.mkdir(mode=0o700)
            assert guard.stdin is not None
            yield Site(*site, guard.stdin)
        finally:
            with ending.uninterrupted():
                _finish(guard, say)
