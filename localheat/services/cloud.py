# SPDX-License-Identifier: Apache-2.0
"""A cloud on one machine: Keystone, Heat, and the stand-in for the other services."""

import os
import time
from typing import Optional

from localheat.compute.config import ComputeConfig
from localheat.errors import LocalHeatError
from localheat.services import config, setup
from localheat.services.service import Service
from localheat.services.state import State


class Cloud:
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
        self._bound = bound
        self.services = _services(self.state)

    @classmethod
    def create(
        cls,
        directory: str,
        compute: Optional[ComputeConfig] = None,
        cache: Optional[str] = None,
        bound: bool = True,
        debug: bool = False,
        patience: float = 300,
    ) -> 'Cloud':
        """Make a new cloud.

        :param directory: a folder that does not exist or is empty
        :param compute: the images that its servers can have; without, it has no images
        :param cache: a folder in which what every new cloud needs is kept
        :param debug: more in the services' logs
        :param patience: seconds for Keystone to start
        """
        directory = os.path.abspath(directory)
        if os.path.isdir(directory) and os.listdir(directory):
            raise LocalHeatError(f'{directory} is not empty.', 'Name another folder.')
        compute = compute or ComputeConfig()
        compute.check()
        setup.versions()
        os.makedirs(directory, mode=0o700, exist_ok=True)
        state = State.new(directory)
        store = setup.Cache(cache) if cache else None
        cached = store is not None and store.load(state)
        config.write(state, debug)
        compute.save(directory)
        state.save()
        services = _services(state)
        if not cached:
            setup.make_databases(state)
            keystone = services['keystone']
            try:
                keystone.start(bound)
                keystone.wait_ready(time.monotonic() + patience)
                setup.populate(state)
            except BaseException:
                keystone.stop()
                raise
        state.complete = True
        state.save()
        if store and not cached:
            store.fill(state)
        cloud = cls(directory, bound)
        # Keystone may run already, bound to the life of these objects
        cloud.services = services
        return cloud

    def __enter__(self) -> 'Cloud':
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    @property
    def environment(self) -> dict[str, str]:
        """What OpenStack's clients need to use this cloud."""
        return self.state.environment()

    def start(self, patience: float = 300) -> None:
        """Start the services that do not run, and wait until all answer.

        :param patience: seconds after which it is given up
        :raises LocalHeatError: when a service does not come up; with the end of its log
        """
        deadline = time.monotonic() + patience
        try:
            for service in self.services.values():
                service.start(self._bound)
            for service in self.services.values():
                service.wait_ready(deadline)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop all services, and with them the servers."""
        for service in reversed(list(self.services.values())):
            service.stop()


def _services(state: State) -> dict[str, Service]:
    """Return a cloud's services by name, in the order in which they start."""
    services = (
        Service(state, 'keystone', 'localheat.services.keystone', [state.url('keystone') + '/v3']),
        Service(state, 'compute', 'localheat.compute', [state.url('compute') + '/']),
        Service(
            state,
            'heat',
            'localheat.services.heat',
            [state.url('heat') + '/', state.url('heat-cfn') + '/healthcheck'],
        ),
    )
    return {service.name: service for service in services}
