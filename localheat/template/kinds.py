# SPDX-License-Identifier: Apache-2.0
"""Which properties of resources name something of the cloud: an image, a network and so on."""

from collections.abc import Iterator
from typing import Any, NamedTuple, Optional

from localheat.template.tree import Resource, Stack

IMAGE, FLAVOR, KEY = 'image', 'flavor', 'key'
NETWORK, PUBLIC_NETWORK, SUBNET = 'network', 'public_network', 'subnet'
SECURITY_GROUP, ZONE = 'security_group', 'availability_zone'

#: By the names of Heat's constraints.
CONSTRAINTS = {
    'glance.image': IMAGE,
    'nova.flavor': FLAVOR,
    'nova.keypair': KEY,
    'nova.network': NETWORK,
    'neutron.network': NETWORK,
    'neutron.subnet': SUBNET,
    'neutron.security_group': SECURITY_GROUP,
}
#: By the property's name, where Heat has no constraint or one that says less.
PROPERTIES = {
    'availability_zone': ZONE,
    'AvailabilityZone': ZONE,
    'AvailabilityZones': ZONE,
    'security_groups': SECURITY_GROUP,
    'SecurityGroups': SECURITY_GROUP,
    'floating_network': PUBLIC_NETWORK,
    'floating_network_id': PUBLIC_NETWORK,
    'pool': PUBLIC_NETWORK,
}
#: Properties below these ones are of a router's way out.
GATEWAYS = ('external_gateway_info',)
#: Resource types whose properties of such a name mean something else.
POOLS = ('OS::Nova::FloatingIP',)


class Use(NamedTuple):
    """A name that a property has.

    :param resource: whose property it is
    """

    kind: str
    name: str
    resource: Resource


def of_schema(schema: Any) -> Optional[str]:
    """Return the kind that the constraints of a property or a parameter tell."""
    for constraint in getattr(schema, 'constraints', None) or ():
        kind = CONSTRAINTS.get(getattr(constraint, 'name', ''))
        if kind:
            return kind
    return None


def uses(stack: Stack) -> Iterator[Use]:
    """Return all names of things that a stack takes from the cloud, as far as they are known."""
    for resource in stack.walk():
        for name, value in resource.properties.items():
            if value is None or _refers(resource, name):
                continue
            for kind, found in _names(resource, name, value):
                if not _refers_by_parent(resource, found):
                    yield Use(kind, found, resource)


def _names(resource: Resource, name: str, value: Any) -> Iterator[tuple[str, str]]:
    schema = resource.heat.properties_schema.get(name)
    return _walk(resource.type, name, schema, value, name in GATEWAYS)


def _walk(
    kind_of_resource: str, name: str, schema: Any, value: Any, gateway: bool
) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        kind = PROPERTIES.get(name) or of_schema(schema)
        if name == 'pool' and kind_of_resource not in POOLS:
            kind = None
        if gateway and name == 'network':
            kind = PUBLIC_NETWORK
        if kind and value:
            yield kind, value
    elif isinstance(value, dict):
        parts = getattr(schema, 'schema', None)
        for key, item in value.items():
            part = parts.get(key) if parts is not None else None
            if part is not None and item is not None:
                yield from _walk(kind_of_resource, key, part, item, gateway)
    elif isinstance(value, (list, tuple)):
        # a list's elements have one schema, under the key '*'
        parts = getattr(schema, 'schema', None)
        element = parts.get('*', schema) if parts is not None else schema
        for item in value:
            yield from _walk(kind_of_resource, name, element, item, gateway)


def _refers(resource: Resource, name: str) -> bool:
    """Whether a property has a reference to a resource instead of a name."""
    return _has_reference(resource.written.get(name))


def _has_reference(value: Any) -> bool:
    if isinstance(value, dict):
        return any(key in ('get_resource', 'get_attr', 'Fn::GetAtt') for key in value) or any(
            _has_reference(item) for item in value.values()
        )
    return isinstance(value, list) and any(map(_has_reference, value))


def _refers_by_parent(resource: Resource, name: str) -> bool:
    """Whether a name that a nested stack was given is that of a resource around it."""
    parent = resource.stack.parent
    return bool(parent and parent.find(name))
