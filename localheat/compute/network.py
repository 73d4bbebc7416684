# SPDX-License-Identifier: Apache-2.0
"""Neutron: networks, ports and addresses, of which servers really get the first one."""

import random
from typing import Any, Callable, Optional

from localheat.compute.catalog import identifier
from localheat.compute.collection import Collection
from localheat.compute.config import ComputeConfig
from localheat.compute.http import ApiError, Request, Router
from localheat.servers.network import ADDRESSES, CIDR, GATEWAY

DEFAULT = 'private'
EXTENSIONS = (
    'security-group',
    'router',
    'external-net',
    'port-security',
    'subnet_allocation',
    'dns-integration',
    'qos',
    'trunk',
    'allowed-address-pairs',
    'binding',
)


class Network:
    """Neutron's resources.

    :param config: says whether a network of any name is there
    :param changed: called after every change
    """

    def __init__(self, config: ComputeConfig, changed: Callable[[], None]):
        self._any_name = config.any_name
        self.networks = Collection('network', 'networks', _complete_network, changed)
        self.subnets = Collection('subnet', 'subnets', _complete_subnet, changed)
        self.ports = Collection('port', 'ports', self._complete_port, changed)
        self.routers = Collection('router', 'routers', _complete_router, changed)
        self.floating_ips = Collection('floatingip', 'floatingips', None, changed)
        self.groups = Collection('security_group', 'security_groups', _complete_group, changed)
        self.rules = Collection('security_group_rule', 'security_group_rules', None, changed)
        self.collections = (
            self.networks,
            self.subnets,
            self.ports,
            self.routers,
            self.floating_ips,
            self.groups,
            self.rules,
        )

    def prepare(self) -> None:
        """Make what every project has from the start, unless it is there."""
        if not self.networks.items:
            self.network(DEFAULT, make=True)
            self.groups.add(id=identifier('security-group', 'default'), name='default')

    def network(self, name_or_id: str, make: bool = False) -> dict[str, Any]:
        """Return a network by its name or id.

        :raises ApiError: 404 when there is none
        """
        for network in self.networks.select():
            if name_or_id in (network['id'], network['name']):
                return network
        if not make:
            return self.networks.get(name_or_id)
        network = self.networks.add(id=identifier('network', name_or_id), name=name_or_id)
        self.subnets.add(network_id=network['id'], name=name_or_id, cidr=CIDR)
        return network

    def attach(self, server: str, network: Optional[str], port: Optional[str]) -> dict[str, Any]:
        """Give a server a port: one that is there, or else a new one in a network."""
        if port:
            return self.ports.change(port, device_id=server)
        network_id = self.network(network or DEFAULT)['id']
        return self.ports.add(network_id=network_id, device_id=server, device_owner='compute:nova')

    def detach(self, server: str, port: Optional[str] = None) -> None:
        """Take its ports, or one, from a server; those that were made for it are deleted."""
        for item in self.ports.select(device_id=server):
            if port not in (None, item['id']):
                continue
            if item['device_owner'] == 'compute:nova':
                self.ports.remove(item['id'])
            else:
                self.ports.change(item['id'], device_id='')

    def addresses(self, server: str) -> dict[str, list[dict[str, Any]]]:
        """Return a server's addresses by network name, as Nova shows them."""
        result: dict[str, list[dict[str, Any]]] = {}
        for port in self.ports.select(device_id=server):
            for fixed in port['fixed_ips']:
                result.setdefault(self.network(port['network_id'])['name'], []).append(
                    {
                        'addr': fixed['ip_address'],
                        'version': 4,
                        'OS-EXT-IPS:type': 'fixed',
                        'OS-EXT-IPS-MAC:mac_addr': port['mac_address'],
                    }
                )
        return result

    def _complete_port(self, port: dict[str, Any]) -> None:
        taken = {
            fixed['ip_address']
            for other in self.ports.items.values()
            for fixed in other['fixed_ips']
        }
        free = next((address for address in ADDRESSES if address not in taken), None)
        if free is None:
            raise ApiError(409, f'All addresses of {CIDR} are taken.')
        subnets = self.subnets.select(network_id=port['network_id'])
        fixed = dict((port.get('fixed_ips') or [{}])[0])
        fixed.setdefault('ip_address', free)
        fixed.setdefault('subnet_id', subnets[0]['id'] if subnets else None)
        tail = ':'.join(f'{random.randrange(256):02x}' for _ in range(3))
        _default(
            port,
            mac_address='fa:16:3e:' + tail,
            device_id='',
            device_owner='',
            status='ACTIVE',
            admin_state_up=True,
            security_groups=[],
            allowed_address_pairs=[],
        )
        port['fixed_ips'] = [fixed]

    def router(self) -> Router:
        """Return the API."""
        router = Router(
            lambda status, message: {
                'NeutronError': {'type': f'Error{status}', 'message': message, 'detail': ''}
            }
        )

        @router.route('GET', '/v2.0/extensions')
        def extensions(request: Request):
            return 200, {'extensions': [{'alias': name, 'name': name} for name in EXTENSIONS]}

        @router.route('GET', '/v2.0/networks')
        def networks(request: Request):
            name = request.query.get('name')
            if name and self._any_name:
                self.network(name, make=True)
            return 200, {'networks': self.networks.select(**request.query)}

        @router.route('PUT', '/v2.0/routers/{}/add_router_interface')
        @router.route('PUT', '/v2.0/routers/{}/remove_router_interface')
        def interface(request: Request, identifier: str):
            return 200, dict(request.body, id=self.routers.get(identifier)['id'])

        for collection in self.collections:
            collection.serve(router, '/v2.0/' + collection.plural.replace('_', '-'))
        return router


def _default(item: dict[str, Any], **fields: Any) -> None:
    for key, value in fields.items():
        item.setdefault(key, value)


def _complete_network(network: dict[str, Any]) -> None:
    _default(network, status='ACTIVE', admin_state_up=True, shared=False, mtu=1500, subnets=[])


def _complete_subnet(subnet: dict[str, Any]) -> None:
    _default(
        subnet,
        cidr=CIDR,
        ip_version=4,
        gateway_ip=GATEWAY,
        enable_dhcp=True,
        dns_nameservers=[],
        host_routes=[],
        allocation_pools=[],
    )


def _complete_router(router: dict[str, Any]) -> None:
    _default(router, status='ACTIVE', admin_state_up=True, external_gateway_info=None)


def _complete_group(group: dict[str, Any]) -> None:
    _default(group, description='', security_group_rules=[])
