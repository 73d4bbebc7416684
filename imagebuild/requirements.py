# SPDX-License-Identifier: Apache-2.0
"""Whether the lists of test-image/elements have what the newest agents require.

It runs in the virtual environment that has diskimage-builder.

    python -m imagebuild.requirements

prints what is wrong, a line each, and what to do about it.
"""

import functools
import json
import lzma
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from imagebuild import command, distros, image_for_tests, recipe, resolve, sourcing
from imagebuild.errors import Refusal

ELEMENT = command.ROOT / 'test-image' / 'elements' / 'heat-agent-pkg-requires'
#: Each element of an agent says what it wants of the package index.
AGENTS = sorted(command.ROOT.glob('elements/*/heat-agent-requirements/*'))
#: The one distribution whose archive is looked into.
ARCHIVED = 'debian'


class Unknown(Exception):
    """A package index or an archive does not tell; the message says which and why."""


@dataclass(frozen=True)
class Need:
    """What an agent requires.

    :param agent: its name and version.
    """

    agent: str
    requirement: Requirement

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)


@functools.cache
def needs(python: str) -> tuple[Need, ...]:
    """Return what the newest agents directly require on a version of Python.

    :param python: as in `3.13`.
    :raises Unknown: the package index does not tell.
    """
    call = [
        sys.executable,
        '-m',
        'pip',
        'install',
        '--quiet',
        '--dry-run',
        '--no-deps',
        '--ignore-installed',
        '--only-binary',
        ':all:',
        '--python-version',
        python,
        '--report',
        '-',
    ]
    for path in AGENTS:
        call += ['--requirement', str(path)]
    with tempfile.TemporaryDirectory() as nothing:  # pip wants it for another version than its own
        done = subprocess.run([*call, '--target', nothing], capture_output=True, text=True)
    if done.returncode != 0:
        raise Unknown(
            f'The package index does not tell what the agents require on Python '
            f'{python}: {done.stderr.strip()}'
        )
    found = []
    for agent in json.loads(done.stdout)['install']:
        metadata = agent['metadata']
        for text in metadata.get('requires_dist', []):
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate(
                {'python_version': python, 'python_full_version': f'{python}.0', 'extra': ''}
            ):
                found.append(Need(f'{metadata["name"]} {metadata["version"]}', requirement))
    return tuple(found)


class Archive:
    """The packages of a Debian release, by the archive's own index.

    :param mirror: as in DIB_DISTRIBUTION_MIRROR.
    :raises Unknown: it cannot be read.
    """

    def __init__(self, mirror: str, release: str, arch: str) -> None:
        url = f'{mirror.rstrip("/")}/dists/{release}/main/binary-{arch}/Packages.xz'
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                text = lzma.decompress(answer.read()).decode()
        except (OSError, ValueError, lzma.LZMAError) as error:
            raise Unknown(f'The archive cannot be read: {url}: {error}') from None
        self._versions = dict(re.findall(r'(?m)^Package: (\S+)\n(?:.+\n)*?Version: (\S+)', text))
        self._provided = {
            name
            for names in re.findall(r'(?m)^Provides: (.+)', text)
            for name in re.findall(r'(?:^|, )([^ ,]+)', names)
        }

    def __contains__(self, name: str) -> bool:
        return name in self._versions or name in self._provided

    def version(self, name: str) -> Version:
        """Return the upstream version of a package.

        :raises InvalidVersion: it is none that Python's rules know.
        """
        version = self._versions[name].partition(':')[2] or self._versions[name]
        return Version(re.split(r'[+~]', version.rpartition('-')[0] or version)[0])

    def package_of(self, name: str) -> str:
        """Return what the package of a Python project is called, or an empty text."""
        for candidate in (
            f'python3-{name}',
            f'python3-{name.replace("python-", "", 1)}',
            f'python3-{name.replace("-", ".")}',
        ):
            if candidate.lower() in self._versions:
                return candidate.lower()
        return ''


