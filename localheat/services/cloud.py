# SPDX-License-Identifier: Apache-2.0
"""A cloud on one machine."""

import contextlib
import importlib.util
import os
import time
from collections.abc import Mapping, Sequence
from typing import IO, Any, Optional

from localheat import network, servers
from localheat.errors import LocalHeatError
from localheat.process import require
from localheat.services import accounts, config, databases
from localheat.services.cache import Cache, versions
from localheat.services.content import Content, check_image
from localheat.services.service import Service, launch
from localheat.services.state import State

# The order in which they start; each waits for another only when it asks it something.
ALWAYS = ('keystone', 'nova', 'neutron', 'heat', 'glance')
# what a service's databases are filled by
FIRST = ('keystone', 'nova', 'neutron')


def check_new(directory: str, images: Mapping[str, str]) -> None:
    """Tell whether a cloud can be made of these; needs none of the services.

    :raises LocalHeatError: when it cannot; with what to do
    """
    if os.path.isdir(directory) and os.listdir(directory):
        raise LocalHeatError(f'{directory} is not empty.', 'Name another folder.')
    for name, path in images.items():
        check_image(name, path)


class Cloud(Content):
    """A cloud whose state is one folder; stopped and started again, it goes on.

    As a context manager it starts, and on leaving stops, all services.

    :param directory: the folder
    :param bound: stop the services when this process ends, however that happens
    :raises LocalHeatError: when the folder holds no complete cloud
    """

    def __init__(self, directory: str, bound: bool = True):
        self.state = State.load(os.path.abspath(directory))
        if not self.state.complete:
            raise LocalHeatError(
                f'{directory} holds a cloud that was interrupted while it was made.',
                'Remove the folder and start anew.',
            )
        super().__init__(self.state)
        self._bound = bound
        self._lifelines: list[IO[bytes]] = []
        self._images: Mapping[str, str] = {}
        self.services = _services(self.state, (*ALWAYS, *self.state.services))

    @classmethod
    def create(
        cls,
        directory: str,
        images: Optional[Mapping[str, str]] = None,
        cache: Optional[str] = None,
        kind: str = 'qemu',
        services: Sequence[str] = (),
        servers_without_networks: bool = True,
        bound: bool = True,
        debug: bool = False,
    ) -> 'Cloud':
        """Make a new cloud.

        :param directory: a folder that does not exist or is empty
        :param images: files by name; the cloud has them once it has been started
        :param cache: a folder in which what every new cloud needs is kept
        :param kind: of machine, for flavors that do not choose one by their name
        :param services: some of "cinder", "swift" and "zaqar"
        :param servers_without_networks: have Heat take servers that name no network, as Nova did
            before 2.37; what is newer cannot be had then
        :param debug: more in the services' logs
        :raises LocalHeatError: when something is missing; with what to do
        """
        directory = os.path.abspath(directory)
        images = {name: os.path.abspath(path) for name, path in (images or {}).items()}
        check_new(directory, images)
        versions()
        servers.check(kind)
        for name in services:
            _check_service(name)
        os.makedirs(directory, mode=0o700, exist_ok=True)
        state = State.new(
            directory,
            services=list(services),
            kind=kind,
            servers_without_networks=servers_without_networks,
            debug=debug,
            **_network(kind),
        )
        state.save()
        if cache:
            Cache(cache, _fill).fill(state)
        else:
            _fill(state)
        state.complete = True
        state.save()
        cloud = cls(directory, bound)
        cloud._images = images
        return cloud

    def __enter__(self) -> 'Cloud':
        self.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()

    @property
    def environment(self) -> dict[str, str]:
        """What OpenStack's clients need to use this cloud."""
        return self.state.environment()

    @property
    def admin_environment(self) -> dict[str, str]:
        """What OpenStack's clients need to administer this cloud."""
        return self.state.environment('admin')

    def start(self, patience: float = 300) -> None:
        """Start the services that do not run, and wait until all answer.

        :param patience: seconds after which it is given up
        :raises LocalHeatError: when a service does not come up; with the end of its log
        """
        deadline = time.monotonic() + patience
        try:
            self._launch(deadline)
            accounts.publish(self.state, self.state.services)
            images, self._images = self._images, {}
            for name, path in images.items():
                self.add_image(name, path)
        except BaseException:
            self.stop()
            raise

    def _launch(self, deadline: float) -> None:
        idle = [service for service in self.services.values() if not service.running]
        if idle:
            lifeline = launch(self.state, idle, self._bound)
            if lifeline:
                self._lifelines.append(lifeline)
        for service in self.services.values():
            service.wait_ready(deadline)

    def enable(self, name: str) -> None:
        """Give the cloud a further service: "cinder", "swift" or "zaqar".

        :raises LocalHeatError: when it is not installed or does not come up
        """
        if name in self.services:
            return
        _check_service(name)
        self.state.services.append(name)
        self.state.save()
        self.services.update(_services(self.state, [name]))
        self.start()

    def stop(self) -> None:
        """Stop all services, and with them the servers."""
        for service in reversed(list(self.services.values())):
            service.stop()
        for lifeline in self._lifelines:
            lifeline.close()
        self._lifelines.clear()


def _network(kind: str) -> dict[str, Any]:
    """Choose the network of a cloud whose servers are of a kind.

    Without root there is none between servers; where nothing boots, its programs can be missing.
    """
    if os.geteuid() != 0 or (kind == 'none' and network.missing()):
        return {'network': False}
    return {'network': True, 'number': network.free_number()}


def _check_service(name: str) -> None:
    """Make sure that an optional service can be had."""
    if name not in accounts.OPTIONAL:
        raise LocalHeatError(
            f'There is no service {name}.', f'There are: {", ".join(accounts.OPTIONAL)}.'
        )
    if importlib.util.find_spec(name) is None:
        raise LocalHeatError(
            f'{name} is not installed.',
            'pip install -r localheat/requirements-extra.txt -c localheat/constraints.txt',
        )
    if name == 'zaqar':
        require('redis-server', 'redis-server')


def _services(state: State, names: Sequence[str]) -> dict[str, Service]:
    """Return services by name."""
    urls = {
        'keystone': [state.url('keystone') + '/v3'],
        'nova': [state.url('placement') + '/', state.url('nova') + '/'],
        'neutron': [state.url('neutron') + '/'],
        'heat': [state.url('heat') + '/', state.url('heat-cfn') + '/healthcheck'],
        'glance': [state.url('glance') + '/'],
        'cinder': [state.url('cinder') + '/'],
        'swift': [state.url('swift') + '/healthcheck'],
        'zaqar': [state.url('zaqar') + '/v2/ping'],
    }
    return {name: Service(state, name, urls[name]) for name in names}


def _fill(state: State) -> None:
    """Write the configuration and make databases with all that a new cloud has."""
    config.write(state)
    databases.make(state)
    services = _services(state, FIRST)
    deadline = time.monotonic() + 300
    try:
        with contextlib.ExitStack() as stack:
            for names in (FIRST[:1], FIRST[1:]):
                lifeline = launch(state, [services[name] for name in names], True)
                stack.enter_context(lifeline)
                for name in names:
                    services[name].wait_ready(deadline)
                if 'keystone' in names:
                    accounts.populate(state)
            Content(state).add_defaults()
    finally:
        for service in services.values():
            service.stop()
