# SPDX-License-Identifier: Apache-2.0
"""Nova's API, as far as Heat uses it."""

from typing import Any, Callable

from localheat.compute.catalog import Catalog
from localheat.compute.collection import Collection
from localheat.compute.http import ApiError, Request, Router
from localheat.compute.manager import Manager
from localheat.compute.model import Server
from localheat.compute.network import Network

ROOT = '/v2.1'
# From 2.37 on, Heat's client refuses to create a server whose template names no networks.
MICROVERSION = '2.36'
LIMITS = {
    'maxServerMeta': 128,
    'maxPersonality': 5,
    'maxPersonalitySize': 10240,
    'maxTotalInstances': 100,
    'totalInstancesUsed': 0,
}
Action = Callable[[Manager, Server, Any], Any]


def router(manager: Manager, catalog: Catalog, network: Network, keypairs: Collection) -> Router:
    """Return the API."""
    result = Router(
        lambda status, message: {
            'itemNotFound' if status == 404 else 'error': {'code': status, 'message': message}
        }
    )
    _declare_catalog(result, catalog)
    _declare_keypairs(result, keypairs)
    _declare_servers(result, manager)
    _declare_interfaces(result, manager, network)
    return result


def _declare_catalog(router: Router, catalog: Catalog) -> None:
    @router.route('GET', '')
    @router.route('GET', ROOT)
    def version(request: Request):
        link = {'rel': 'self', 'href': request.base + ROOT + '/'}
        return 200, {
            'version': {
                'id': 'v2.1',
                'status': 'CURRENT',
                'version': MICROVERSION,
                'min_version': '2.1',
                'links': [link],
            }
        }

    @router.route('GET', ROOT + '/flavors')
    @router.route('GET', ROOT + '/flavors/detail')
    def flavors(request: Request):
        return 200, {'flavors': catalog.flavors()}

    @router.route('GET', ROOT + '/flavors/{}')
    def flavor(request: Request, name: str):
        return 200, {'flavor': catalog.flavor(name)}

    @router.route('GET', ROOT + '/limits')
    def limits(request: Request):
        return 200, {'limits': {'rate': [], 'absolute': LIMITS}}

    @router.route('GET', ROOT + '/os-availability-zone')
    def zones(request: Request):
        zone = {'zoneName': 'nova', 'zoneState': {'available': True}, 'hosts': None}
        return 200, {'availabilityZoneInfo': [zone]}


def _declare_keypairs(router: Router, keypairs: Collection) -> None:
    @router.route('GET', ROOT + '/os-keypairs')
    def index(request: Request):
        return 200, {'keypairs': [{'keypair': item} for item in keypairs.select()]}

    @router.route('POST', ROOT + '/os-keypairs')
    def create(request: Request):
        wanted = request.body['keypair']
        if not wanted.get('public_key'):
            raise ApiError(400, 'Key pairs are not generated here: give a public_key.')
        # a key pair's name is its id
        return 201, {'keypair': keypairs.add(request.project, **wanted, id=wanted['name'])}

    @router.route('GET', ROOT + '/os-keypairs/{}')
    def show(request: Request, name: str):
        return 200, {'keypair': keypairs.get(name)}

    @router.route('DELETE', ROOT + '/os-keypairs/{}')
    def delete(request: Request, name: str):
        keypairs.remove(name)
        return 204, None


