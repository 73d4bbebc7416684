# SPDX-License-Identifier: Apache-2.0
"""Signals that are awaited and never come, or come and nobody waits for them."""

from collections.abc import Iterator

from localheat.check import hooks
from localheat.check.finding import Finding
from localheat.check.subject import Deployment, Subject
from localheat.template import Resource

#: Seconds that Keystone takes a signed URL by default.
VALID = 900
#: Groups that the agent never signals.
SILENT = ('os-apply-config', 'Heat::Ungrouped')
NONE = 'NO_SIGNAL'
SIGNED = ('CFN_SIGNAL', 'AUTO', '')
#: Of those that each hook can have.
TIMEOUT = 'timeout'


def waited_for_and_never_sent(subject: Subject) -> Iterator[Finding]:
    for deployment in subject.deployments:
        silent = next((item.group for item in deployment.configs if item.group in SILENT), None)
        if silent and deployment.transport != NONE:
            yield Finding.of(
                deployment.resource,
                True,
                f'Heat waits for a signal, and the agent sends none for the group {silent}.',
                f'Set signal_transport: {NONE}'
                + ('.' if silent != SILENT[1] else ', or give the config a group such as script.'),
            )


def not_waited_for(subject: Subject) -> Iterator[Finding]:
    for deployment in subject.deployments:
        if deployment.transport != NONE:
            continue
        waiting = [
            resource
            for resource in deployment.resource.stack.resources.values()
            if deployment.resource.name in _waits_for(resource)
        ]
        for resource in waiting:
            if not _is_applied(deployment) and not _in_order(deployment.resource, resource):
                yield Finding.of(
                    resource,
                    False,
                    f'It waits for {deployment.resource.name}, which counts as complete before it '
                    'has run, as it sends no signal.',
                    f'Give {deployment.resource.name} another signal_transport.',
                )


def _is_applied(deployment: Deployment) -> bool:
    """Whether its data are written before any hook runs, in whatever order Heat sends them."""
    return bool(deployment.configs) and all(
        config.group == 'os-apply-config' for config in deployment.configs
    )


def _in_order(first: Resource, second: Resource) -> bool:
    """Whether a server carries out one deployment after another because of their names."""
    names = [str(item.properties.get('name') or '') for item in (first, second)]
    servers = {item.properties.get('server') for item in (first, second)}
    return len(servers) == 1 and all(names) and names[0] < names[1]


def _waits_for(resource: Resource) -> set[str]:
    depends = resource.definition.get('depends_on') or resource.definition.get('DependsOn') or []
    return {
        *([depends] if isinstance(depends, str) else depends),
        *hooks.references(dict(resource.written)),
    }


def expired(subject: Subject) -> Iterator[Finding]:
    for deployment in subject.deployments:
        if deployment.transport not in SIGNED:
            continue
        for config in deployment.configs:
            for name, seconds in config.options.items():
                if name.endswith(TIMEOUT) and _number(seconds) > VALID:
                    yield Finding.of(
                        deployment.resource,
                        False,
                        f'Its option {name} allows {_number(seconds):g} s, and the signed URL by '
                        f'which it is signalled is valid for {VALID} s.',
                        'Set signal_transport: HEAT_SIGNAL.',
                    )


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return 0
