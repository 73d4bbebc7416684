# SPDX-License-Identifier: Apache-2.0
"""What every kind of machine can do."""

import abc
import dataclasses
import os
import platform
from typing import ClassVar, Optional

from localheat.errors import LocalHeatError


@dataclasses.dataclass(frozen=True)
class Card:
    """A network card.

    :param port: id of its port
    :param network: id of its network
    :param addresses: with the length of their prefix, for instance "10.0.0.5/24"
    :param routes: destinations and next hops
    """

    port: str
    network: str
    mac: str
    addresses: 'tuple[str, ...]' = ()
    gateway: Optional[str] = None
    dns: 'tuple[str, ...]' = ()
    routes: 'tuple[tuple[str, str], ...]' = ()
    mtu: int = 1500


@dataclasses.dataclass(frozen=True)
class Spec:
    """What a machine is made from.

    :param directory: the machine's own folder, which holds all that it writes
    :param image: path of a qcow2 or raw file, which is never written to
    :param user_data: as the server gets it, not encoded
    :param keys: public keys of SSH
    :param ram: in MiB
    :param arch: whose programs the image holds, as the kernel names it
    :param networks: a folder of localheat.network; without, it has a network for itself alone
    """

    #: an ISO 9660 file in the folder
    CONFIG_DRIVE: ClassVar[str] = 'config.iso'

    name: str
    directory: str
    image: str
    user_data: bytes
    keys: 'tuple[str, ...]' = ()
    cards: 'tuple[Card, ...]' = ()
    networks: str = ''
    vcpus: int = 1
    ram: int = 512
    arch: str = platform.machine()

    def path(self, name: str) -> str:
        return os.path.join(self.directory, name)


class Machine(abc.ABC):
    """One boot of an image; it is killed when the process that started it ends.

    It reaches this machine's loopback at localheat.network.addresses.HOST. All methods return when
    what they do is done; the boot itself goes on after ``start``.
    """

    #: What it takes: packages by the programs that they provide; blanks separate alternatives.
    PROGRAMS: 'ClassVar[dict[str, str]]' = {}

    TAKES_ROOT: 'ClassVar[bool]' = False

    def __init__(self, spec: Spec):
        self.spec = spec
        #: Whether somebody has ended it; it can have ended by itself, too.
        self.stopped = False
        self.suspended = False

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
    def wait(self) -> None:
        """Return when it has ended."""

    def power_off(self, patience: float = 0) -> None:
        """Shut it down, or cut its power. One that does not run is left alone.

        :param patience: seconds that it has to shut down; none: its power is cut
        """
        self.stopped = True
        self._power_off(0 if self.suspended else patience)

    @abc.abstractmethod
    def _power_off(self, patience: float) -> None:
        pass

    def suspend(self) -> None:
        """Stop it from running, as it is."""
        self._suspend()
        self.suspended = True

    @abc.abstractmethod
    def _suspend(self) -> None:
        pass

    def resume(self) -> None:
        """Let it run on."""
        self._resume()
        self.suspended = False

    @abc.abstractmethod
    def _resume(self) -> None:
        pass

    def snapshot(self) -> 'tuple[str, str]':
        """Return an image made of its disk: a new file's path and its format.

        :raises LocalHeatError: when this kind of machine has no disk
        """
        raise LocalHeatError('There is no disk to make an image of.')

    @property
    def console_path(self) -> str:
        return self.spec.path(CONSOLE)


CONSOLE = 'console.log'
# of a console's end; as much as Nova asks for
CONSOLE_BYTES = 1 << 20


def console(directory: str) -> bytes:
    """Return the end of what a machine's console showed, over all boots.

    :param directory: the machine's folder
    """
    try:
        with open(os.path.join(directory, CONSOLE), 'rb') as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - CONSOLE_BYTES))
            return stream.read()
    except FileNotFoundError:
        return b''
