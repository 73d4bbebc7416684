# SPDX-License-Identifier: Apache-2.0
"""The files of this checkout, by kind, so that a new file is tested by itself."""

import functools
import os
import pathlib
import re
import subprocess
from typing import Any, Callable

from tests.base import ROOT

#: Where diskimage-builder elements lie.
ELEMENT_FOLDERS = ('elements', 'test-image/elements')
#: What these hold runs on a server, or travels to it.
SERVER_FOLDERS = ELEMENT_FOLDERS + ('boot-config/templates',)


@functools.cache
def names() -> 'tuple[str, ...]':
    """Paths, relative to the checkout, of all files and links that git has, or would take.

    Without git, as in an unpacked archive, all but hidden ones.
    """
    if (ROOT / '.git').exists():
        listed = subprocess.run(
            ['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            check=True,
        )
        found = {
            name
            for name in os.fsdecode(listed.stdout).split('\0')
            if os.path.lexists(ROOT / name) and name
        }
    else:
        found = {
            os.path.relpath(os.path.join(folder, name), ROOT)
            for folder, folders, names in os.walk(ROOT)
            for name in folders + names
            if not os.path.isdir(os.path.join(folder, name))
            or os.path.islink(os.path.join(folder, name))
        }
        found = {name for name in found if not re.search(r'(^|/)(\.|__pycache__/)', name)}
    return tuple(sorted(found))


def links() -> 'list[str]':
    """The symbolic links among names()."""
    return [name for name in names() if (ROOT / name).is_symlink()]


@functools.cache
def files() -> 'tuple[str, ...]':
    """The regular files among names()."""
    return tuple(
        name for name in names() if (ROOT / name).is_file() and not (ROOT / name).is_symlink()
    )


@functools.cache
def first_line(name: str) -> str:
    with open(ROOT / name, encoding='utf-8', errors='replace') as stream:
        return stream.readline()


def interpreter(name: str) -> str:
    """What a file's first line asks to run it, as in "bash" or "python3"; else nothing."""
    line = first_line(name)
    words = line[2:].split() if line.startswith('#!') else []
    if words and words[0].endswith('/env'):
        words = words[1:]
    return os.path.basename(words[0]) if words else ''


def is_python(name: str) -> bool:
    return name.endswith('.py') or interpreter(name).startswith('python')


def is_shell(name: str) -> bool:
    return (
        name.endswith(('.sh', '.bash'))
        or '/environment.d/' in name
        or interpreter(name) in ('sh', 'bash', 'dash')
    )


def on_servers(name: str) -> bool:
    """Whether a file belongs to what runs on a server, as against the build host or the tests."""
    return name.startswith(
        tuple(f'{folder}/' for folder in SERVER_FOLDERS)
    ) and not name.startswith('boot-config/list-')


def is_generated(name: str) -> bool:
    """Whether a file says at its head that a command writes it."""
    head = (ROOT / name).read_text(encoding='utf-8').splitlines()[:3]
    return any('do not edit' in line for line in head)


def elements() -> 'list[pathlib.Path]':
    """The folders of all elements."""
    return sorted(
        path
        for folder in ELEMENT_FOLDERS
        for path in (ROOT / folder).glob('*')
        if path.is_dir() and not path.name.startswith('.')
    )


def scenarios(*kinds: Callable[[str], Any]) -> 'list[tuple[str, dict[str, str]]]':
    """For testscenarios: one scenario per file that is of all these kinds, found in self.name."""
    return [(name, {'name': name}) for name in files() if all(kind(name) for kind in kinds)]
