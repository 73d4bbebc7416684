# SPDX-License-Identifier: Apache-2.0
"""What there is no room for elsewhere: a file of a fixed size, which is rewritten in place.

A disk that is full, or has no inodes left, takes no new file, and some file
systems (XFS) not even an empty one.  What must not be forgotten then stands
here until there is room: that a deployment was refused or has ended, and
whether Heat was told.

The file has two halves, which are written in turns: a power cut in the middle
of one leaves the other.
"""

import errno
import fcntl
import json
import os

from heat_files import make_folder, open_regular, put_aside, write_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HALF = 16 * 1024  # bytes


class Ledger:
    """Entries by name, each an object of JSON.

    :param paths: where it may be; the first that can be made is taken, and
        all that are there are read.
    """

    def __init__(self, *paths: str) -> None:
        self._paths = paths
        self.entries: dict[str, Any] = {}

    def load(self) -> None:
        """Read what is there."""
        self.entries = {}
        for path in reversed(self._paths):
            try:
                with open_regular(path) as file:
                    self.entries.update(_parse(file.read())[1])
            except OSError:
                pass  # it has not been needed, or is damaged: prepare() mends it

    def exists(self) -> bool:
        """Whether it was made, wherever."""
        return any(map(os.path.isfile, self._paths))

    def prepare(self) -> None:
        """Make the file while there is room for it.

        :raises OSError: when it can be nowhere.
        """
        for path in self._paths:
            try:
                if os.path.isfile(path) and os.path.getsize(path) == 2 * HALF:
                    return
                if os.path.lexists(path):
                    put_aside(path)
                make_folder(os.path.dirname(path))
                write_file(path, _half(0, {}) + _half(1, {}), durable=True)
                return
            except OSError as error:
                problem = error
        raise problem

    def note(self, name: str, entry: 'dict[str, Any]') -> None:
        """Add an entry, or replace it.

        :raises OSError: when there is no room even here.
        """
        self._change(name, entry)

    def drop(self, name: str) -> None:
        """Remove an entry."""
        if name in self.entries:
            self._change(name, None)

    def _change(self, name: str, entry: 'dict[str, Any] | None') -> None:
        self.prepare()
        is_kept = False
        for path in self._paths:
            try:
                with open_regular(path, 'r+b') as file:
                    fcntl.flock(file, fcntl.LOCK_EX)
                    text = file.read()
                    serial, entries = _parse(text)
                    if entries.pop(name, None) is None and (entry is None or is_kept):
                        continue
                    if entry is not None and not is_kept:
                        entries[name] = entry
                        is_kept = True
                    serial += 1
                    file.seek(serial % 2 * HALF)
                    file.write(_half(serial, entries))
                    file.flush()
                    os.fsync(file.fileno())
            except FileNotFoundError:
                continue
        self.load()


def _half(serial: int, entries: 'dict[str, Any]') -> bytes:
    text = json.dumps({'serial': serial, 'entries': entries}).encode('ascii')
    if len(text) > HALF:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return text.ljust(HALF)


def _parse(text: bytes) -> 'tuple[int, dict[str, Any]]':
    """The serial number and the entries of the younger half that is whole."""
    found: tuple[int, dict[str, Any]] = (0, {})
    for half in (text[:HALF], text[HALF:]):
        try:
            value = json.loads(half.decode('ascii'))
            serial, entries = value['serial'], value['entries']
        except (KeyError, TypeError, ValueError):
            continue  # half-written
        if serial >= found[0]:
            found = serial, entries
    return found
