# SPDX-License-Identifier: Apache-2.0
"""What a template needs of a cloud: images, services, and the kind of servers."""

import re
from collections.abc import Iterator
from typing import Optional

from localheat.check import hooks, networks
from localheat.check.subject import Subject
from localheat.check.user_data import rendered
from localheat.errors import LocalHeatError
from localheat.template import Resource, kinds

IMAGE, KEY = 'heat-agent', 'try-template'
#: What is there for parameters that name something, by kind.
DEFAULTS = {
    kinds.IMAGE: IMAGE,
    kinds.FLAVOR: 'm1.small',
    kinds.KEY: KEY,
    kinds.NETWORK: 'private',
    kinds.PUBLIC_NETWORK: 'public',
    kinds.SUBNET: 'private-subnet',
    kinds.SECURITY_GROUP: 'default',
    kinds.ZONE: 'nova',
}
#: Services that are started only where something needs them: by types of resources, and by what
#: deployments and servers are told by.
SERVICES = {
    'cinder': (r'^(OS::Cinder::|AWS::EC2::Volume)', ()),
    'swift': (r'^(OS::Swift::|AWS::S3::)', ('TEMP_URL_SIGNAL', 'POLL_TEMP_URL')),
    'zaqar': (r'^OS::Zaqar::', ('ZAQAR_SIGNAL', 'ZAQAR_MESSAGE')),
}
TRANSPORTS = ('signal_transport', 'software_config_transport')
#: Resource types whose services are here.
SERVED = re.compile(
    r'^(OS::(Heat|Nova|Glance|Cinder|Swift|Zaqar)::'
    r'|AWS::(EC2|S3|AutoScaling|CloudFormation|IAM)::'
    r'|OS::Neutron::(Net|Subnet|SubnetPool|Port|Trunk|Segment|Router|RouterInterface|RouterGateway'
    r'|ExtraRoute|ExtraRouteSet|FloatingIP|FloatingIPAssociation|FloatingIPPortForward'
    r'|SecurityGroup|SecurityGroupRule|AddressScope|QoS\w*|Quota|RBACPolicy|NetworkGateway'
    r'|ProviderNet)$)'
)
#: In user data, what takes a booted system.
BOOTED = re.compile(
    r'(?m)^\s*-?\s*(?:power_state|bootcmd|disk_setup|fs_setup|mounts|growpart|swap|snap)\s*:'
    r'|\bsystemctl\s+(?:enable|start|restart|daemon-reload|--now)|\bservice\s+\S+\s+(?:re)?start\b'
    r'|\b(?:reboot|shutdown)\b'
)


def services(subject: Subject) -> list[str]:
    """Return the further services that a template takes."""
    wanted = set()
    for resource in subject.stack.walk():
        for name, (types, transports) in SERVICES.items():
            if re.match(types, resource.type) or any(
                resource.properties.get(key) in transports for key in TRANSPORTS
            ):
                wanted.add(name)
        if any(
            item and item.get('volume_size') or item and item.get('volume_id')
            for key in ('block_device_mapping', 'block_device_mapping_v2')
            for item in resource.properties.get(key) or []
        ):
            wanted.add('cinder')
    return sorted(wanted)


def refuse_unserved(subject: Subject) -> None:
    """Make sure that every resource's service is here.

    :raises LocalHeatError: one is not; the message names the resource
    """
    for resource in subject.stack.walk():
        if resource.nested is None and not SERVED.match(resource.type):
            raise LocalHeatError(
                f'{resource.file}: {resource.path}: {resource.type} is of a service that is not '
                'here.',
                'To try the template without it, give an environment (-e) with\n'
                f'resource_registry: {{"{resource.type}": "OS::Heat::None"}}',
            )


def without_networks(subject: Subject) -> bool:
    """Whether a server names no network, which is only taken by an older Nova."""
    return any(networks.without(server) for server in subject.servers())


def pristine_images(subject: Subject) -> set[str]:
    """Return the names of images that are to have no agent, for they get it at boot."""
    return {
        str(server.properties.get('image'))
        for server in subject.servers()
        if hooks.boot_config(server) is not None
    }


def why_boot(subject: Subject) -> Optional[str]:
    """Return why a template takes servers that boot, None where a chroot does."""
    for server in subject.servers():
        if hooks.boot_config(server) is not None:
            continue
        found = BOOTED.search(rendered(server))
        if found:
            return f'the user data of {server.path} hold "{found.group().strip()}"'
    return None


def uses(subject: Subject) -> Iterator[kinds.Use]:
    """Return each thing that has to be in the cloud, once."""
    seen = set()
    for use in kinds.uses(subject.stack):
        if (use.kind, use.name) not in seen:
            seen.add((use.kind, use.name))
            yield use


def servers(subject: Subject) -> list[Resource]:
    return list(subject.servers())
