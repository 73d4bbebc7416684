# SPDX-License-Identifier: Apache-2.0
"""The servers' life cycle: what a request starts and a machine carries out."""

import os
import threading
import traceback
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Optional

from localheat.compute import config_drive, vendor_data
from localheat.compute.catalog import Catalog
from localheat.compute.collection import Collection
from localheat.compute.http import ApiError, not_found
from localheat.compute.model import Server
from localheat.compute.network import Network
from localheat.errors import LocalHeatError
from localheat.servers import Machine, Spec, machine

# Nova's limit, for base64
USER_DATA_LIMIT = 65535


class Manager:
    """All servers. Requests return at once; their work is done later, one at a time per server.

    :param directory: each server has a folder of its own below it
    :param changed: called after every change of a server
    :param make_machine: makes what boots, from a kind and a Spec
    :param submit: has some work done later; by default threads do it
    """

    def __init__(
        self,
        directory: str,
        catalog: Catalog,
        network: Network,
        keypairs: Collection,
        changed: Callable[[], None],
        make_machine: Callable[[str, Spec], Machine] = machine,
        submit: Optional[Callable[[Callable[[], None]], Any]] = None,
    ):
        self.servers: dict[str, Server] = {}
        # Told apart from servers that never were; see nova.py.
        self.deleted: list[str] = []
        self._directory = directory
        self._catalog = catalog
        self._network = network
        self._keypairs = keypairs
        self._changed = changed
        self._make_machine = make_machine
        self._machines: dict[str, Machine] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._submit = submit or ThreadPoolExecutor(max_workers=16).submit
        self._closed = False

    def create(self, project: str, request: dict[str, Any]) -> Server:
        """Make and boot a server.

        :param request: the body of Nova's request
        :raises ApiError: when it names what there is not, or carries too much user data
        """
        user_data = request.get('user_data') or ''
        if len(user_data) > USER_DATA_LIMIT:
            raise ApiError(
                400,
                f'User data too large: {len(user_data)} bytes of base64, '
                f'of at most {USER_DATA_LIMIT}.',
            )
        flavor = self._catalog.flavor(request['flavorRef'])
        key_name = request.get('key_name')
        if key_name:
            self._keypairs.get(key_name)
        server = Server(
            id=str(uuid.uuid4()),
            name=request['name'],
            project=project,
            flavor=flavor['id'],
            image=self._catalog.image(request['imageRef'])['id'],
            kind=self._catalog.kind(flavor['id']),
            user_data=user_data,
            metadata=request.get('metadata') or {},
            key_name=key_name,
            admin_password=request.get('adminPass') or uuid.uuid4().hex[:12],
            tags=request.get('tags') or [],
            task='spawning',
        )
        networks = request.get('networks') or 'auto'
        for item in [{}] if isinstance(networks, str) else networks:
            self._network.attach(server.id, item.get('uuid'), item.get('port'))
        self.servers[server.id] = server
        self._later(server, self._boot)
        return server

    def get(self, server_id: str) -> Server:
        """Return a server.

        :raises ApiError: 404 when there is none
        """
        server = self.servers.get(server_id)
        if server is None:
            raise not_found('Instance', server_id)
        known = self._machines.get(server_id)
        if server.status == 'ACTIVE' and server.task is None and known and not known.running:
            # it has shut itself down
            server.become('SHUTOFF')
            self._changed()
        return server

    def show(self, server: Server) -> dict[str, Any]:
        """Return a server as Nova shows it."""
        return server.show(self._catalog.flavor(server.flavor), self._network.addresses(server.id))

    def resume_all(self) -> None:
        """Boot the servers that ran when this process ended."""
        for server in list(self.servers.values()):
            if server.task == 'deleting':
                self.delete(server)
            elif server.status in ('ACTIVE', 'BUILD', 'REBUILD', 'REBOOT', 'HARD_REBOOT'):
                self._later(server, self._boot)
            elif server.status in ('SUSPENDED', 'PAUSED'):
                # what was in its memory is lost
                server.become('SHUTOFF')

    def close(self) -> None:
        """Cut the power of all servers; what they are is kept for the next start."""
        self._closed = True
        for known in list(self._machines.values()):
            known.power_off(hard=True)

    def console(self, server: Server, lines: int) -> str:
        """Return the end of a server's console."""
        # One that is about to boot is not running yet, and is not to be made again for that.
        return (self._machines.get(server.id) or self._machine(server)).console(lines)

    def delete(self, server: Server) -> None:
        server.task = 'deleting'
        self._later(server, self._destroy)

    def stop(self, server: Server, hard: bool = False) -> None:
        server.task = 'powering-off'
        self._later(server, lambda item: self._power_off(item, hard))

    def start(self, server: Server) -> None:
        server.task = 'powering-on'
        self._later(server, self._boot)

    def reboot(self, server: Server, hard: bool) -> None:
        server.become('HARD_REBOOT' if hard else 'REBOOT', 'rebooting')

        def work(item: Server) -> None:
            self._machine(item).power_off(hard)
            self._boot(item)

        self._later(server, work)

    def suspend(self, server: Server, status: str) -> None:
        """Stop a server from running.

        :param status: SUSPENDED or PAUSED
        """
        server.task = 'suspending'

        def work(item: Server) -> None:
            self._machine(item).suspend()
            item.become(status)

        self._later(server, work)

    def resume(self, server: Server) -> None:
        server.task = 'resuming'

        def work(item: Server) -> None:
            self._machine(item).resume()
            item.become('ACTIVE')

        self._later(server, work)

    def rebuild(self, server: Server, image: str, user_data: Optional[str]) -> None:
        """Boot another image, or the same one anew."""
        server.image = self._catalog.image(image)['id']
        if user_data is not None:
            server.user_data = user_data
        server.become('REBUILD', 'rebuilding')

        def work(item: Server) -> None:
            self._machine(item).power_off(hard=True)
            self._machine(item).wipe()
            self._boot(item)

        self._later(server, work)

    def resize(self, server: Server, flavor: str) -> None:
        """Change a server's flavor and boot it again; it is to be confirmed."""
        server.old_flavor, server.flavor = server.flavor, self._catalog.flavor(flavor)['id']
        server.become('RESIZE', 'resize_prep')

        def work(item: Server) -> None:
            self._machine(item).power_off()
            self._boot(item)
            item.become('VERIFY_RESIZE')

        self._later(server, work)

    def _machine(self, server: Server) -> Machine:
        """Return a server's machine, made with what the server is now."""
        known = self._machines.get(server.id)
        if known and known.running:
            return known
        if known:
            # what is left of one that has ended by itself
            known.power_off(hard=True)
        flavor = self._catalog.flavor(server.flavor)
        instance = self._instance(server)
        directory = os.path.join(self._directory, server.id)
        spec = Spec(
            name=instance.hostname,
            directory=directory,
            image=self._catalog.image_path(server.image),
            config_drive=os.path.join(directory, 'config.iso'),
            user_data=server.raw_user_data,
            address=instance.address,
            mac=instance.mac,
            vcpus=flavor['vcpus'],
            ram=flavor['ram'],
        )
        self._machines[server.id] = self._make_machine(server.kind, spec)
        return self._machines[server.id]

    def _instance(self, server: Server) -> config_drive.Instance:
        port = self._network.ports.select(device_id=server.id)[0]
        keys = {}
        if server.key_name:
            keys[server.key_name] = self._keypairs.get(server.key_name)['public_key']
        return config_drive.Instance(
            id=server.id,
            name=server.name,
            project=server.project,
            address=port['fixed_ips'][0]['ip_address'],
            mac=port['mac_address'],
            network=port['network_id'],
            metadata=server.metadata,
            keys=keys,
            admin_password=server.admin_password,
            user_data=server.raw_user_data or None,
            vendor_data=vendor_data.document(),
        )

    def _boot(self, server: Server) -> None:
        known = self._machine(server)
        os.makedirs(known.spec.directory, mode=0o700, exist_ok=True)
        config_drive.write(self._instance(server), known.spec.config_drive)
        known.start()
        server.become('ACTIVE')

    def _power_off(self, server: Server, hard: bool) -> None:
        self._machine(server).power_off(hard)
        server.become('SHUTOFF')

    def _destroy(self, server: Server) -> None:
        self._machine(server).destroy()
        self._network.detach(server.id)
        self._machines.pop(server.id, None)
        self.deleted.append(server.id)
        del self.servers[server.id]

    def _later(self, server: Server, work: Callable[[Server], None]) -> None:
        """Have a thread do some work on a server; what fails puts it into ERROR."""
        self._changed()
        lock = self._locks.setdefault(server.id, threading.Lock())

        def guarded() -> None:
            with lock:
                if self._closed or server.id not in self.servers:
                    return
                try:
                    work(server)
                except Exception as error:
                    if not isinstance(error, (LocalHeatError, ApiError)):
                        traceback.print_exc()
                    server.fault = {'code': 500, 'message': str(error)}
                    server.become('ERROR')
                self._changed()

        self._submit(guarded)
