# SPDX-License-Identifier: Apache-2.0
"""What a template names, made in a cloud that lacks it."""

import argparse
import os
import pathlib
import subprocess
from typing import Callable

from localheat import check
from localheat.check import hooks
from localheat.services import Cloud
from localheat.template import kinds
from localheat.trial import images, needs

Say = Callable[[str], None]
#: Networks that a template takes for granted, one after another.
CIDR = '172.20.{}.0/24'


def images_of(subject: check.Subject, options: argparse.Namespace, say: Say) -> dict[str, str]:
    """Return the files of all images that a template names; built, where there are none.

    :raises Refusal: one cannot be built
    """
    pristine = needs.pristine_images(subject)
    names = {use.name for use in needs.uses(subject) if use.kind == kinds.IMAGE}
    return {name: str(image(name in pristine, subject, options, say)) for name in sorted(names)}


def provide(cloud: Cloud, subject: check.Subject, options: argparse.Namespace, say: Say) -> None:
    """Have in a cloud what a template names.

    :raises Refusal: an image is not there, or cannot be built
    """
    for name in needs.services(subject):
        cloud.enable(name)
    pristine = needs.pristine_images(subject)
    for use in needs.uses(subject):
        if use.kind == kinds.IMAGE:
            # in a cloud that is used by others, too, it may be there
            if cloud.sdk().image.find_image(use.name) is None:
                path = image(use.name in pristine, subject, options, say)
                cloud.add_image(use.name, str(path))
        elif use.kind == kinds.KEY:
            path = key(cloud.state.directory)
            cloud.add_keypair(use.name, path.with_suffix('.pub').read_text().strip())
            say(f'key {use.name}: {path}')
        elif use.kind in MAKERS:
            MAKERS[use.kind](cloud, use.name)


def image(
    pristine: bool, subject: check.Subject, options: argparse.Namespace, say: Say
) -> pathlib.Path:
    """Return an image's file."""
    if options.image:
        return pathlib.Path(options.image)
    if pristine:
        return images.pristine(say)
    return images.agent((hooks.groups(subject) & hooks.known()) | set(options.hook), say)


def key(folder: str) -> pathlib.Path:
    """Return the path of a private key, made where there is none."""
    path = pathlib.Path(folder, 'id_ed25519')
    if not path.exists():
        subprocess.run(
            ['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', needs.KEY, '-f', os.fspath(path)],
            check=True,
            stdin=subprocess.DEVNULL,
        )
    return path


def _flavor(cloud: Cloud, name: str) -> None:
    cloud.add_flavor(name)


def _public_network(cloud: Cloud, name: str) -> None:
    cloud.add_public_network(name)


def _network(cloud: Cloud, name: str) -> None:
    """Have a network, which has a subnet."""
    network = cloud.sdk(admin=True).network
    if network.find_network(name) is None:
        made = network.create_network(name=name, is_shared=True)
        _add_subnet(cloud, made.id, f'{name}-subnet')


def _subnet(cloud: Cloud, name: str) -> None:
    network = cloud.sdk(admin=True).network
    if network.find_subnet(name) is None:
        made = network.create_network(name=f'{name}-network', is_shared=True)
        _add_subnet(cloud, made.id, name)


def _add_subnet(cloud: Cloud, network_id: str, name: str) -> None:
    network = cloud.sdk(admin=True).network
    cidr = CIDR.format(len(list(network.subnets())))
    network.create_subnet(network_id=network_id, name=name, ip_version=4, cidr=cidr)


def _security_group(cloud: Cloud, name: str) -> None:
    network = cloud.sdk().network
    if network.find_security_group(name) is None:
        network.create_security_group(name=name)


MAKERS: dict[str, Callable[[Cloud, str], None]] = {
    kinds.FLAVOR: _flavor,
    kinds.NETWORK: _network,
    kinds.SUBNET: _subnet,
    kinds.PUBLIC_NETWORK: _public_network,
    kinds.SECURITY_GROUP: _security_group,
}