@dataclass(frozen=True)
class Image:
    """A test image of a release.

    :param environ: the environment of its build.
    """

    distro: distros.Distro
    release: distros.Release
    elements: Mapping[str, pathlib.Path]
    elements_path: str
    environ: Mapping[str, str]

    @property
    def name(self) -> str:
        return f'{self.distro.name} {self.release.name}'

    def package(self, name: str) -> str:
        """Return the distribution's name for a PyPI project, empty if it has none."""
        return ' '.join(resolve.mapped(ELEMENT, [name], self.environ))


def image(distro: distros.Distro, release: distros.Release, environ: Mapping[str, str]) -> Image:
    """Return the test image that test-image/build-heat-test-image.sh would build."""
    options = image_for_tests.parser().parse_args(
        ['--distro', distro.name, '--release', release.name]
    )
    wanted = image_for_tests.recipe_for(options, environ)
    environ = {**environ, **wanted.variables, 'ARCH': recipe.architecture(environ.get('ARCH'))}
    elements_path = resolve.full_path(wanted.elements_path)
    elements = resolve.closure(resolve.with_defaults(wanted.elements, environ), elements_path)
    return Image(
        distro, release, elements, elements_path, resolve.element_environment(elements, environ)
    )


def missing(image: Image, listed: Mapping[str, str], archive: 'Archive | None') -> Iterator[str]:
    """Yield what the agents require on a release and no list has.

    :param listed: the names in the element's list, by their normal form.
    """
    seen = set()
    for need in needs(image.release.python):
        if need.name not in listed and need.name not in seen:
            seen.add(need.name)
            package = archive.package_of(need.name) if archive else ''
            yield (
                f'{image.name}: {need.agent} requires {need.requirement}, which is missing in '
                f'{ELEMENT.name}/package-installs.yaml; the package is '
                + (package or 'not known here: its name, or an empty one, belongs in pkg-map')
            )


def in_archive(image: Image, listed: Mapping[str, str], archive: Archive) -> Iterator[str]:
    """Yield which packages of an image the archive lacks, or has in a version that does not do."""
    wanted = resolve.packages(image.elements, image.elements_path, image.environ)
    for (_, element), names in sorted(wanted.items()):
        for name in names:
            if name not in archive:
                yield f'{image.name}: the archive has no package {name}, which {element} installs'
    for need in needs(image.release.python):
        package = image.package(listed[need.name]) if need.name in listed else ''
        if package and package in archive:
            try:
                version = archive.version(package)
            except (InvalidVersion, KeyError) as error:
                yield f'{image.name}: the version of {package} is not understood: {error}'
                continue
            if not need.requirement.specifier.contains(version, prereleases=True):
                yield (
                    f'{image.name}: {package} is of version {version}, and {need.agent} '
                    f'requires {need.requirement}: map it to an empty name in '
                    f'{ELEMENT.name}/pkg-map, and pip brings it at boot'
                )


def unneeded(listed: Mapping[str, str], images: Sequence[Image]) -> Iterator[str]:
    """Yield what is listed and no agent requires any more."""
    required = {need.name for image in images for need in needs(image.release.python)}
    for name in sorted(listed.keys() - required):
        yield (
            f'no agent requires {listed[name]} any more: remove it from package-installs.yaml '
            f'and pkg-map of {ELEMENT.name}'
        )


def findings(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield all that is wrong.

    :raises Unknown: a package index or an archive does not tell.
    """
    listed: dict[str, str] = {
        canonicalize_name(name): name
        for name in yaml.safe_load((ELEMENT / 'package-installs.yaml').read_text())
    }
    images = [
        image(distro, release, environ)
        for distro in distros.known().values()
        for release in distro.with_test_images()
    ]
    for one in images:
        archive = None
        if one.distro.name == ARCHIVED:
            archive = Archive(
                one.environ['DIB_DISTRIBUTION_MIRROR'], one.release.name, one.environ['ARCH']
            )
        yield from missing(one, listed, archive)
        if archive:
            yield from in_archive(one, listed, archive)
    yield from unneeded(listed, images)


def main() -> None:
    try:
        found = list(findings(os.environ))
    except (Refusal, Unknown, sourcing.BrokenFile, resolve.Unresolved) as error:
        sys.exit(str(error))
    if found:
        print(*found, sep='\n')
        sys.exit(1)
    print('The lists have what the newest agents require, and the archive has what they list.')


if __name__ == '__main__':
    main()
