# SPDX-License-Identifier: Apache-2.0
"""What every new cloud needs, made once."""

import hashlib
import importlib.metadata
import os
import pathlib
import shutil
import sys
from typing import Callable

from localheat.errors import LocalHeatError
from localheat.services import accounts, config, content, databases
from localheat.services.state import State

PACKAGES = (
    'keystone',
    'openstack-heat',
    'nova',
    'openstack-placement',
    'neutron',
    'glance',
    'cinder',
)
OPTIONAL = ('zaqar',)


def versions() -> list[str]:
    """Return names and versions of the services that are installed.

    :raises LocalHeatError: when one is not
    """
    found = []
    for name in (*PACKAGES, *OPTIONAL):
        try:
            found.append(f'{name}-{importlib.metadata.version(name)}')
        except importlib.metadata.PackageNotFoundError:
            if name in PACKAGES:
                raise LocalHeatError(
                    f'{name} is not installed for {sys.executable}.',
                    'pip install -r localheat/requirements.txt -c localheat/constraints.txt',
                )
    return found


class Cache:
    """A cloud that is never started, for each set of versions of the services.

    :param directory: where caches are kept, for instance ~/.cache/localheat
    :param make: does for a new cloud what is done from the cache else
    """

    def __init__(self, directory: str, make: Callable[[State], None]):
        self.directory = os.path.join(directory, 'clouds', _key())
        self._make = make

    def fill(self, state: State) -> None:
        """Write the configuration and fill the databases of a new cloud."""
        if not os.path.isdir(self.directory):
            self._keep()
        cached = State.load(self.directory)
        state.passwords = cached.passwords
        config.write(state)
        databases.copy(cached, state)

    def _keep(self) -> None:
        """Make what is copied, unless another process is quicker."""
        os.makedirs(os.path.dirname(self.directory), mode=0o700, exist_ok=True)
        draft = f'{self.directory}.{os.getpid()}'
        os.mkdir(draft, 0o700)
        try:
            state = State.new(draft)
            state.save()
            self._make(state)
            os.rename(draft, self.directory)
        except OSError:
            if not os.path.isdir(self.directory):
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _key() -> str:
    """Return a name that changes with all that decides what is made."""
    digest = hashlib.sha256(' '.join(versions()).encode())
    for module in (accounts, config, content, databases):
        digest.update(pathlib.Path(module.__file__).read_bytes())
    return digest.hexdigest()[:16]
