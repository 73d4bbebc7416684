# SPDX-License-Identifier: Apache-2.0
"""What diskimage-builder's own code makes of elements: dependencies, build environment, packages.

It runs in the virtual environment that has diskimage-builder. Its programs run in this process,
which is many times faster than starting each.

    python -m imagebuild.resolve ELEMENT...

prints the names that the package manager gets for an image of these elements, with ELEMENTS_PATH
and diskimage-builder's variables as they are in the environment.
"""

import contextlib
import functools
import importlib.machinery
import importlib.util
import io
import json
import logging
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import diskimage_builder
from diskimage_builder import element_dependencies, logging_config

from imagebuild import recipe, sourcing

HOME = pathlib.Path(diskimage_builder.__file__).parent
OWN_ELEMENTS = HOME / 'elements'

#: Prints the elements that disk-image-create takes when it is called with some.
ARGUMENTS = '_LIB=$0; . "$_LIB/common-functions"; echo base $(_arg_defaults_hack "$@")'
#: What elements' files expect of disk-image-create, in an image for this machine.
DEFAULTS = {
    'ARCH': recipe.architecture(None),
    'DIB_PYTHON_VERSION': '3',
    'IMAGE_NAME': 'image',
    'PATH': os.defpath,
    'TMP_HOOKS_PATH': '/nonexistent',
}


class Unresolved(Exception):
    """diskimage-builder cannot make an image of these elements; the message says why."""


def full_path(folders: Iterable[pathlib.Path]) -> str:
    """Return an ELEMENTS_PATH of these folders and diskimage-builder's own."""
    return os.pathsep.join(map(str, [*folders, OWN_ELEMENTS]))


@functools.cache
def all_elements(elements_path: str) -> dict[str, Any]:
    """Return diskimage-builder's objects of all elements, by name."""
    found: dict[str, Any] = element_dependencies._find_all_elements(elements_path)
    return found


def closure(names: Iterable[str], elements_path: str) -> dict[str, pathlib.Path]:
    """Return the elements of an image that is built of the named ones, and their folders.

    :raises Unresolved: one does not exist, or none of them brings an operating system.
    """
    try:
        found = element_dependencies._expand_element_dependencies(
            list(names), all_elements(elements_path)
        )
    except (
        element_dependencies.AlreadyProvidedException,
        element_dependencies.MissingElementException,
        element_dependencies.MissingOSException,
    ) as error:
        raise Unresolved(str(error)) from None
    return {element.name: pathlib.Path(element.path) for element in found}


def with_defaults(names: Iterable[str], environ: Mapping[str, str]) -> list[str]:
    """Return the elements that disk-image-create takes, which adds `base` and a disk's layout."""
    return subprocess.run(
        ['bash', '-c', ARGUMENTS, HOME / 'lib', *names],
        env={**DEFAULTS, **environ},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    ).stdout.split()


def element_environment(
    elements: Mapping[str, pathlib.Path],
    environ: Mapping[str, str],
) -> dict[str, str]:
    """Return the environment of a build of these elements.

    :param environ: what the build is started with, DIB_RELEASE above all.
    :raises sourcing.BrokenFile: a file of environment.d fails.
    """
    files = [path for folder in elements.values() for path in folder.glob('environment.d/*')]
    files.sort(key=lambda path: path.name)
    return sourcing.sourced(files, {**DEFAULTS, **environ})


def packages(
    elements: Mapping[str, pathlib.Path],
    elements_path: str,
    environ: Mapping[str, str],
) -> dict[tuple[str, str], list[str]]:
    """Return the packages that a build installs.

    :param elements: those of the image and their folders, as closure() has them.
    :param environ: the environment of the build.
    :return: for each phase and element, the names that the package manager gets.
    :raises Unresolved: diskimage-builder fails over them.
    """
    with tempfile.TemporaryDirectory() as folder:
        squashed = pathlib.Path(folder) / 'package-installs.json'
        _main(
            _squash(),
            '--elements',
            ' '.join(elements),
            '--path',
            elements_path,
            str(squashed),
            environ=environ,
        )
        phases = json.loads(squashed.read_text())
    wanted: dict[tuple[str, str], list[str]] = {}
    for phase, lists in phases.items():
        for name, element in lists.get('install', []):
            wanted.setdefault((phase, element), []).append(name)
    return {
        (phase, element): mapped(elements[element], names, environ)
        for (phase, element), names in wanted.items()
    }


def mapped(element: pathlib.Path, names: Iterable[str], environ: Mapping[str, str]) -> list[str]:
    """Return the distribution's names of packages, by the pkg-map in an element's folder.

    :param environ: the environment of the build.
    """
    return _main(
        _pkg_map(),
        '--missing-ok',
        '--pkg-map',
        str(element / 'pkg-map'),
        '--distro',
        environ['DISTRO_NAME'],
        *names,
        environ=environ,
    ).split()


def _program(path: pathlib.Path) -> Any:
    """Return a program without suffix, as a module."""
    loader = importlib.machinery.SourceFileLoader(path.name.replace('-', '_'), str(path))
    specification = importlib.util.spec_from_loader(loader.name, loader)
    assert specification is not None
    module = importlib.util.module_from_spec(specification)
    loader.exec_module(module)
    return module


@functools.cache
def _pkg_map() -> Any:
    return _program(OWN_ELEMENTS / 'pkg-map/bin/pkg-map')


@functools.cache
def _squash() -> Any:
    return _program(OWN_ELEMENTS / 'package-installs/bin/package-installs-squash')


@contextlib.contextmanager
def _process(argv: list[str], environ: Mapping[str, str]) -> Iterator[io.StringIO]:
    """Make this process look like another one: arguments, environment, output; no logging."""
    before = sys.argv, dict(os.environ), logging.basicConfig, logging_config.setup
    sys.argv = argv
    os.environ.clear()
    os.environ.update(environ)
    logging.basicConfig = logging_config.setup = lambda **_: None
    try:
        with contextlib.redirect_stdout(io.StringIO()) as stdout:
            yield stdout
    finally:
        sys.argv, variables, logging.basicConfig, logging_config.setup = before
        os.environ.clear()
        os.environ.update(variables)


def _main(module: Any, *argv: str, environ: Mapping[str, str]) -> str:
    """Run a program's main() in this process; return what it printed."""
    with _process([module.__name__, *argv], environ) as stdout:
        try:
            module.main()
        except SystemExit as end:
            if end.code:
                raise Unresolved(f'{module.__name__} fails: {stdout.getvalue()}') from None
    return stdout.getvalue()


def main() -> None:
    elements_path = full_path(map(pathlib.Path, os.environ['ELEMENTS_PATH'].split(os.pathsep)))
    try:
        elements = closure(with_defaults(sys.argv[1:], os.environ), elements_path)
        resolved = packages(elements, elements_path, element_environment(elements, os.environ))
    except (sourcing.BrokenFile, Unresolved) as error:
        sys.exit(str(error))
    print(*sorted({name for names in resolved.values() for name in names}), sep='\n')


if __name__ == '__main__':
    main()
