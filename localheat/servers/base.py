# SPDX-License-Identifier: Apache-2.0
"""What every kind of machine can do."""

import abc
import dataclasses
import os
import shutil

from localheat import files


@dataclasses.dataclass(frozen=True)
class Spec:
    """What a machine is made from.

    :param directory: the machine's own folder, which holds all that it writes
    :param image: path of a qcow2 or raw file, which is never written to
    :param user_data: as the server gets it, not encoded
    :param config_drive: path of an ISO 9660 file
    :param ram: in MiB
    """

    name: str
    directory: str
    image: str
    config_drive: str
    user_data: bytes
    address: str
    mac: str
    vcpus: int = 1
    ram: int = 512

    def path(self, name: str) -> str:
        return os.path.join(self.directory, name)


class Machine(abc.ABC):
    """A machine that boots an image; it is killed when the process that started it ends.

    It has a network in which this machine's loopback is 10.0.2.2. All methods return when what
    they do is done; the boot itself goes on after ``start``.
    """

    def __init__(self, spec: Spec):
        self.spec = spec

    @property
    @abc.abstractmethod
    def running(self) -> bool:
        """Whether it has power."""

    @abc.abstractmethod
    def start(self) -> None:
        """Boot it, with the disk that it had.

        :raises LocalHeatError: when this machine lacks what it takes
        """

    @abc.abstractmethod
    def power_off(self, hard: bool = False) -> None:
        """Shut it down, or cut its power. One that does not run is left alone."""

    @abc.abstractmethod
    def suspend(self) -> None:
        """Stop it from running, as it is."""

    @abc.abstractmethod
    def resume(self) -> None:
        """Let it run on."""

    @abc.abstractmethod
    def wipe(self) -> None:
        """Throw its disk away; with the next start it boots the image anew."""

    @property
    def console_path(self) -> str:
        return self.spec.path('console.log')

    def console(self, lines: int = 100) -> str:
        """Return the end of what its console showed, over all boots."""
        return files.tail(self.console_path, lines)

    def destroy(self) -> None:
        """Cut its power and remove its folder."""
        self.power_off(hard=True)
        shutil.rmtree(self.spec.directory, ignore_errors=True)
