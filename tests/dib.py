# SPDX-License-Identifier: Apache-2.0
"""What diskimage-builder's own code makes of elements: dependencies, build environment, packages.

Its programs run in this process, which is many times faster than starting each.
"""

import contextlib
import functools
import importlib.machinery
import importlib.util
import io
import json
import os
import pathlib
import re
import subprocess
from typing import Any, Iterator
from unittest import mock

import diskimage_builder
from diskimage_builder import element_dependencies
from diskimage_builder.element_dependencies import MissingElementException, MissingOSException

from tests import base, repository

HOME = pathlib.Path(diskimage_builder.__file__).parent
OWN_ELEMENTS = HOME / 'elements'
RUN_PARTS = HOME / 'lib' / 'dib-run-parts'
ELEMENTS_PATH = ':'.join(
    str(folder) for folder in [*(base.ROOT / name for name in repository.ELEMENT_FOLDERS),
                               OWN_ELEMENTS] if folder.is_dir())
#: Prints the environment after sourcing files; says which of them fails.
SOURCE = """
trap 'echo "$file ends with status $?" >&2' EXIT
for file in "$@"; do . "$file"; done
trap - EXIT
env -0
"""


@functools.lru_cache(maxsize=None)
def all_elements() -> 'dict[str, Any]':
    """The elements of this checkout and of diskimage-builder, by name."""
    return element_dependencies._find_all_elements(ELEMENTS_PATH)


def closure(*names: str) -> 'dict[str, pathlib.Path]':
    """The elements of an image that is built of the named ones, and their folders.

    :raises MissingOSException: none of them brings an operating system.
    :raises MissingElementException: one of them does not exist.
    """
    found = element_dependencies._expand_element_dependencies(names, all_elements())
    return {element.name: pathlib.Path(element.path) for element in found}


def brings_system(name: str) -> bool:
    """Whether an element brings an operating system, itself or by what it depends on."""
    try:
        closure(name)
    except (MissingElementException, MissingOSException):
        return False
    return True


@functools.lru_cache(maxsize=None)
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


@functools.lru_cache(maxsize=None)
def build_environment(elements: 'tuple[pathlib.Path, ...]', release: str) -> 'dict[str, str]':
    """The environment of a build of these elements, as dib-run-parts makes it.

    :raises AssertionError: a file of environment.d fails; the message says which.
    """
    files = sorted((path for element in elements for path in element.glob('environment.d/*')),
                   key=lambda path: path.name)
    done = subprocess.run(
        ['bash', '-euc', SOURCE, 'bash', *files],
        env={'ARCH': 'amd64', 'DIB_PYTHON_VERSION': '3', 'DIB_RELEASE': release,
             'IMAGE_NAME': 'image', 'PATH': os.environ['PATH'], 'TMP_HOOKS_PATH': '/nonexistent'},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        raise AssertionError(done.stderr.decode())
    entries = (entry.partition('=') for entry in done.stdout.decode().split('\0') if entry)
    return {key: value for key, _, value in entries}


def packages(elements: 'dict[str, pathlib.Path]', release: str, install_type: str,
             scratch: pathlib.Path) -> 'dict[tuple[str, str], list[str]]':
    """The packages that a build installs for this checkout's elements.

    :param elements: the elements of the image and their folders.
    :param install_type: DIB_DEFAULT_INSTALLTYPE.
    :param scratch: a folder to write to.
    :return: for each phase and element, the names that the package manager gets.
    :raises AssertionError: diskimage-builder fails over them.
    """
    env = dict(build_environment(tuple(elements.values()), release),
               DIB_DEFAULT_INSTALLTYPE=install_type)
    squashed = scratch / 'package-installs.json'
    _main(_squash, '--elements', ' '.join(elements), '--path', ELEMENTS_PATH, str(squashed),
          env=env)
    wanted: 'dict[tuple[str, str], list[str]]' = {}
    for phase, lists in json.loads(squashed.read_text()).items():
        for name, element in lists.get('install', []):
            if OWN_ELEMENTS not in elements[element].parents:
                wanted.setdefault((phase, element), []).append(name)
    return {(phase, element): _main(
        _pkg_map, '--missing-ok', '--pkg-map', str(elements[element] / 'pkg-map'),
        '--distro', env['DISTRO_NAME'], *names, env=env).split()
        for (phase, element), names in wanted.items()}


def _program(path: pathlib.Path) -> Any:
    """A program without suffix, as a module."""
    loader = importlib.machinery.SourceFileLoader(path.name.replace('-', '_'), str(path))
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


_pkg_map = _program(OWN_ELEMENTS / 'pkg-map/bin/pkg-map')
_squash = _program(OWN_ELEMENTS / 'package-installs/bin/package-installs-squash')


def _main(module: Any, *argv: str, env: 'dict[str, str]') -> str:
    """Run a program's main() in this process; return what it printed."""
    stdout = io.StringIO()
    with mock.patch('sys.argv', [module.__name__, *argv]), \
            mock.patch.dict(os.environ, env, clear=True), \
            mock.patch('logging.basicConfig'), mock.patch('logging.config.dictConfig'), \
            contextlib.redirect_stdout(stdout):
        try:
            module.main()
        except SystemExit as end:
            if end.code:
                raise AssertionError(f'{module.__name__} fails: {stdout.getvalue()}') from None
    return stdout.getvalue()
