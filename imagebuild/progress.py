# SPDX-License-Identifier: Apache-2.0
"""A build's log, as a person wants to follow it: the phase, and the time since the start."""

import re
import time
from collections.abc import Callable
from typing import Optional, TextIO

#: diskimage-builder's phases, in the words of somebody who waits for the image.
PHASES = {
    'root': 'base system',
    'extra-data': 'what the image takes from this machine',
    'pre-install': 'package sources',
    'install': 'packages, agents and hooks',
    'post-install': 'services',
    'post-root': 'services',
    'block-device': 'disk and partitions',
    'pre-finalise': 'disk and partitions',
    'finalise': 'boot loader',
    'cleanup': 'cleaning up',
}
RUNNING = re.compile(r'dib-run-parts Running \S*/([\w-]+)\.d/([\w.-]+)')
MARKS = (
    (re.compile(r'\| Calculating image size'), 'disk and partitions'),
    (re.compile(r'\| Converting image using'), 'compressing the image'),
)


def clock(seconds: float) -> str:
    """Return a duration as minutes:seconds."""
    return f'{int(seconds) // 60}:{int(seconds) % 60:02d}'


class Progress:
    """Prints a line when a phase begins; on a terminal, below it, what is running just now.

    :param stream: where to print.
    :param now: a clock in seconds.
    """

    def __init__(self, stream: TextIO, now: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._now = now
        self._start = now()
        self._terminal = stream.isatty()
        self.phase = 'start'
        self.script: Optional[str] = None

    @property
    def elapsed(self) -> float:
        return self._now() - self._start

    def say(self, text: str) -> None:
        """Print a line with the time since the start."""
        self._clear()
        print(f'[{clock(self.elapsed):>5}] {text}', file=self._stream, flush=True)

    def feed(self, line: str) -> None:
        """Take a line of diskimage-builder's log."""
        running = RUNNING.search(line)
        if running:
            self.script = running.group(2)
            self._enter(PHASES.get(running.group(1), running.group(1)))
        for mark, phase in MARKS:
            if mark.search(line):
                self.script = None
                self._enter(phase)

    def tick(self) -> None:
        """Show, on a terminal, that time passes."""
        if self._terminal:
            self._clear()
            print(
                f'[{clock(self.elapsed):>5}]   {self.script or self.phase} ...',
                end='',
                file=self._stream,
                flush=True,
            )

    def close(self) -> None:
        """Remove what tick has shown."""
        self._clear()

    def _enter(self, phase: str) -> None:
        if phase != self.phase:
            self.phase = phase
            self.say(phase)

    def _clear(self) -> None:
        if self._terminal:
            print('\r\033[K', end='', file=self._stream, flush=True)
