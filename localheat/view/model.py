# SPDX-License-Identifier: Apache-2.0
"""A stack at an instant: its resources, those of nested stacks too, and its deployments."""

import dataclasses
import re
import time
from collections.abc import Callable
from typing import Any, Optional

from heatclient import exc

DEPTH = 5
DEPLOYMENT = re.compile(r'^OS::Heat::(Software|Structured)Deployment$')
SERVER = re.compile(r'^(OS::Nova::Server|AWS::EC2::Instance|OS::Heat::DeployedServer)$')
#: Of Heat's statuses the second half.
PROGRESS, COMPLETE, FAILED, INITIAL = 'IN_PROGRESS', 'COMPLETE', 'FAILED', 'INIT'


@dataclasses.dataclass
class Item:
    """A resource.

    :param path: its name, after those of the resources that nested stacks are made by
    :param identifier: of what it stands for: a server's id, a deployment's id
    :param status: as Heat has it, such as CREATE_IN_PROGRESS
    :param reason: why, where Heat says so
    :param seconds: how long it has been in progress, or was; None where that was not seen
    :param line: what it printed last, of a deployment
    """

    path: str
    type: str
    identifier: str
    status: str
    reason: str
    seconds: Optional[float] = None
    line: str = ''

    @property
    def action(self) -> str:
        return self.status.split('_', 1)[0]

    @property
    def state(self) -> str:
        """The status without the action."""
        return self.status.split('_', 1)[-1]

    @property
    def is_deployment(self) -> bool:
        return bool(DEPLOYMENT.match(self.type))

    @property
    def is_server(self) -> bool:
        return bool(SERVER.match(self.type))


@dataclasses.dataclass
class Snapshot:
    """A stack and all that is in it.

    :param status: as Heat has it; empty when the stack is gone
    """

    name: str
    status: str
    reason: str
    items: list[Item]

    @property
    def state(self) -> str:
        return self.status.split('_', 1)[-1]

    def failed(self) -> list[Item]:
        return [item for item in self.items if item.state == FAILED]

    def unfinished(self) -> list[Item]:
        return [item for item in self.items if item.state == PROGRESS]


class Watch:
    """Asks Heat again and again, and remembers since when things are as they are.

    :param heat: a client of Heat
    :param stack: name or id
    :param now: a clock in seconds
    """

    def __init__(self, heat: Any, stack: str, now: 'Callable[[], float]' = time.monotonic):
        self._heat = heat
        self._stack = self._name = stack
        self._now = now
        self._since: dict[str, tuple[str, float]] = {}
        self._took: dict[str, float] = {}

    def look(self) -> Snapshot:
        """Return how things are."""
        try:
            stack = self._heat.stacks.get(self._stack, resolve_outputs=False)
            resources = self._heat.resources.list(stack.id, nested_depth=DEPTH)
        except exc.HTTPNotFound:
            return Snapshot(self._name, '', '', [])
        # by its id, for its name is free as soon as it is deleted
        self._stack, self._name = stack.id, stack.stack_name
        items = [
            Item(
                path,
                resource.resource_type,
                resource.physical_resource_id or '',
                resource.resource_status,
                resource.resource_status_reason or '',
            )
            for path, resource in _paths(stack.id, resources)
        ]
        for item in items:
            item.seconds = self._time(item)
        if stack.stack_status == 'DELETE_COMPLETE':
            return Snapshot(stack.stack_name, '', '', items)
        return Snapshot(
            stack.stack_name, stack.stack_status, stack.stack_status_reason or '', items
        )

    def _time(self, item: Item) -> Optional[float]:
        """Return how long something has been in progress, or was when it last ended."""
        now = self._now()
        status, since = self._since.get(item.path, ('', now))
        if status != item.status:
            if status.endswith(PROGRESS):
                self._took[item.path] = now - since
            elif not item.status.endswith(PROGRESS):
                self._took.pop(item.path, None)
            since = now
            self._since[item.path] = (item.status, now)
        if item.state == PROGRESS:
            return now - since
        return self._took.get(item.path)


def _paths(root: str, resources: list[Any]) -> list[tuple[str, Any]]:
    """Return resources with their paths, the parents first."""
    # a nested stack's id is what the resource stands for that made it
    makers = {item.physical_resource_id: item for item in resources if item.physical_resource_id}

    def path(resource: Any) -> str:
        names = [resource.resource_name]
        seen = set()
        while True:
            stack = _stack_id(resource)
            if stack == root or stack not in makers or stack in seen:
                return '.'.join(reversed(names))
            seen.add(stack)
            resource = makers[stack]
            names.append(resource.resource_name)

    return sorted((path(item), item) for item in resources)


def _stack_id(resource: Any) -> str:
    for link in resource.links:
        if link['rel'] == 'stack':
            return str(link['href']).rstrip('/').rpartition('/')[2]
    return ''
