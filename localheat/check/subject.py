# SPDX-License-Identifier: Apache-2.0
"""What is checked: a template, with the deployments in it and what they deploy."""

import dataclasses
import functools
import re
from collections.abc import Iterator
from typing import Any, Optional

from localheat.template import Resource, Source, Stack

DEPLOYMENT = re.compile(r'^OS::Heat::(Software|Structured)Deployment(s|Group)?$')
CONFIG = re.compile(r'^OS::Heat::(SoftwareConfig|StructuredConfig|SoftwareComponent)$')
COMPONENT = 'OS::Heat::SoftwareComponent'
DEFAULT_GROUP = 'Heat::Ungrouped'


@dataclasses.dataclass(frozen=True, eq=False)
class Config:
    """What a hook gets; each tool of a component has one."""

    resource: Resource
    group: str
    content: Any

    @property
    def text(self) -> str:
        return self.content if isinstance(self.content, str) else ''

    def listed(self, name: str) -> list[dict[str, Any]]:
        """Return its inputs or its outputs."""
        return [item for item in self.resource.properties.get(name) or [] if item]

    @property
    def options(self) -> dict[str, Any]:
        return self.resource.properties.get('options') or {}


@dataclasses.dataclass(frozen=True, eq=False)
class Deployment:
    """A deployment, or a group of them.

    :param configs: what it deploys; empty where that is not known
    """

    resource: Resource
    configs: list[Config]

    @property
    def transport(self) -> str:
        """How it is signalled; empty where that is not known."""
        return self.resource.properties.get('signal_transport') or ''

    @property
    def input_values(self) -> dict[str, Any]:
        return self.resource.properties.get('input_values') or {}

    def servers(self) -> Iterator[Resource]:
        """Return its servers, as far as they are known."""
        value = self.resource.properties.get('server')
        values = [value] if value else (self.resource.properties.get('servers') or {}).values()
        for item in values:
            found = self.resource.stack.find(item) if isinstance(item, str) else None
            if found:
                yield found


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """A template under review.

    :param hooks: of the image that servers will have, where they are known
    :param unknown: names of the parameters that have no real value
    """

    source: Source
    stack: Stack
    hooks: Optional[frozenset[str]] = None
    unknown: frozenset[str] = frozenset()

    @functools.cached_property
    def deployments(self) -> list[Deployment]:
        return [
            Deployment(resource, configs(resource.referred('config')))
            for resource in self.stack.walk()
            if DEPLOYMENT.match(resource.type)
        ]

    def deployed(self) -> Iterator[Config]:
        """Return each config that something deploys, once."""
        seen = set()
        for deployment in self.deployments:
            for config in deployment.configs:
                key = (config.resource, config.group)
                if key not in seen:
                    seen.add(key)
                    yield config

    def servers(self) -> Iterator[Resource]:
        for resource in self.stack.walk():
            if resource.type == 'OS::Nova::Server':
                yield resource


def configs(resource: Optional[Resource]) -> list[Config]:
    """Return what a resource with a config holds."""
    if resource is None or not CONFIG.match(resource.type):
        return []
    if resource.type == COMPONENT:
        return [
            Config(resource, item.get('tool') or '', item.get('config'))
            for item in resource.properties.get('configs') or []
        ]
    group = resource.properties.get('group') or DEFAULT_GROUP
    return [Config(resource, group, resource.properties.get('config'))]
