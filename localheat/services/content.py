# SPDX-License-Identifier: Apache-2.0
"""What templates name: images, flavors, networks, keys."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING, Any

from localheat.errors import LocalHeatError
from localheat.network import addresses
from localheat.servers import KINDS
from localheat.servers.images import image_format
from localheat.services.session import connect
from localheat.services.state import REGION, State

if TYPE_CHECKING:
    from openstack.connection import Connection

PRIVATE, PUBLIC, ROUTER = 'private', 'public', 'router'
# A flavor of this name chooses the kind of server. vCPUs, MiB of RAM, GiB of disk.
FLAVORS = {
    **dict.fromkeys(KINDS, (1, 256, 10)),
    'qemu': (2, 512, 10),
    'm1.tiny': (1, 512, 10),
    'm1.small': (1, 1024, 10),
    'm1.medium': (2, 2048, 20),
    'm1.large': (2, 4096, 40),
    'm1.xlarge': (4, 8192, 80),
}
#: What a template's parameters can name without further ado, by kind.
DEFAULTS = {
    'flavor': 'm1.small',
    'network': PRIVATE,
    'subnet': PRIVATE + '-subnet',
    'public_network': PUBLIC,
    'router': ROUTER,
    'security_group': 'default',
    'availability_zone': 'nova',
}


class Content:
    """Makes things that templates name in a cloud whose services run.

    Each method returns the id of what there is by that name, made if it was not there.
    """

    def __init__(self, state: State):
        self._state = state

    def sdk(self, admin: bool = False) -> Connection:
        """Return a connection of the user "demo", or "admin", to all services."""
        from openstack.connection import Connection

        environment = self._state.environment('admin' if admin else 'demo')
        return Connection(
            session=connect(environment),
            region_name=REGION,
            interface='internal',
            # the newest that this client knows is not what is wanted
            compute_api_version='2.1',
        )

    def add_defaults(self) -> None:
        """Make flavors and networks, in a cloud that has none."""
        for name, (vcpus, ram, disk) in FLAVORS.items():
            self.add_flavor(name, vcpus, ram, disk)
        self.add_public_network(PUBLIC)
        demo = self.sdk()
        network = demo.network.create_network(name=PRIVATE)
        subnet = demo.network.create_subnet(
            network_id=network.id,
            name=PRIVATE + '-subnet',
            ip_version=4,
            cidr=addresses.PRIVATE,
        )
        public = demo.network.find_network(PUBLIC, ignore_missing=False)
        router = demo.network.create_router(
            name=ROUTER, external_gateway_info={'network_id': public.id}
        )
        demo.network.add_interface_to_router(router, subnet_id=subnet.id)
        # as its users would do who want to reach their servers
        group = demo.network.find_security_group('default', ignore_missing=False)
        for ethertype in ('IPv4', 'IPv6'):
            demo.network.create_security_group_rule(
                security_group_id=group.id, direction='ingress', ether_type=ethertype
            )

    def add_flavor(self, name: str, vcpus: int = 1, ram: int = 512, disk: int = 10) -> str:
        """Have a flavor.

        :param ram: in MiB
        :param disk: in GiB
        """
        compute = self.sdk(admin=True).compute
        found = compute.find_flavor(name) or compute.create_flavor(
            name=name, vcpus=vcpus, ram=ram, disk=disk
        )
        return found.id

    def add_network(self, name: str, cidr: str | None = None) -> str:
        """Have a network that all projects share, with a subnet, connected to the router.

        Beside the network "private" it is a second one, so that servers have to name theirs.

        :param cidr: by default one that no other of these networks has
        """
        network = self.sdk(admin=True).network
        found = network.find_network(name)
        if found is None:
            number = len(list(network.networks()))
            found = network.create_network(name=name, is_shared=True, provider_network_type='local')
            subnet = network.create_subnet(
                network_id=found.id,
                name=name + '-subnet',
                ip_version=4,
                cidr=cidr or f'10.65.{number}.0/24',
            )
            router = network.find_router(ROUTER, ignore_missing=False)
            network.add_interface_to_router(router, subnet_id=subnet.id)
        return found.id

    def add_public_network(self, name: str) -> str:
        """Have a network that floating IPs come from."""
        network = self.sdk(admin=True).network
        found = network.find_network(name)
        if found is None:
            public = addresses.public(self._state.number)
            found = network.create_network(
                name=name, is_router_external=True, provider_network_type='local'
            )
            network.create_subnet(
                network_id=found.id,
                name=name + '-subnet',
                ip_version=4,
                cidr=str(public),
                gateway_ip=str(public[1]),
                # the last one is this machine's
                allocation_pools=[{'start': str(public[2]), 'end': str(public[-3])}],
                is_dhcp_enabled=False,
            )
        return found.id

    def add_keypair(self, name: str, public_key: str) -> str:
        """Have a key of the user "demo"; its id is its name."""
        compute = self.sdk().compute
        found = compute.find_keypair(name) or compute.create_keypair(
            name=name, public_key=public_key
        )
        return found.id

    def add_image(self, name: str, path: str, **properties: Any) -> str:
        """Have an image, which all projects see.

        It is linked, not copied: the file must stay as it is, as long as the cloud is there.

        :param path: of a file, qcow2 or raw
        :param properties: as Glance has them, for instance ``min_disk`` or ``hw_disk_bus``
        :raises LocalHeatError: when there is no such file
        """
        from openstack.image.v2.image import Image

        check_image(name, path)
        image = self.sdk(admin=True).image
        found = image.find_image(name)
        if found is None:
            found = image._create(  # its create_image uploads
                Image,
                name=name,
                disk_format=image_format(path),
                container_format='bare',
                visibility='public',
                **properties,
            )
            self._link(found.id, os.path.abspath(path))
        return found.id

    def _link(self, image_id: str, path: str) -> None:
        """Give an image its data, as an upload would, but without a copy.

        Glance deletes the link, when the image is deleted, and never what it leads to.
        """
        link = self._state.path('glance/images', image_id)
        os.symlink(path, link)
        with contextlib.closing(sqlite3.connect(self._state.path('databases/glance.sqlite'))) as db:
            with db:
                db.execute(
                    'INSERT INTO image_locations'
                    ' (image_id, value, meta_data, status, created_at, updated_at, deleted)'
                    " VALUES (?, ?, ?, 'active', datetime(), datetime(), 0)",
                    (image_id, 'file://' + link, '{"store": "files"}'),
                )
                db.execute(
                    "UPDATE images SET status = 'active', size = ? WHERE id = ?",
                    (os.path.getsize(path), image_id),
                )


def check_image(name: str, path: str) -> None:
    """Make sure that an image's file is there.

    :raises LocalHeatError: it is not
    """
    if not os.path.isfile(path):
        raise LocalHeatError(
            f'Image {name}: there is no file {path}',
            'Build one with ./build-heat-image.sh, or name another file.',
        )
