# SPDX-License-Identifier: Apache-2.0
"""Servers: their consoles, and their power."""

import time
from collections.abc import Mapping
from typing import Any

from keystoneauth1 import exceptions

from localheat.errors import LocalHeatError
from localheat.services.session import connect


class Servers:
    """The servers of a project, by id.

    :param environment: OS_* variables
    """

    def __init__(self, environment: Mapping[str, str]):
        self._session = connect(environment)
        self._filter = {
            'service_type': 'compute',
            'interface': environment.get('OS_INTERFACE', 'public'),
        }

    def list(self) -> list[dict[str, Any]]:
        return self._get('/servers/detail')['servers']

    def show(self, server: str) -> dict[str, Any]:
        return self._get('/servers/' + server)['server']

    def console(self, server: str, lines: int = 100) -> str:
        """Return the end of a server's console; nothing while it is being made."""
        try:
            return self._act(server, 'os-getConsoleOutput', {'length': lines})['output']
        except exceptions.Conflict:
            return ''

    def start(self, server: str) -> None:
        self._act(server, 'os-start')
        self._wait(server, 'ACTIVE')

    def stop(self, server: str) -> None:
        """Shut a server down."""
        self._act(server, 'os-stop')
        self._wait(server, 'SHUTOFF')

    def reboot(self, server: str, hard: bool = False) -> None:
        """Shut a server down, or cut its power, and start it again."""
        self._act(server, 'reboot', {'type': 'HARD' if hard else 'SOFT'})
        self._wait(server, 'ACTIVE')

    def delete(self, server: str) -> None:
        """Begin to delete a server."""
        self._session.delete('/servers/' + server, endpoint_filter=self._filter)

    def _get(self, path: str) -> dict[str, Any]:
        return self._session.get(path, endpoint_filter=self._filter).json()

    def _act(self, server: str, action: str, arguments: Any = None) -> Any:
        answer = self._session.post(
            f'/servers/{server}/action', json={action: arguments}, endpoint_filter=self._filter
        )
        return answer.json() if answer.content else None

    def _wait(self, server: str, status: str, limit: float = 180) -> None:
        end = time.monotonic() + limit
        while True:
            shown = self.show(server)
            if shown['status'] == status and not shown['OS-EXT-STS:task_state']:
                return
            if shown['status'] == 'ERROR':
                raise LocalHeatError('Server {}: {}'.format(server, shown['fault']['message']))
            if time.monotonic() > end:
                raise LocalHeatError(f'Server {server} is still {shown["status"]} after {limit} s.')
            time.sleep(0.2)
