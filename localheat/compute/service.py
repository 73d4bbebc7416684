# SPDX-License-Identifier: Apache-2.0
"""The stand-in as a whole: its parts, and what is kept of them over a restart."""

import dataclasses
import json
import os
import threading
from typing import Any

from localheat import files
from localheat.compute import image, nova, volume
from localheat.compute.catalog import Catalog
from localheat.compute.collection import Collection
from localheat.compute.config import ComputeConfig
from localheat.compute.http import Router
from localheat.compute.manager import Manager
from localheat.compute.model import Server
from localheat.compute.network import Network


class Compute:
    """All of the stand-in's state, and its APIs.

    :param directory: where the state is kept, and the servers' folders are
    :param options: for the Manager
    """

    def __init__(self, config: ComputeConfig, directory: str, **options: Any):
        self._path = os.path.join(directory, 'state.json')
        self._lock = threading.Lock()
        catalog = Catalog(config)
        network = Network(config, self._save)
        keypairs = Collection('keypair', 'keypairs', None, self._save)
        volumes = volume.volumes(self._save)
        self._collections = (*network.collections, keypairs, volumes)
        os.makedirs(directory, mode=0o700, exist_ok=True)
        self.manager = Manager(directory, catalog, network, keypairs, self._save, **options)
        self.apis: dict[str, Router] = {
            'compute': nova.router(self.manager, catalog, network, keypairs),
            'network': network.router(),
            'image': image.router(catalog),
            'volume': volume.router(volumes),
        }
        self._load()
        network.prepare()

    def _save(self) -> None:
        with self._lock:
            servers = list(self.manager.servers.values())
            content = {
                'servers': [dataclasses.asdict(server) for server in servers],
                'deleted': self.manager.deleted,
                'collections': {item.plural: dict(item.items) for item in self._collections},
            }
            files.write(self._path, json.dumps(content))

    def _load(self) -> None:
        if not os.path.exists(self._path):
            return
        with open(self._path) as stream:
            content = json.load(stream)
        for item in self._collections:
            item.items.update(content['collections'][item.plural])
        self.manager.deleted.extend(content['deleted'])
        for fields in content['servers']:
            self.manager.servers[fields['id']] = Server(**fields)
