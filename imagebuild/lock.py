# SPDX-License-Identifier: Apache-2.0
"""A folder for one build at a time."""

import contextlib
import fcntl
import pathlib
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def locked(folder: pathlib.Path, say: Callable[[str], None], remedy: str) -> Iterator[None]:
    """Make a folder, and have it for oneself; say so if that means to wait.

    :param remedy: what to do for not having to wait.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / 'heat-image.lock').open('a') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f'waiting for another build, which uses {folder} ({remedy})')
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
