# SPDX-License-Identifier: Apache-2.0
"""One service of a cloud, as a process: waited for, and stopped."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Sequence
from typing import IO, Optional

from localheat import files
from localheat.errors import LocalHeatError
from localheat.process import PidFile
from localheat.services.state import State


class Service:
    """A service that runs as a process of its own, whoever started it.

    :param name: the service's name, and its module's; its log is ``<name>.log``
    :param urls: what answers when the service is ready
    """

    def __init__(self, state: State, name: str, urls: Sequence[str]):
        self.name = name
        self.log = state.path(name + '.log')
        self._urls = urls
        self._pid_file = PidFile(state.path(name + '.pid'))

    @property
    def pid(self) -> Optional[int]:
        """The process, None when it does not run."""
        return self._pid_file.pid()

    @property
    def running(self) -> bool:
        return self.pid is not None

    def wait_ready(self, deadline: float) -> None:
        """Wait until the service, which has been started, answers.

        :param deadline: of time.monotonic()
        :raises LocalHeatError: when it ends or is not ready in time
        """
        for url in self._urls:
            while not _answers(url):
                if not self.running:
                    self._fail('ended while it started')
                if time.monotonic() > deadline:
                    self._fail('did not answer in time')
                time.sleep(0.05)

    def stop(self, patience: float = 20) -> None:
        """Stop the process; a service that does not run is left alone.

        :param patience: seconds until it is killed
        """
        self._pid_file.end(patience)

    def _fail(self, what: str) -> None:
        raise LocalHeatError(f'{self.name} {what}. The end of {self.log}:\n{files.tail(self.log)}')


def launch(state: State, services: Iterable[Service], bound: bool) -> Optional[IO[bytes]]:
    """Start services, as processes that have one in common; see ``localheat.services.__main__``.

    :param bound: stop them when this process ends, however that happens
    :returns: their lifeline, if they are bound: they stop when it is closed
    :raises LocalHeatError: when they cannot be started
    """
    path = state.path('services.log')
    with open(path, 'ab') as log:
        launcher = subprocess.Popen(
            [
                sys.executable,
                '-m',
                'localheat.services',
                state.directory,
                *(service.name for service in services),
            ],
            stdin=subprocess.PIPE if bound else subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=_environment(),
        )
    if launcher.wait():
        raise LocalHeatError(f'The services do not start. The end of {path}:\n{files.tail(path)}')
    return launcher.stdin


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False
    return True


def _environment() -> dict[str, str]:
    """Return an environment in which the process finds this package and no proxy to itself."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    environment = {
        name: value for name, value in os.environ.items() if not name.lower().endswith('_proxy')
    }
    paths = [root] + [path for path in [os.environ.get('PYTHONPATH')] if path]
    environment['PYTHONPATH'] = os.pathsep.join(paths)
    environment['PYTHONUNBUFFERED'] = '1'
    return environment
