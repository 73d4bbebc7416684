# SPDX-License-Identifier: Apache-2.0
"""How a command ends: done, refused or interrupted; never with a traceback."""

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any, Optional

from imagebuild.errors import Refusal


class Interrupted(BaseException):
    """A signal asked for the end.

    :param number: the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextlib.contextmanager
def _handled_by(handler: Any) -> Iterator[None]:
    """Hand the signals by which people and systems end a command to a handler of signal(3)."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        # The commands' scripts block SIGINT, so that it waits while Python imports.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
        yield
    finally:
        for number in numbers:
            signal.signal(number, before[number])


def interruptible() -> contextlib.AbstractContextManager[None]:
    """Turn a signal that asks for the end into Interrupted."""

    def interrupt(number: int, frame: Any) -> None:
        raise Interrupted(number)

    return _handled_by(interrupt)


def uninterrupted() -> contextlib.AbstractContextManager[None]:
    """Let no signal cut a clean-up short."""
    return _handled_by(signal.SIG_IGN)


def main(run: Callable[[], Optional[int]], on_interruption: str = 'Interrupted.') -> int:
    """Run a command; return its exit status, after saying what went wrong.

    :param run: what it does; its exit status, 0 if it returns nothing.
    :param on_interruption: what is said then.
    """
    try:
        with interruptible():
            return run() or 0
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
    except Interrupted as interrupted:
        print(on_interruption, file=sys.stderr)
        return 128 + interrupted.number
    except OSError as error:  # a folder of the user's that cannot be used
        print(f'{error.filename}: {error.strerror}', file=sys.stderr)
    return 1
