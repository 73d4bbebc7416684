# SPDX-License-Identifier: Apache-2.0
"""Which elements make an image, and where it goes."""

import os
import pathlib
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from imagebuild import distros, sourcing
from imagebuild.distros import Distro, Release
from imagebuild.errors import Refusal

#: What diskimage-builder 3.43 can write. qemu-img writes the ones that are not listed here.
TYPES = ('qcow2', 'raw', 'tar', 'tgz', 'squashfs', 'vhd', 'docker', 'aci')
#: A file system and no disk: no partitions, no boot loader.
DISKLESS_TYPES = {'tar', 'tgz', 'squashfs', 'docker', 'aci'}
#: The architectures that images are built for, by their names in the kernel and in Debian, and what
#: diskimage-builder calls them.
ARCHES = {'x86_64': 'amd64', 'amd64': 'amd64', 'aarch64': 'arm64', 'arm64': 'arm64'}
#: Elements that take a DIB_LOCAL_IMAGE of any distribution.
ANY_LOCAL_IMAGE = {'replace-partition', 'replace-partition-redhat'}
HOOK_PREFIX = 'heat-config-'


@dataclass(frozen=True)
class Recipe:
    """All that determines an image.

    :param image: the image's path without its type.
    :param elements_path: folders of elements, the first that has an element wins.
    :param variables: for diskimage-builder, beside those of the caller.
    :param packages: distribution packages to install beside what the elements bring.
    """

    image: pathlib.Path
    elements: tuple[str, ...]
    elements_path: tuple[pathlib.Path, ...]
    variables: Mapping[str, str]
    types: tuple[str, ...] = ('qcow2',)
    arch: Optional[str] = None
    distro: Optional[Distro] = None
    packages: tuple[str, ...] = ()

    def files(self) -> list[pathlib.Path]:
        """The image files, one per type."""
        return [
            self.image.with_name(f'{self.image.name}.{kind}')
            for kind in self.types
            if kind != 'docker'
        ]

    def mirrors(self) -> Sequence[str]:
        """The variables by which the base element finds its downloads."""
        return next(
            (
                self.distro.mirrors[name]
                for name in self.elements
                if self.distro and name in self.distro.mirrors
            ),
            (),
        )


def architecture(name: Optional[str]) -> str:
    """Return what diskimage-builder calls an architecture, by default that of this machine.

    :raises Refusal: images are not built for the one that was named.
    """
    if name and name not in ARCHES:
        raise Refusal(
            f"The architecture '{name}' is not known. Known are: amd64 (or x86_64), arm64 (or "
            'aarch64).'
        )
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


def check_release(
    distro: Distro, name: str, release: Optional[Release], arch: str, elements: Sequence[str]
) -> None:
    """Make sure that diskimage-builder can build a release.

    :param name: its DIB_RELEASE.
    :param release: what is known of it.
    :raises Refusal: it cannot.
    """
    if release is None:
        return
    title = f'{distro.title} {release.version}'
    if release.no_image and set(elements) & set(distro.elements):
        raise Refusal(
            f'{title} cannot be built by diskimage-builder yet: {release.no_image}. '
            f'{distro.title} {distro.releases[distro.default].version} can be '
            f"(--release {distro.default}); a server with the distribution's own image gets the "
            'agent by an environment of boot-config/.'
        )
    if arch not in distro.arches:
        raise Refusal(f"{title} is not built for '{arch}', only for {' and '.join(distro.arches)}.")


def check_local_image(distro: Distro, elements: Sequence[str], environ: Mapping[str, str]) -> None:
    """Make sure that the base image is there, and that a base element takes the user's own.

    :raises Refusal: it cannot be fetched and was not given, or was given in vain.
    """
    local_image = environ.get('DIB_LOCAL_IMAGE')
    if local_image:
        if not os.access(local_image, os.R_OK):
            raise Refusal(f'DIB_LOCAL_IMAGE: {local_image} does not exist or cannot be read.')
        if not {*distro.local_image, *ANY_LOCAL_IMAGE} & set(elements):
            readers = sorted(
                element for one in distros.known().values() for element in one.local_image
            )
            base = next((name for name in elements if name in distro.mirrors), distro.elements[0])
            raise Refusal(
                f"DIB_LOCAL_IMAGE is set, and the base element '{base}' does not read it: the "
                'image would be built of something else. The elements that read it: '
                f'{", ".join([*readers, *sorted(ANY_LOCAL_IMAGE)])}. Unset it, or use one of them.'
            )
    elif distro.needs_local_image and not (
        environ.get('DIB_CLOUD_IMAGES') and environ.get('BASE_IMAGE_FILE')
    ):
        raise Refusal(
            f'The base image of {distro.title} cannot be fetched without a subscription: '
            f'download it and set DIB_LOCAL_IMAGE to the file.'
        )


def distro_variables(
    distro: Distro, release: str, arch: str, environ: Mapping[str, str]
) -> dict[str, str]:
    """Return the release, and the variables that a distribution needs and the user has not set.

    :param release: its DIB_RELEASE.
    :param arch: as diskimage-builder calls it.
    """
    wanted = {'DIB_RELEASE': release}
    if distro.settings:
        before = {'ARCH': arch, 'PATH': os.defpath, **wanted}
        after = sourcing.sourced([distro.settings], before)
        wanted.update({name: after[name] for name in after.keys() - before.keys()})
    return {
        name: value
        for name, value in wanted.items()
        if name == 'DIB_RELEASE' or not environ.get(name)
    }


def check_base_image(
    distro: Distro,
    release: str,
    elements: Sequence[str],
    variables: Mapping[str, str],
) -> None:
    """Make sure that Fedora's element knows what the file is called that it is to fetch.

    :param variables: the caller's and the recipe's.
    :raises Refusal: it does not.
    """
    if 'fedora' in elements and not (
        variables.get('BASE_IMAGE_FILE') or variables.get('DIB_LOCAL_IMAGE')
    ):
        raise Refusal(
            f"What the file of {distro.title} {release}'s cloud image is called is not known here: "
            'set BASE_IMAGE_FILE to its name, or download it and set DIB_LOCAL_IMAGE to the file.'
        )
