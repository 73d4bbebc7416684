# SPDX-License-Identifier: Apache-2.0
"""What the agent says, and the deployments' logs; neither ever holds a credential."""

import os
import select
import sys

from heat_files import make_folder
from heat_mask import Mask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable

LOGS = (
    os.environ.get('HEAT_CONFIG_LOGS')
    or os.environ.get('HEAT_SCRIPT_LOGS')
    or '/var/log/heat-config'
)
LOG_LIMIT = 10 * 1024 * 1024  # bytes, then one older log is kept
LINE_LIMIT = 8192  # bytes of a line that are held back until it ends
PIPE_BUF = 4096  # bytes that a pipe takes at once, if it takes any


class Journal:
    """The agent's stderr, which the system's journal reads.

    Where nobody reads it, what is said is lost, and the work goes on.
    """

    def __init__(self) -> None:
        self._lost = 0

    def write(self, data: bytes) -> None:
        """Pass on what there is to say."""
        if self._lost and self._is_ready(0):
            mark = f'heat-config: [... {self._lost} bytes were read by nobody ...]\n'
            self._lost = 0
            data = mark.encode('ascii') + data
        while data and not self._lost:
            if not self._is_ready(1):
                self._lost = len(data)
                return
            try:
                data = data[os.write(sys.stderr.fileno(), data[:PIPE_BUF]) :]
            except OSError:
                return  # whoever listened is gone
        self._lost += len(data)

    def _is_ready(self, seconds: float) -> bool:
        try:
            return bool(select.select([], [sys.stderr], [], seconds)[1])
        except (OSError, ValueError):
            return True  # it is closed, which writing tells


JOURNAL = Journal()
SECRETS: 'set[str]' = set()


def keep_secret(values: 'Iterable[str]') -> None:
    """Take these out of whatever is logged from now on."""
    SECRETS.update(values)


def say(message: str) -> None:
    """Log to stderr, which the agent passes on to the journal."""
    line = f'heat-config: {message}\n'.encode('utf-8', 'backslashreplace')
    mask = Mask(SECRETS)
    JOURNAL.write(mask.write(line) + mask.close())


def show(text: str) -> None:
    """Print a line, with escapes for what the locale, or no encoding at all, has (\\ud800)."""
    data = (text + '\n').encode(sys.stdout.encoding or 'ascii', 'backslashreplace')
    sys.stdout.flush()
    sys.stdout.buffer.write(data)


class LiveLog:
    """A hook's output as it comes: to the journal, and to a file of its own.

    :param path: the file.
    :param name: the deployment's name, for the journal.
    """

    def __init__(self, path: str, name: str) -> None:
        self._prefix = f'heat-config: {name}: '.encode('utf-8', 'backslashreplace')
        self._mask = Mask(SECRETS)
        self._path = path
        self._line = b''
        self._file: Any = None

    def __enter__(self) -> 'LiveLog':
        try:
            make_folder(os.path.dirname(self._path))
            self._open()
        except OSError as error:
            self._close(error)
        return self

    def _open(self) -> None:
        descriptor = os.open(
            self._path,
            os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK,
            0o600,
        )
        self._file = open(descriptor, 'ab', buffering=0)

    def _close(self, error: 'OSError | None' = None) -> None:
        """Go on without the file: no log is no reason to fail a deployment."""
        if error:
            say(f'no log in {self._path}: {error.strerror}')
        if self._file:
            self._file.close()
            self._file = None

    def write(self, data: bytes) -> None:
        """Take in a piece of output."""
        self._write(self._mask.write(data))

    def _write(self, data: bytes) -> None:
        lines = (self._line + data).splitlines(True)
        self._line = b''
        if lines and not lines[-1].endswith(b'\n') and len(lines[-1]) < LINE_LIMIT:
            self._line = lines.pop()
        self._write_lines(lines)

    def _write_lines(self, lines: 'list[bytes]') -> None:
        JOURNAL.write(b''.join(self._prefix + line.rstrip(b'\r\n') + b'\n' for line in lines))
        try:
            if self._file and lines:
                self._file.write(b''.join(lines))
                if self._file.tell() > LOG_LIMIT:
                    self._close()
                    os.replace(self._path, self._path + '.1')
                    self._open()
        except OSError as error:
            self._close(error)

    def __exit__(self, *exception: 'Any') -> None:
        self._write(self._mask.close())
        if self._line:
            self._write_lines([self._line])
        self._close()
