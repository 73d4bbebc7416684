# SPDX-License-Identifier: Apache-2.0
"""Which elements make an image, and where it goes."""

import os
import pathlib
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional

from imagebuild import distros, environment
from imagebuild.distros import Distro
from imagebuild.errors import Refusal

#: What diskimage-builder 3.43 can write. qemu-img writes the ones that are not listed here.
TYPES = ('qcow2', 'raw', 'tar', 'tgz', 'squashfs', 'vhd', 'docker', 'aci')
#: A file system and no disk: no partitions, no boot loader.
DISKLESS_TYPES = {'tar', 'tgz', 'squashfs', 'docker', 'aci'}
#: The names of the kernel, and what diskimage-builder calls them.
ARCHES = {'x86_64': 'amd64', 'aarch64': 'arm64'}
HOOK_PREFIX = 'heat-config-'


@dataclass(frozen=True)
class Recipe:
    """All that determines an image.

    :param image: the image's path without its type.
    :param elements_path: folders of elements, the first that has an element wins.
    :param environment: variables for diskimage-builder beside those of the caller.
    :param packages: distribution packages to install beside what the elements bring.
    """

    image: pathlib.Path
    elements: tuple[str, ...]
    elements_path: tuple[pathlib.Path, ...]
    types: tuple[str, ...] = ('qcow2',)
    arch: Optional[str] = None
    distro: Optional[Distro] = None
    packages: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)

    def files(self) -> list[pathlib.Path]:
        """The image files, one per type."""
        return [
            self.image.with_name(f'{self.image.name}.{kind}')
            for kind in self.types
            if kind != 'docker'
        ]


def architecture(name: Optional[str]) -> str:
    """Return what diskimage-builder calls an architecture, by default that of this machine."""
    name = name or platform.machine()
    return ARCHES.get(name, name)


def check_blanks(path: pathlib.Path, purpose: str) -> None:
    """Refuse a path with blanks in it, which diskimage-builder's shell would take apart."""
    if len(str(path).split()) != 1:
        raise Refusal(
            f"{purpose}: diskimage-builder cannot handle the blank in '{path}'. Use a "
            'path without one.'
        )


def find_element(name: str, elements_path: Iterable[pathlib.Path]) -> Optional[pathlib.Path]:
    """Return the folder of an element, None if there is none."""
    for folder in elements_path:
        if (folder / name).is_dir():
            return folder / name
    return None


def hooks(elements_path: Iterable[pathlib.Path]) -> list[str]:
    """Return the names of all hooks that have an element."""
    return sorted(
        {
            element.name[len(HOOK_PREFIX) :]
            for folder in elements_path
            if folder.is_dir()
            for element in folder.glob(HOOK_PREFIX + '*')
        }
    )


def hook_elements(names: Iterable[str], elements_path: Sequence[pathlib.Path]) -> list[str]:
    """Return the elements of hooks.

    :raises Refusal: a name has no element; the text lists those that have.
    """
    for name in names:
        if find_element(HOOK_PREFIX + name, elements_path) is None:
            raise Refusal(
                f"There is no hook '{name}'. Known hooks: "
                f'{", ".join(hooks(elements_path))}. For a hook of your own, put the '
                f'folder that holds its element {HOOK_PREFIX}{name} on ELEMENTS_PATH.'
            )
    return [HOOK_PREFIX + name for name in names]


def elements_path(
    own: Sequence[pathlib.Path],
    environ: Mapping[str, str],
) -> tuple[pathlib.Path, ...]:
    """Return the user's ELEMENTS_PATH followed by this project's own folders.

    :raises Refusal: a folder on ELEMENTS_PATH does not exist, or diskimage-builder cannot use it.
    """
    folders = [
        pathlib.Path(entry).absolute()
        for entry in environ.get('ELEMENTS_PATH', '').split(os.pathsep)
        if entry
    ]
    for folder in folders:
        if not folder.is_dir():
            raise Refusal(f'ELEMENTS_PATH: {folder} is not a folder.')
    folders += own
    for folder in folders:
        check_blanks(folder, 'Elements')
    return tuple(folders)


def image_types(text: str) -> tuple[str, ...]:
    """Parse the -t option: image types separated by commas."""
    types = tuple(dict.fromkeys(text.split(',')))
    for kind in types:
        if kind not in TYPES:
            raise Refusal(f"The image type '{kind}' is not known. Known are: {', '.join(TYPES)}.")
    return types


def image_path(name: str, types: Sequence[str]) -> pathlib.Path:
    """Return the image's path without its type; the type may have been given as a suffix."""
    path = pathlib.Path(name)
    if path.suffix[1:] in types:
        path = path.with_suffix('')
    return path.absolute()


def check_image(path: pathlib.Path) -> None:
    """Make sure that an image can be written.

    :raises Refusal: its folder does not exist or cannot be written, or has a blank in it.
    """
    check_blanks(path, 'Image')
    if not path.parent.is_dir():
        raise Refusal(f'The folder {path.parent} for the image does not exist: create it first.')
    if not os.access(path.parent, os.W_OK):
        raise Refusal(f'The folder {path.parent} for the image cannot be written by this user.')


def for_distro(
    name: Optional[str],
    base_elements: Optional[str],
) -> tuple[Optional[Distro], tuple[str, ...]]:
    """Return the distribution and the base elements, from --distro or from BASE_ELEMENTS.

    :raises Refusal: both were given, or the distribution is not known.
    """
    if base_elements is None:
        distro = distros.by_name(name or 'debian')
        return distro, distro.elements
    if name is not None:
        raise Refusal('BASE_ELEMENTS names the distribution: leave out --distro, or unset it.')
    elements = tuple(base_elements.split())
    return distros.by_elements(elements), elements


def distro_environment(
    distro: Optional[Distro], arch: str, environ: Mapping[str, str], release: Optional[str] = None
) -> dict[str, str]:
    """Return the release, and the variables that a distribution needs and the user has not set.

    :param arch: as diskimage-builder calls it.
    :param release: instead of the environment's DIB_RELEASE, or of the distribution's default.
    :raises Refusal: its base image cannot be fetched and was not given.
    """
    if distro is None:
        return {}
    wanted = {}
    release = release or environ.get('DIB_RELEASE') or distro.release
    if release:
        wanted['DIB_RELEASE'] = release
    if distro.settings:
        before = {'ARCH': arch, 'PATH': os.defpath, **wanted}
        after = environment.sourced([distro.settings], before)
        wanted.update({name: after[name] for name in after.keys() - before.keys()})
    local_image = environ.get('DIB_LOCAL_IMAGE')
    if local_image and not os.access(local_image, os.R_OK):
        raise Refusal(f'DIB_LOCAL_IMAGE: {local_image} does not exist or cannot be read.')
    if distro.local_image and not local_image and not environ.get('DIB_CLOUD_IMAGES'):
        raise Refusal(
            f'The base image of {distro.name} cannot be fetched without a subscription: '
            f'download it and set DIB_LOCAL_IMAGE to the file.'
        )
    return {
        name: value
        for name, value in wanted.items()
        if name == 'DIB_RELEASE' or not environ.get(name)
    }
