# SPDX-License-Identifier: Apache-2.0
"""One service of a cloud as a process: started, waited for, stopped."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Optional

from localheat import files
from localheat.errors import LocalHeatError
from localheat.process import PidFile
from localheat.services.state import State


class Service:
    """A service that runs as a process of its own, whoever started it.

    :param name: the service's name; its log is ``<name>.log``, its PID file ``<name>.pid``
    :param module: the Python module that is run, with the state's folder as its argument
    :param urls: what answers when the service is ready
    """

    def __init__(self, state: State, name: str, module: str, urls: Sequence[str]):
        self.name = name
        self.log = state.path(name + '.log')
        self._state = state
        self._module = module
        self._urls = urls
        self._pid_file = PidFile(state.path(name + '.pid'))
        self._process: Optional[subprocess.Popen] = None

    @property
    def running(self) -> bool:
        return self._pid_file.pid() is not None

    def start(self, bound: bool) -> None:
        """Start the process, unless it runs.

        :param bound: stop it when this process ends, however that happens
        """
        if self.running:
            return
        with open(self.log, 'ab') as log:
            self._process = subprocess.Popen(
                [sys.executable, '-m', self._module, self._state.directory],
                stdin=subprocess.PIPE if bound else subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=_environment(),
            )
        self._pid_file.write(self._process.pid)

    def wait_ready(self, deadline: float) -> None:
        """Wait until the service answers.

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
        if self._process is not None:
            if self._process.stdin:
                self._process.stdin.close()
            self._process.wait()
            self._process = None

    def _fail(self, what: str) -> None:
        raise LocalHeatError(f'{self.name} {what}. The end of {self.log}:\n{files.tail(self.log)}')


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False
    return True


def _environment() -> dict:
    """Return an environment in which the process finds this package and no proxy to itself."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    environment = {
        name: value for name, value in os.environ.items() if not name.lower().endswith('_proxy')
    }
    paths = [root] + [path for path in [os.environ.get('PYTHONPATH')] if path]
    environment['PYTHONPATH'] = os.pathsep.join(paths)
    environment['PYTHONUNBUFFERED'] = '1'
    return environment
