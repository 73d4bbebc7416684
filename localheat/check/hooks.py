# SPDX-License-Identifier: Apache-2.0
"""Groups without a hook on the server."""

import difflib
import functools
import importlib.util
import os
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Optional

from localheat.check.finding import Finding
from localheat.check.subject import Deployment, Subject
from localheat.template import Resource

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ELEMENTS = os.path.join(ROOT, 'elements')
PREFIX = 'heat-config-'
#: Of the image without any option.
STANDARD = frozenset({'script'})
#: The agent itself does what these say.
BUILT_IN = frozenset({'os-apply-config', 'Heat::Ungrouped', 'component', ''})
INSTALL_CONFIG_AGENT = 'install_config_agent.yaml'
INSTALL_HOOK = 'install_hook.yaml'


@functools.cache
def known() -> frozenset[str]:
    """Return the names of all hooks that this project has."""
    return frozenset(
        name[len(PREFIX) :] for name in os.listdir(ELEMENTS) if name.startswith(PREFIX)
    )


@functools.cache
def module(name: str) -> Optional[ModuleType]:
    """Return a hook's module, or one of the library that hooks share, loaded from its file."""
    library = os.path.join(ELEMENTS, 'heat-config', 'install.d')
    for path in (
        os.path.join(ELEMENTS, PREFIX + name, 'install.d', f'hook-{name}.py'),
        os.path.join(library, name + '.py'),
    ):
        if os.path.exists(path):
            if library not in sys.path:
                # it lies beside the hooks where they are installed
                sys.path.append(library)
            spec = importlib.util.spec_from_file_location(name.replace('-', '_'), path)
            assert spec is not None
            loaded = importlib.util.module_from_spec(spec)
            sys.modules.setdefault(loaded.__name__, loaded)
            assert spec.loader is not None
            spec.loader.exec_module(loaded)
            return loaded
    return None


def groups(subject: Subject) -> frozenset[str]:
    """Return the groups that a template's deployments need hooks for."""
    return frozenset(config.group for config in subject.deployed()) - BUILT_IN


def without_hook(subject: Subject) -> Iterator[Finding]:
    for deployment in subject.deployments:
        for config in deployment.configs:
            if config.group in BUILT_IN:
                continue
            if config.group not in known():
                close = difflib.get_close_matches(config.group, known(), 1)
                hint = f'Did you mean {close[0]}?' if close else 'Build an image that has it.'
                yield Finding.of(
                    config.resource,
                    subject.hooks is None or config.group not in subject.hooks,
                    f'There is no hook for the group {config.group}.',
                    hint,
                )
            else:
                yield from _lacking(subject, deployment, config.group)


def _lacking(subject: Subject, deployment: Deployment, group: str) -> Iterator[Finding]:
    """Tell of a hook that neither the image nor anything in the template brings."""
    if group in STANDARD or group in _installed(subject):
        return
    for server in deployment.servers():
        agent = boot_config(server)
        if agent is not None:
            if group not in (agent.properties.get('hooks') or []):
                yield Finding.of(
                    deployment.resource,
                    True,
                    f'{server.name} gets its agent at boot, without the hook {group}.',
                    f'Add {group} to the property hooks of {agent.name}.',
                )
            return
    if subject.hooks is not None and group not in subject.hooks:
        yield Finding.of(
            deployment.resource,
            True,
            f'The image has no hook for the group {group}.',
            f'Build it with --hook {group}.',
        )


def _installed(subject: Subject) -> set[str]:
    """Return the hooks that deployments of the template itself install."""
    return {
        str(resource.properties.get('hook'))
        for resource in subject.stack.walk()
        if resource.nested and os.path.basename(resource.nested.file) == INSTALL_HOOK
    }


def boot_config(server: Resource) -> Optional[Resource]:
    """Return the resource by which a server gets the agent at its first boot."""
    return next(
        (
            resource
            for resource in user_data_parts(server)
            if resource.nested and os.path.basename(resource.nested.file) == INSTALL_CONFIG_AGENT
        ),
        None,
    )


def user_data_parts(server: Resource) -> Iterator[Resource]:
    """Return the resources that a server's user data are made of, those of their parts too."""
    waiting, seen = [server.written.get('user_data')], set()
    while waiting:
        for name in references(waiting.pop()):
            found = server.stack.find(name)
            if found is not None and found.path not in seen:
                seen.add(found.path)
                yield found
                waiting.append(found.written.get('parts'))


def references(value: object) -> Iterator[str]:
    """Return the names of the resources that a piece of a template refers to."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in ('get_resource', 'Ref') and isinstance(item, str):
                yield item
            elif key in ('get_attr', 'Fn::GetAtt') and isinstance(item, list) and item:
                yield str(item[0])
            else:
                yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)
