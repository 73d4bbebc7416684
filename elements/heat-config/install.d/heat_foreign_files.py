# SPDX-License-Identifier: Apache-2.0
"""Files in folders that may belong to other users than root.

Such a user may put a link, or another file, in the way at any instant.  So no
link is followed that belongs to somebody else, and everything is done by the
open folder, not by its path.
"""

import os
import stat

from heat_process import HookError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MOST_LINKS = 40  # as Linux


def open_folder(path: str, mode: int = 0o700) -> int:
    """Open a folder, and make those on the way that are missing.

    :param path: absolute; links that belong to root or to this user are followed.
    :param mode: of the folders that are made.
    :returns: its descriptor.
    :raises HookError: at a link that belongs to somebody else.
    """
    folder = os.open('/', os.O_RDONLY | os.O_DIRECTORY)
    done = ''  # the path of the open folder
    left = [name for name in path.split('/') if name]
    links = 0
    try:
        while left:
            name = left.pop(0)
            if name == '..':
                target: list[str] = done.split('/')[1:-1]
                left[:0] = target
                folder, done = _exchange(folder, os.open('/', os.O_RDONLY)), ''
                continue
            try:
                status = os.lstat(name, dir_fd=folder) if name != '.' else None
            except FileNotFoundError:
                os.mkdir(name, mode, dir_fd=folder)
                status = os.lstat(name, dir_fd=folder)
            if status and stat.S_ISLNK(status.st_mode):
                links += 1
                check_link(status, f'{done}/{name}', links)
                goal = os.readlink(name, dir_fd=folder)
                left[:0] = [part for part in goal.split('/') if part]
                if goal.startswith('/'):
                    folder, done = _exchange(folder, os.open('/', os.O_RDONLY)), ''
            elif status:
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
                folder = _exchange(folder, os.open(name, flags, dir_fd=folder))
                done = f'{done}/{name}'
    except BaseException as error:
        os.close(folder)
        if isinstance(error, OSError):
            error.filename = f'{done}/{name}'  # not its last part alone
        raise
    return folder


def _exchange(old: int, new: int) -> int:
    os.close(old)
    return new


def check_link(status: os.stat_result, path: str, links: int = 0) -> None:
    """Refuse to follow a link of somebody else.

    :raises HookError: when it is one, or the last of too many.
    """
    if status.st_uid not in (0, os.geteuid()):
        raise HookError(
            f'{path} is a link that belongs to the user with the id {status.st_uid}, and is not '
            'followed: remove it.'
        )
    if links > MOST_LINKS:
        raise HookError(f'{path} is a link that leads in a circle.')


def write(
    path: str,
    data: bytes,
    mode: 'int | None' = None,
    owner: 'tuple[int, int] | None' = None,
    default_mode: int = 0o644,
    folder_mode: int = 0o700,
) -> bool:
    """Write a file so that none ever sees half of it, nor with another mode.

    :param path: absolute.
    :param mode: by default that which it has, or else ``default_mode``.
    :param owner: the ids of its user and group; by default those which it has.
    :param folder_mode: the mode of folders that have to be made for it.
    :returns: whether that changed its content.
    :raises HookError: where a link of somebody else is in the way.
    """
    folder = open_folder(os.path.dirname(path), folder_mode)
    try:
        name = os.path.basename(path)
        for links in range(MOST_LINKS + 2):
            try:
                status = os.lstat(name, dir_fd=folder)
            except FileNotFoundError:
                status = None
            if not status or not stat.S_ISLNK(status.st_mode):
                break
            check_link(status, path, links)
            goal = os.readlink(name, dir_fd=folder)
            if not goal.startswith('/'):
                goal = os.path.join(os.readlink(f'/proc/self/fd/{folder}'), goal)
            folder = _exchange(folder, open_folder(os.path.dirname(goal), folder_mode))
            name = os.path.basename(goal)
        if status and stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(21, 'Is a directory', path)
        if mode is None:
            mode = stat.S_IMODE(status.st_mode) if status else default_mode
        if owner is None and status:
            owner = (status.st_uid, status.st_gid)
        changed = _content(name, folder) != data
        temporary = f'.{name[:200]}.{os.urandom(8).hex()}.tmp'
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        descriptor = os.open(temporary, flags, 0o600, dir_fd=folder)
        try:
            with open(descriptor, 'wb') as file:
                file.write(data)
                file.flush()
                if owner and owner != (os.geteuid(), os.getegid()):
                    os.fchown(descriptor, *owner)
                os.fchmod(descriptor, mode)
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            os.unlink(temporary, dir_fd=folder)
            raise
    finally:
        os.close(folder)
    return changed


def _content(name: str, folder: int) -> 'bytes | None':
    """What a file holds; None if it is no file, or cannot be read."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        return None
    with open(descriptor, 'rb') as file:
        return file.read() if stat.S_ISREG(os.fstat(descriptor).st_mode) else None


def link(path: str, target: str, owner: 'tuple[int, int] | None' = None) -> bool:
    """Make a symbolic link in place of another; tell whether that changed anything.

    :param owner: the ids of its user and group.
    """
    folder = open_folder(os.path.dirname(path))
    name = os.path.basename(path)
    try:
        try:
            changed = os.readlink(name, dir_fd=folder) != target
            if changed:
                os.unlink(name, dir_fd=folder)
        except FileNotFoundError:
            changed = True
        except OSError:  # it is no link
            raise HookError(f'{path} exists and is not a symbolic link: it is not replaced.')
        if changed:
            os.symlink(target, name, dir_fd=folder)
        if owner:
            os.chown(name, *owner, dir_fd=folder, follow_symlinks=False)
    finally:
        os.close(folder)
    return changed


def refuse_links_in(folder: str) -> None:
    """Refuse a folder in which somebody else has put links.

    :raises HookError: when there is one.
    """
    os.close(open_folder(folder, 0o755))

    def fail(error: 'Any') -> None:
        raise error

    for parent, folders, files in os.walk(folder, onerror=fail):
        for name in folders + files:
            path = os.path.join(parent, name)
            status = os.lstat(path)
            if stat.S_ISLNK(status.st_mode):
                check_link(status, path)
