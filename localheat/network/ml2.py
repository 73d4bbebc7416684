# SPDX-License-Identifier: Apache-2.0
"""A mechanism driver of Neutron's ML2 plug-in: binds each port at once, and has packets flow.

Without an agent that reports a port's wiring, ports would stay DOWN and unbound, and Nova refuses a
server whose port's binding failed.
"""

import threading
import traceback
from typing import Any, Optional

from neutron_lib import constants, context
from neutron_lib.api.definitions import portbindings
from neutron_lib.callbacks import events, registry, resources
from neutron_lib.plugins import constants as plugins
from neutron_lib.plugins import directory
from neutron_lib.plugins.ml2 import api
from oslo_config import cfg

from localheat.network.fabric import Fabric, Lease, Plan, Subnet

OPTIONS = [
    cfg.StrOpt('folder', help='Where networks are noted; without it no packets flow.'),
    cfg.IntOpt('number', help="The cloud's number, which decides its floating IPs."),
]
WATCHED = (
    resources.NETWORK,
    resources.SUBNET,
    resources.PORT,
    resources.ROUTER,
    resources.ROUTER_INTERFACE,
    resources.FLOATING_IP,
)


class MechanismDriver(api.MechanismDriver):  # type: ignore[misc]
    """Binds ports to the first segment of their network."""

    def initialize(self) -> None:
        cfg.CONF.register_opts(OPTIONS, group='localheat')
        options = cfg.CONF.localheat
        self._fabric = Fabric(options.folder, options.number) if options.folder else None
        self._lock = threading.Lock()
        self._changed = threading.Event()
        if self._fabric:
            self._fabric.apply({})
            for resource in WATCHED:
                for event in (events.AFTER_CREATE, events.AFTER_UPDATE, events.AFTER_DELETE):
                    registry.subscribe(self._notice, resource, event)
            threading.Thread(target=self._follow, daemon=True).start()

    @property
    def connectivity(self) -> str:
        return str(portbindings.CONNECTIVITY_L2)

    def bind_port(self, context: api.PortContext) -> None:
        segment = context.segments_to_bind[0]
        details = {
            portbindings.CAP_PORT_FILTER: True,
            portbindings.VIF_DETAILS_CONNECTIVITY: self.connectivity,
        }
        # the machine is connected as soon as Nova knows of this
        self._apply(context.current)
        # "ovs" is what network_data.json says in most clouds
        context.set_binding(
            segment[api.ID],
            portbindings.VIF_TYPE_OVS,
            details,
            status=constants.PORT_STATUS_ACTIVE,
        )

    def _notice(self, resource: str, event: str, trigger: Any, payload: Any = None) -> None:
        self._changed.set()

    def _follow(self) -> None:
        """Have networks follow what is changed."""
        while True:
            self._changed.wait()
            # more may come at once
            self._changed.clear()
            try:
                self._apply()
            except Exception:
                traceback.print_exc()

    def _apply(self, port: 'Optional[dict[str, Any]]' = None) -> None:
        """Have networks be as Neutron has them.

        :param port: one that is a server's only when this is done
        """
        if self._fabric:
            with self._lock:
                self._fabric.apply(_plans(port))


def _plans(port: 'Optional[dict[str, Any]]') -> 'dict[str, Plan]':
    """Return what the networks that have servers are to be, and those that are joined to them."""
    admin = context.get_admin_context()
    plugin, router = directory.get_plugin(), directory.get_plugin(plugins.L3)
    ports = plugin.get_ports(admin)
    if port:
        ports = [item for item in ports if item['id'] != port['id']] + [port]
    networks: dict[str, list[dict[str, Any]]] = {}
    for item in ports:
        networks.setdefault(item['network_id'], []).append(item)
    joined = _joined(ports)
    used = {
        item['network_id']
        for item in ports
        if item['device_owner'].startswith(constants.DEVICE_OWNER_COMPUTE_PREFIX)
    }
    used |= {neighbour for network in used for neighbour in joined.get(network, ())}
    subnets: dict[str, list[dict[str, Any]]] = {}
    for subnet in plugin.get_subnets(admin, filters={'network_id': list(used), 'ip_version': [4]}):
        subnets.setdefault(subnet['network_id'], []).append(subnet)
    floating = {
        item['floating_ip_address']: (item['port_id'], item['fixed_ip_address'])
        for item in router.get_floatingips(admin)
        if item['port_id']
    }
    plans = {}
    for network in used:
        mine = networks[network]
        identifiers = {item['id'] for item in mine}
        plans[network] = Plan(
            network,
            tuple(_subnet(subnet, mine) for subnet in subnets.get(network, ())),
            frozenset(
                (outer, inner) for outer, (owner, inner) in floating.items() if owner in identifiers
            ),
            frozenset(
                Lease(item['mac_address'], fixed['ip_address'], fixed['subnet_id'])
                for item in mine
                for fixed in item['fixed_ips'][:1]
                if item['device_owner'].startswith(constants.DEVICE_OWNER_COMPUTE_PREFIX)
            ),
            frozenset(joined.get(network, ())),
        )
    return plans


def _joined(ports: 'list[dict[str, Any]]') -> 'dict[str, set[str]]':
    """Return by network the others that a router joins with it."""
    routers: dict[str, set[str]] = {}
    for port in ports:
        if port['device_owner'] == constants.DEVICE_OWNER_ROUTER_INTF:
            routers.setdefault(port['device_id'], set()).add(port['network_id'])
    found: dict[str, set[str]] = {}
    for networks in routers.values():
        for network in networks:
            found.setdefault(network, set()).update(networks - {network})
    return found


def _subnet(subnet: 'dict[str, Any]', ports: 'list[dict[str, Any]]') -> Subnet:
    # a router's interface can have another address than the gateway's
    gateways = {
        fixed['ip_address']
        for port in ports
        if port['device_owner'] == constants.DEVICE_OWNER_ROUTER_INTF
        for fixed in port['fixed_ips']
        if fixed['subnet_id'] == subnet['id']
    }
    if subnet['gateway_ip']:
        gateways.add(subnet['gateway_ip'])
    return Subnet(
        subnet['id'],
        subnet['cidr'],
        tuple(sorted(gateways)),
        subnet['enable_dhcp'],
        subnet['gateway_ip'],
        tuple(subnet['dns_nameservers']),
        tuple((route['destination'], route['nexthop']) for route in subnet['host_routes']),
    )
