# SPDX-License-Identifier: Apache-2.0
"""Networks in which packets flow: what Neutron's agents would make of its rows.

Each network is a namespace with a bridge, to which its servers are connected, and which has the
addresses of its gateways. The router is one more namespace: with a leg to each network, one to this
machine, by which it reaches floating IPs, and slirp4netns as the way to everything else. So two
networks can have the same addresses, nothing of this machine's own network changes but a route to
its floating IPs, and all of it vanishes with the process that made it.
"""

import dataclasses
import ipaddress
import itertools
import os
import subprocess
from typing import Optional

from localheat import files, process
from localheat.errors import LocalHeatError
from localheat.network import addresses
from localheat.network.namespace import Namespace

BRIDGE = 'br0'
UP = 'uplink'
# of the route that keeps requests for floating IPs on this machine when their cloud has gone
UNREACHABLE = '4096'


@dataclasses.dataclass(frozen=True)
class Lease:
    """What DHCP tells a port."""

    mac: str
    address: str
    subnet: str


@dataclasses.dataclass(frozen=True)
class Subnet:
    """A subnet as a network needs it.

    :param gateways: addresses by which servers leave it
    :param dhcp: whether servers ask for their addresses
    :param routes: destinations and next hops for servers
    """

    id: str
    cidr: str
    gateways: 'tuple[str, ...]'
    dhcp: bool
    gateway: Optional[str]
    dns: 'tuple[str, ...]'
    routes: 'tuple[tuple[str, str], ...]' = ()


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a network is to be.

    :param floating: fixed addresses by the floating ones that lead to them
    :param leases: of the ports
    :param neighbours: ids of the networks that a router of Neutron's joins with it
    """

    id: str
    subnets: 'tuple[Subnet, ...]'
    floating: 'frozenset[tuple[str, str]]'
    leases: 'frozenset[Lease]'
    neighbours: 'frozenset[str]'


class Fabric:
    """The networks of a cloud.

    :param folder: where other processes find the networks; see ``namespace_of``
    :param number: the cloud's; see ``addresses.public``
    """

    def __init__(self, folder: str, number: int):
        self._folder = folder
        self._public = addresses.public(number)
        self._leg = f'localheat{number}'
        self._metric = str(100 + number)
        self._router: Optional[Namespace] = None
        self._slirp: Optional[subprocess.Popen[bytes]] = None
        self._janitor: Optional[subprocess.Popen[bytes]] = None
        self._networks: dict[str, Network] = {}
        self._links: dict[frozenset[str], None] = {}
        self._transit = addresses.TRANSIT.subnets(new_prefix=30)
        self._names = itertools.count()
        os.makedirs(folder, mode=0o700, exist_ok=True)

    def apply(self, plans: 'dict[str, Plan]') -> None:
        """Make, change and remove networks, so that there are these."""
        if not self._router:
            self._router = self._make_router()
        for identifier in set(self._networks) - set(plans):
            self._networks.pop(identifier).close()
            self._links = {key: None for key in self._links if identifier not in key}
            os.unlink(os.path.join(self._folder, identifier))
        for identifier, plan in plans.items():
            network = self._networks.get(identifier)
            if network is None:
                network = self._networks[identifier] = self._make_network(identifier)
            network.apply(plan, self._public)
        for plan in plans.values():
            for neighbour in plan.neighbours & set(plans):
                self._join(plans[neighbour], plan)

    def close(self) -> None:
        """Remove all of it."""
        for network in self._networks.values():
            network.close()
        self._networks.clear()
        if self._router:
            # at once; without it, this end vanishes some time after the other one
            process.run(['ip', 'link', 'del', self._leg], 'iproute2')
            self._router.close()
            assert self._slirp and self._janitor and self._janitor.stdin
            self._slirp.kill()
            self._slirp.wait()
            self._janitor.stdin.close()
            self._janitor.wait()
        self._router = None

    def _make_router(self) -> Namespace:
        mine, its = str(self._public[-2]), str(self._public[1])
        router = Namespace.new()
        router.forward()
        self._janitor = _reserve(str(self._public))
        self._slirp = _way_out(router)
        router.ip(
            f'route add unreachable {addresses.METADATA}',
            # or what nobody has would go out, to this machine, and come back for ever
            f'route add unreachable {self._public}',
        )
        process.run(
            ['ip', 'link', 'add', self._leg, 'type', 'veth', 'peer', 'name', 'machine']
            + ['netns', str(router.pid)],
            'iproute2',
        )
        router.ip(
            f'address add {its} peer {mine} dev machine',
            'link set machine up',
        )
        for command in (
            f'address add {mine} peer {its} dev {self._leg}',
            f'link set {self._leg} up',
            f'route add {self._public} via {its} dev {self._leg}',
            # each cloud's router leads there; this machine takes the one of the first that is left
            f'route add {addresses.HOST} via {its} dev {self._leg} metric {self._metric}',
        ):
            process.run(['ip', *command.split()], 'iproute2')
        router.nft(
            'table ip localheat {',
            '  chain prerouting { type filter hook prerouting priority -150;',
            # this machine alone: it might forward for others
            f'    iifname "machine" ip saddr != {mine} drop',
            '  }',
            '  chain postrouting { type nat hook postrouting priority 100;',
            f'    oifname "{UP}" masquerade',
            '  }',
            '}',
        )
        return router

    def _make_network(self, identifier: str) -> 'Network':
        assert self._router
        transit = next(self._transit)
        its, mine = str(transit[1]), str(transit[2])
        namespace = Namespace.new()
        namespace.forward()
        name = f'network{next(self._names)}'
        namespace.ip(
            f'link add {BRIDGE} type bridge',
            f'link set {BRIDGE} up',
            f'link add {UP} type veth peer name {name} netns {self._router.pid}',
            f'address add {mine} peer {its} dev {UP}',
            f'link set {UP} up',
            f'route add default via {its}',
            f'route add unreachable {addresses.METADATA}',
        )
        self._router.ip(f'address add {its} peer {mine} dev {name}', f'link set {name} up')
        namespace.nft(
            'table ip localheat {',
            '  map floating { type ipv4_addr : ipv4_addr; }',
            '  chain prerouting { type nat hook prerouting priority -100;',
            '    dnat to ip daddr map @floating',
            '  }',
            '  chain postrouting { type nat hook postrouting priority 100;',
            f'    oifname "{UP}" masquerade',
            # a server that asks for one of its own network by its floating IP
            f'    iifname "{BRIDGE}" oifname "{BRIDGE}" ct status dnat masquerade',
            '  }',
            '}',
        )
        files.write(os.path.join(self._folder, identifier), str(namespace.pid))
        return Network(identifier, namespace, self._router, mine, self._folder)

    def _join(self, one: Plan, other: Plan) -> None:
        """Have two networks reach each other."""
        key = frozenset((one.id, other.id))
        if key in self._links:
            return
        self._links[key] = None
        transit = next(self._transit)
        ends = ((one, other, str(transit[1])), (other, one, str(transit[2])))
        name = f'link{next(self._names)}'
        first, second = (self._networks[plan.id].namespace for plan, _, _ in ends)
        first.ip(f'link add {name} type veth peer name {name} netns {second.pid}')
        for (plan, peer, address), (_, _, far) in zip(ends, reversed(ends)):
            self._networks[plan.id].namespace.ip(
                f'address add {address} peer {far} dev {name}',
                f'link set {name} up',
                *(f'route add {subnet.cidr} via {far}' for subnet in peer.subnets),
            )


class Network:
    """One network, as it is.

    :param address: of the network's end of the link to the router
    """

    def __init__(
        self, identifier: str, namespace: Namespace, router: Namespace, address: str, folder: str
    ):
        self.namespace = namespace
        self._router = router
        self._address = address
        self._files = os.path.join(folder, identifier + '.dhcp')
        self._gateways: frozenset[str] = frozenset()
        self._floating: frozenset[tuple[str, str]] = frozenset()
        self._dhcp: Optional[subprocess.Popen[bytes]] = None
        self._told: tuple[object, object] = (None, None)

    def close(self) -> None:
        if self._dhcp:
            self._dhcp.kill()
            self._dhcp.wait()
        self._router.ip(*(f'route del {floating}' for floating, _ in self._floating))
        self.namespace.close()

    def apply(self, plan: Plan, public: ipaddress.IPv4Network) -> None:
        """Have it be as planned."""
        self._set_gateways(plan)
        self._set_floating(plan)
        self._serve_dhcp(plan)

    def _set_gateways(self, plan: Plan) -> None:
        wanted = frozenset(
            f'{gateway}/{ipaddress.ip_network(subnet.cidr).prefixlen}'
            for subnet in plan.subnets
            for gateway in subnet.gateways
        )
        self.namespace.ip(
            *(f'address del {item} dev {BRIDGE}' for item in self._gateways - wanted),
            *(f'address add {item} dev {BRIDGE}' for item in wanted - self._gateways),
        )
        self._gateways = wanted

    def _set_floating(self, plan: Plan) -> None:
        gone, new = self._floating - plan.floating, plan.floating - self._floating
        if not gone and not new:
            return
        table = 'element ip localheat floating'
        self.namespace.nft(
            *(f'delete {table} {{ {floating} }}' for floating, _ in gone),
            *(f'add {table} {{ {floating} : {fixed} }}' for floating, fixed in new),
        )
        self._router.ip(
            *(f'route del {floating}' for floating, _ in gone),
            *(f'route add {floating} via {self._address}' for floating, _ in new),
        )
        self._floating = plan.floating

    def _serve_dhcp(self, plan: Plan) -> None:
        """Have servers that ask be told their addresses; the others have them anyhow."""
        subnets = tuple(subnet for subnet in plan.subnets if subnet.dhcp)
        if not subnets or not self._gateways or not process.find('dnsmasq'):
            return
        leases = sorted(f'{lease.mac},{lease.address}' for lease in plan.leases)
        if (subnets, leases) == self._told:
            return
        hosts = self._files + '.hosts'
        files.write(hosts, '\n'.join(leases) + '\n')
        if self._told[0] == subnets and self._dhcp and self._dhcp.poll() is None:
            # it reads the file again
            self._dhcp.send_signal(1)
        else:
            if self._dhcp:
                self._dhcp.kill()
                self._dhcp.wait()
            options = []
            for subnet in subnets:
                options += _dhcp_options(subnet)
            self._dhcp = process.spawn_bound(
                ['nsenter', '--net=' + self.namespace.path, 'dnsmasq', '--keep-in-foreground']
                + [
                    '--conf-file=/dev/null',
                    '--port=0',
                    '--no-hosts',
                    '--no-resolv',
                    '--user=root',
                    '--group=root',
                ]
                + ['--interface=' + BRIDGE, '--bind-dynamic', '--leasefile-ro', '--no-ping']
                + ['--pid-file=', '--dhcp-authoritative', '--dhcp-hostsfile=' + hosts]
                + ['--log-facility=' + self._files + '.log', *options],
                'dnsmasq-base',
            )
        self._told = (subnets, leases)


def _dhcp_options(subnet: Subnet) -> 'list[str]':
    network = ipaddress.ip_network(subnet.cidr)
    tag = 's' + subnet.id.replace('-', '')
    options = [f'--dhcp-range=set:{tag},{network.network_address},static,{network.netmask},24h']
    routes = [f'{destination},{hop}' for destination, hop in subnet.routes]
    if subnet.gateway:
        options.append(f'--dhcp-option=tag:{tag},option:router,{subnet.gateway}')
        if routes:
            # who takes routes does not take the router
            routes.append(f'0.0.0.0/0,{subnet.gateway}')
    else:
        # or dnsmasq names itself
        options.append(f'--dhcp-option=tag:{tag},option:router')
    if routes:
        options.append(f'--dhcp-option=tag:{tag},option:classless-static-route,{",".join(routes)}')
    servers = subnet.dns or (addresses.DNS,)
    options.append(f'--dhcp-option=tag:{tag},option:dns-server,{",".join(servers)}')
    return options


def namespace_of(folder: str, network: str) -> Namespace:
    """Return a network's namespace, made by another process.

    :raises LocalHeatError: there is none
    """
    try:
        with open(os.path.join(folder, network)) as stream:
            return Namespace(int(stream.read()))
    except FileNotFoundError:
        raise LocalHeatError(f'The network {network} is not there.')


def connect(folder: str, network: str, port: str, process_id: int, number: int) -> None:
    """Give another namespace a leg to a network, called eth<number> there.

    :param folder: of the networks
    :param process_id: a process in that namespace
    """
    name = 'v' + port.replace('-', '')[:12]
    namespace_of(folder, network).ip(
        f'link add {name} type veth peer name eth{number} netns {process_id}',
        f'link set {name} master {BRIDGE} up',
    )


def tap(folder: str, network: str, port: str) -> int:
    """Return the file descriptor of a tap interface that is connected to a network."""
    namespace = namespace_of(folder, network)
    name = 't' + port.replace('-', '')[:12]
    descriptor = namespace.tap(name)
    namespace.ip(f'link set {name} master {BRIDGE} up')
    return descriptor


def _reserve(cidr: str) -> 'subprocess.Popen[bytes]':
    """Keep requests for floating IPs on this machine, also when the rest has gone.

    :returns: what ends that when its standard input ends, which it does with this process
    :raises LocalHeatError: when another cloud has them
    """
    route = ['unreachable', cidr, 'metric', UNREACHABLE]
    try:
        process.run(['ip', 'route', 'add', *route], 'iproute2')
    except LocalHeatError as error:
        raise LocalHeatError(
            f'The addresses {cidr} are taken: {error}',
            'If no other cloud has them: ip route del ' + ' '.join(route),
        )
    janitor = 'cat > /dev/null; exec ip route del ' + ' '.join(route)
    return subprocess.Popen(['sh', '-c', janitor], stdin=subprocess.PIPE, start_new_session=True)


def _way_out(router: Namespace) -> 'subprocess.Popen[bytes]':
    """Connect the router to this machine's loopback and to what this machine reaches.

    :returns: slirp4netns
    """
    ready, write = os.pipe()
    try:
        slirp = process.spawn_bound(
            ['slirp4netns', '--configure', '--cidr=' + addresses.UPLINK, f'--ready-fd={write}']
            + ['--netns-type=path', router.path, UP],
            'slirp4netns',
            pass_fds=[write],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(write)
        if not os.read(ready, 1):
            raise LocalHeatError('slirp4netns does not start.')
        return slirp
    finally:
        os.close(ready)
