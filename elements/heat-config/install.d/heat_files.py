# SPDX-License-Identifier: Apache-2.0
"""Files: written whole or not at all, and for nobody else's eyes."""

import errno
import json
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def make_folder(path: str, mode: int = 0o700) -> None:
    """Make a folder, and those above it that are missing, all with this mode."""
    parent = os.path.dirname(path)
    if parent and not os.path.isdir(parent):
        make_folder(parent, mode)  # os.makedirs would leave these open to all
    os.makedirs(path, mode=mode, exist_ok=True)


def write_file(path: str, text: 'str | bytes', mode: int = 0o600, durable: bool = False) -> None:
    """Write a file so that none ever sees half of it, nor with another mode.

    :param durable: return only when it would survive a power cut.
    """
    # JSON can say half a character ("\ud800"), which no file can hold.
    data = text.encode('utf-8', 'replace') if isinstance(text, str) else text
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f'.{name[:200]}.{os.urandom(8).hex()}.tmp')
    # Nobody can have made it before, nor put a link in its place.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    descriptor = os.open(temporary, flags, mode)
    try:
        with open(descriptor, 'wb') as file:
            os.fchmod(descriptor, mode)
            file.write(data)
            if durable:
                file.flush()
                os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    if durable:
        sync_folder(folder)


def sync_folder(path: str) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(path or '.', os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_name(text: str) -> str:
    """A text from Heat as a file's name: itself where that is safe.

    Anything that could leave the folder, hide or be too long is replaced by
    a digest of it, so that different texts keep different names.
    """
    safe = text.replace('-', '').replace('_', '').replace('.', '')
    if (
        safe.isalnum()
        and len(text) <= 120
        and text[0] != '.'
        and all(ord(character) < 128 for character in safe)
    ):
        return text
    import hashlib  # seldom needed, and slow to load

    return 'unsafe-' + hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:32]


class Damaged(Exception):
    """A file is not what it should be; the message says what it is instead."""


def open_regular(path: str, mode: str = 'rb') -> 'Any':
    """Open a file that is none of those that would never answer, such as a FIFO.

    :param mode: rb or r+b.
    :raises OSError: when it cannot be opened.
    """
    access = os.O_RDWR if '+' in mode else os.O_RDONLY
    descriptor = os.open(path, access | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, 'it is not a regular file', path)
    return open(descriptor, mode)


def read_object(path: str) -> 'dict[str, Any]':
    """The JSON object in a file; an empty one where the file is empty or not there.

    :raises Damaged: when there is anything else.
    """
    try:
        with open_regular(path) as file:
            text = file.read()
        value = json.loads(text.decode('utf-8')) if text else {}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Damaged(f'{path} cannot be read: {error.strerror}')
    except (RecursionError, ValueError) as error:
        raise Damaged(f'{path} is not JSON: {error}')
    if not isinstance(value, dict):
        raise Damaged(f'{path} is not a JSON object')
    return value


def load(path: str) -> 'dict[str, Any]':
    """The JSON object in a file; an empty one where there is none that can be read."""
    try:
        return read_object(path)
    except Damaged:
        return {}


def put_aside(path: str) -> str:
    """Keep what is in the way of a file for whoever wants to know.

    :returns: where it is now, in the folder ``.damaged`` beside it.
    """
    folder, name = os.path.split(path)
    folder = os.path.join(folder, '.damaged')
    make_folder(folder)
    number = 0
    while os.path.lexists(os.path.join(folder, f'{name}.{number}')):
        number += 1
    target = os.path.join(folder, f'{name}.{number}')
    os.rename(path, target)
    return target


def touch(path: str) -> None:
    """Make a file if it is not there; an empty one needs no room on most disks."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK, 0o600))


def remove(path: str) -> None:
    """Remove a file, if it is there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
