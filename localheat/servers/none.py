# SPDX-License-Identifier: Apache-2.0
"""A machine that is none: for templates whose servers need not boot."""

import threading

from localheat.servers.base import Machine, Spec


class NoMachine(Machine):
    """It has power and a console, and does nothing."""

    def __init__(self, spec: Spec):
        super().__init__(spec)
        self._on = False
        self._ended = threading.Event()

    @property
    def running(self) -> bool:
        return self._on

    def start(self) -> None:
        self._on = True
        with open(self.console_path, 'a') as stream:
            stream.write(f'{self.spec.name} is of the kind "none": it does nothing.\n')

    def wait(self) -> None:
        self._ended.wait()

    def _power_off(self, patience: float) -> None:
        self._on = False
        self._ended.set()

    def _suspend(self) -> None:
        pass

    def _resume(self) -> None:
        pass