def _declare_servers(router: Router, manager: Manager) -> None:
    @router.route('GET', ROOT + '/servers')
    @router.route('GET', ROOT + '/servers/detail')
    def index(request: Request):
        servers = list(manager.servers.values())
        return 200, {'servers': [manager.show(server) for server in servers]}

    @router.route('POST', ROOT + '/servers')
    def create(request: Request):
        server = manager.create(request.project, request.body['server'])
        return 202, {
            'server': {
                'id': server.id,
                'links': [],
                'adminPass': server.admin_password,
                'OS-DCF:diskConfig': 'MANUAL',
                'security_groups': [{'name': 'default'}],
            }
        }

    @router.route('GET', ROOT + '/servers/{}')
    def show(request: Request, server_id: str):
        if server_id not in manager.servers and server_id not in manager.deleted:
            # OS::Heat::DeployedServer stands for a machine that is no server of Nova's, but Heat
            # asks Nova whether it is there before it waits for what is done at its deletion.
            return 200, {'server': _foreign(server_id)}
        return 200, {'server': manager.show(manager.get(server_id))}

    @router.route('PUT', ROOT + '/servers/{}')
    def rename(request: Request, server_id: str):
        server = manager.get(server_id)
        server.name = request.body['server']['name']
        return 200, {'server': manager.show(server)}

    @router.route('DELETE', ROOT + '/servers/{}')
    def delete(request: Request, server_id: str):
        manager.delete(manager.get(server_id))
        return 204, None

    @router.route('POST', ROOT + '/servers/{}/metadata')
    def set_metadata(request: Request, server_id: str):
        server = manager.get(server_id)
        server.metadata.update(request.body['metadata'])
        return 200, {'metadata': server.metadata}

    @router.route('DELETE', ROOT + '/servers/{}/metadata/{}')
    def delete_metadata(request: Request, server_id: str, key: str):
        manager.get(server_id).metadata.pop(key, None)
        return 204, None

    @router.route('GET', ROOT + '/servers/{}/tags')
    def tags(request: Request, server_id: str):
        return 200, {'tags': manager.get(server_id).tags}

    @router.route('PUT', ROOT + '/servers/{}/tags')
    def set_tags(request: Request, server_id: str):
        manager.get(server_id).tags = request.body['tags']
        return 200, {'tags': request.body['tags']}

    @router.route('POST', ROOT + '/servers/{}/action')
    def action(request: Request, server_id: str):
        ((name, arguments),) = request.body.items()
        if name not in ACTIONS:
            raise ApiError(400, f'There is no action {name}.')
        body = ACTIONS[name](manager, manager.get(server_id), arguments or {})
        return 202 if body is None else 200, body


def _foreign(server_id: str) -> dict[str, Any]:
    return {
        'id': server_id,
        'name': server_id,
        'status': 'ACTIVE',
        'metadata': {},
        'addresses': {},
        'links': [],
    }


def _rebuild(manager: Manager, server: Server, arguments: Any) -> Any:
    server.metadata = arguments.get('metadata') or server.metadata
    manager.rebuild(server, arguments['imageRef'], arguments.get('user_data'))
    return {'server': manager.show(server)}


# "powerCut" is this stand-in's own: Nova shuts a server down when it stops it.
ACTIONS: dict[str, Action] = {
    'os-start': lambda manager, server, _: manager.start(server),
    'os-stop': lambda manager, server, _: manager.stop(server),
    'powerCut': lambda manager, server, _: manager.stop(server, hard=True),
    'reboot': lambda manager, server, arguments: manager.reboot(
        server, hard=arguments['type'] == 'HARD'
    ),
    'suspend': lambda manager, server, _: manager.suspend(server, 'SUSPENDED'),
    'pause': lambda manager, server, _: manager.suspend(server, 'PAUSED'),
    'resume': lambda manager, server, _: manager.resume(server),
    'unpause': lambda manager, server, _: manager.resume(server),
    'rebuild': _rebuild,
    'resize': lambda manager, server, arguments: manager.resize(server, arguments['flavorRef']),
    'confirmResize': lambda manager, server, _: server.become('ACTIVE'),
    'changePassword': lambda manager, server, _: None,
    'os-getConsoleOutput': lambda manager, server, arguments: {
        'output': manager.console(server, int(arguments.get('length') or 100))
    },
}


def _declare_interfaces(router: Router, manager: Manager, network: Network) -> None:
    path = ROOT + '/servers/{}/os-interface'

    @router.route('GET', path)
    def index(request: Request, server_id: str):
        ports = network.ports.select(device_id=manager.get(server_id).id)
        return 200, {'interfaceAttachments': [_interface(port) for port in ports]}

    @router.route('POST', path)
    def attach(request: Request, server_id: str):
        wanted = request.body['interfaceAttachment']
        port = network.attach(
            manager.get(server_id).id, wanted.get('net_id'), wanted.get('port_id')
        )
        return 200, {'interfaceAttachment': _interface(port)}

    @router.route('DELETE', path + '/{}')
    def detach(request: Request, server_id: str, port_id: str):
        network.detach(manager.get(server_id).id, port_id)
        return 202, None


def _interface(port: dict[str, Any]) -> dict[str, Any]:
    return {
        'port_id': port['id'],
        'net_id': port['network_id'],
        'port_state': port['status'],
        'mac_addr': port['mac_address'],
        'fixed_ips': port['fixed_ips'],
    }
