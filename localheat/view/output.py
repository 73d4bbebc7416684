# SPDX-License-Identifier: Apache-2.0
"""What deployments and servers print while they work, as far as this machine sees it."""

import os
import re
from typing import Any, Optional

from heatclient import exc

from localheat import files
from localheat.view.model import Item, Snapshot

LOGS = 'var/log/heat-config'
#: What a terminal would take for something else than text.
CONTROL = re.compile(r'\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]')


class Output:
    """The logs of servers, where this machine has them: a chroot's files, and consoles.

    :param heat: a client of Heat
    :param folder: that holds a folder for each server, by its id
    """

    def __init__(self, heat: Any, folder: str):
        self._heat = heat
        self._folder = folder
        self._deployments: dict[str, tuple[str, str]] = {}

    def add_lines(self, snapshot: Snapshot) -> None:
        """Tell of each deployment that is in progress what it printed last."""
        for item in snapshot.unfinished():
            if item.is_deployment and item.identifier:
                item.line = self.last_line(item)

    def last_line(self, item: Item) -> str:
        """Return the last line that a deployment printed; empty while there is none."""
        server, config = self._of(item)
        if not server:
            return ''
        log = os.path.join(self._folder, server, 'upper', LOGS, config + '.log')
        if os.path.exists(log):
            return _last(files.tail(log, 5, 8192))
        if os.path.isdir(os.path.join(self._folder, server, 'upper')):
            # the quick kind: its agent has not come so far
            return ''
        return _last(self.console(server, 5))

    def console(self, server: str, lines: int = 40) -> str:
        """Return the end of a server's console."""
        text = files.tail(os.path.join(self._folder, server, 'console.log'), lines)
        return CONTROL.sub('', text)

    def forget(self) -> None:
        """Ask again for what deployments deploy: an update changes it."""
        self._deployments.clear()

    def _of(self, item: Item) -> tuple[str, str]:
        """Return the ids of a deployment's server and of the config that it deploys now."""
        key = f'{item.identifier} {item.action}'
        if key not in self._deployments:
            found = self.deployment(item.identifier)
            if found is None:
                return '', ''
            self._deployments[key] = (found.server_id, found.config_id)
        return self._deployments[key]

    def deployment(self, identifier: str) -> Optional[Any]:
        """Return a deployment as Heat has it, None when it has none."""
        try:
            return self._heat.software_deployments.get(identifier)
        except exc.HTTPException:
            return None


def _last(text: str) -> str:
    lines = [line.strip() for line in CONTROL.sub('', text).splitlines() if line.strip()]
    return lines[-1] if lines else ''
