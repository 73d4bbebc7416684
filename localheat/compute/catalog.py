# SPDX-License-Identifier: Apache-2.0
"""The flavors and images that a server can name."""

import uuid
from typing import Any, Optional

from localheat.compute.config import ComputeConfig
from localheat.compute.http import ApiError, not_found

# A flavor of this name chooses the kind of server; vCPUs and MiB of RAM are QEMU's.
KINDS = ('qemu', 'chroot')
SIZES = {
    'qemu': (2, 512),
    'chroot': (1, 256),
    'm1.tiny': (1, 512),
    'm1.small': (1, 1024),
    'm1.medium': (2, 2048),
    'm1.large': (2, 4096),
}
_NAMESPACE = uuid.UUID('3c4b8c61-5a6d-4b5f-9a53-6f3c02fbd1e2')


def identifier(kind: str, name: str) -> str:
    """Return the id of a thing that is known by its name alone: always the same."""
    return str(uuid.uuid5(_NAMESPACE, f'{kind}/{name}'))


class Catalog:
    """The flavors and images of a configuration, and their JSON.

    Every lookup raises ApiError 404 for what there is not.
    """

    def __init__(self, config: ComputeConfig):
        self._config = config

    def flavor(self, name: str) -> dict[str, Any]:
        """Return a flavor by name, which is its id too."""
        if name not in SIZES and not self._config.any_name:
            raise not_found('Flavor', name)
        vcpus, ram = SIZES.get(name, SIZES['m1.small'])
        return {
            'id': name,
            'name': name,
            'vcpus': vcpus,
            'ram': ram,
            'disk': 10,
            'swap': 0,
            'OS-FLV-EXT-DATA:ephemeral': 0,
            'os-flavor-access:is_public': True,
            'rxtx_factor': 1.0,
            'links': [],
            'extra_specs': {},
        }

    def flavors(self) -> list[dict[str, Any]]:
        return [self.flavor(name) for name in SIZES]

    def kind(self, flavor: str) -> str:
        """Return the kind of server that boots for a flavor."""
        return flavor if flavor in KINDS else self._config.kind

    def image(self, name_or_id: str) -> dict[str, Any]:
        """Return an image."""
        for name in self._config.images:
            if name_or_id in (name, identifier('image', name)):
                return _image(name)
        if self._config.any_name and self._config.images:
            return _image(next(iter(self._config.images)), name_or_id)
        raise not_found('Image', name_or_id)

    def images(self, name: Optional[str] = None) -> list[dict[str, Any]]:
        """Return all images, or the one of a name, if there is one."""
        if name is None:
            return [_image(name) for name in self._config.images]
        try:
            return [self.image(name)]
        except ApiError:
            return []

    def image_path(self, image_id: str) -> str:
        """Return the file of an image."""
        for name, path in self._config.images.items():
            if image_id == identifier('image', name):
                return path
        raise not_found('Image', image_id)


def _image(name: str, alias: str = '') -> dict[str, Any]:
    return {
        'id': identifier('image', name),
        'name': alias or name,
        'status': 'active',
        'min_ram': 0,
        'min_disk': 0,
        'visibility': 'public',
        'disk_format': 'qcow2',
        'container_format': 'bare',
        'protected': False,
        'tags': [],
    }
