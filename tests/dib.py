# SPDX-License-Identifier: Apache-2.0
"""What diskimage-builder makes of this checkout's elements, for tests."""

import functools
import pathlib
import re
from collections.abc import Iterator
from typing import Any

from imagebuild import resolve
from tests import base, repository

HOME = resolve.HOME
OWN_ELEMENTS = resolve.OWN_ELEMENTS
RUN_PARTS = HOME / 'lib' / 'dib-run-parts'
ELEMENTS_PATH = resolve.full_path(
    folder
    for folder in (base.ROOT / name for name in repository.ELEMENT_FOLDERS)
    if folder.is_dir()
)


def all_elements() -> 'dict[str, Any]':
    """The elements of this checkout and of diskimage-builder, by name."""
    return resolve.all_elements(ELEMENTS_PATH)


def closure(*names: str) -> 'dict[str, pathlib.Path]':
    """The elements of an image that is built of the named ones, and their folders."""
    return resolve.closure(names, ELEMENTS_PATH)


def brings_system(name: str) -> bool:
    """Whether an element brings an operating system, itself or by what it depends on."""
    try:
        closure(name)
    except resolve.Unresolved:
        return False
    return True


@functools.cache
def phases() -> 'frozenset[str]':
    """The folders that diskimage-builder's programs run."""
    source = ''.join(path.read_text() for path in (HOME / 'lib').iterdir() if path.is_file())
    found = re.findall(r'\b(?:eval_)?run_d(?:_in_target)? ([a-z]+(?:-[a-z]+)*)', source)
    return frozenset(f'{name}.d' for name in found)


def copied(folder: pathlib.Path) -> 'Iterator[pathlib.Path]':
    """The files that diskimage-builder copies from an element's folder, relative to it."""
    for path in sorted(folder.rglob('*')):
        relative = path.relative_to(folder)
        if relative.parts[0] not in ('tests', '__pycache__') and not path.is_dir():
            yield relative


@functools.cache
def _build_environment(
    elements: 'tuple[tuple[str, pathlib.Path], ...]',
    release: str,
) -> 'dict[str, str]':
    return resolve.element_environment(dict(elements), {'ARCH': 'amd64', 'DIB_RELEASE': release})


def build_environment(elements: 'dict[str, pathlib.Path]', release: str) -> 'dict[str, str]':
    """The environment of a build of these elements."""
    return _build_environment(tuple(elements.items()), release)


def packages(
    elements: 'dict[str, pathlib.Path]',
    release: str,
    install_type: str,
) -> 'dict[tuple[str, str], list[str]]':
    """The packages that a build installs for this checkout's elements.

    :param elements: the elements of the image and their folders.
    :param install_type: DIB_DEFAULT_INSTALLTYPE.
    :return: for each phase and element, the names that the package manager gets.
    """
    env = dict(build_environment(elements, release), DIB_DEFAULT_INSTALLTYPE=install_type)
    return {
        (phase, element): names
        for (phase, element), names in resolve.packages(elements, ELEMENTS_PATH, env).items()
        if OWN_ELEMENTS not in elements[element].parents
    }
