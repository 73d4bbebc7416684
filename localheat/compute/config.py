# SPDX-License-Identifier: Apache-2.0
"""What servers the compute stand-in offers."""

import dataclasses
import json
import os

from localheat import files
from localheat.errors import LocalHeatError


@dataclasses.dataclass
class ComputeConfig:
    """The images of a cloud, and how it treats names that it does not know.

    :param images: paths of qcow2 or raw files, by the image's name
    :param any_name: whether a server can name any image, flavor and network; unknown images are
        the first one of ``images``
    :param kind: the kind of server that boots for a flavor other than "qemu" and "chroot"
    """

    images: dict[str, str] = dataclasses.field(default_factory=dict)
    any_name: bool = False
    kind: str = 'qemu'

    @classmethod
    def load(cls, directory: str) -> 'ComputeConfig':
        with open(os.path.join(directory, 'compute.json')) as stream:
            return cls(**json.load(stream))

    def save(self, directory: str) -> None:
        text = json.dumps(dataclasses.asdict(self), indent=2) + '\n'
        files.write(os.path.join(directory, 'compute.json'), text)

    def check(self) -> None:
        """Make the images' paths absolute.

        :raises LocalHeatError: when an image is missing
        """
        for name, path in self.images.items():
            if not os.path.isfile(path):
                raise LocalHeatError(
                    f'Image {name}: there is no file {path}',
                    'Build one with ./build-heat-image.sh, or name another file.',
                )
            self.images[name] = os.path.abspath(path)
