# SPDX-License-Identifier: Apache-2.0
"""The distributions and releases that this project knows.

All of it stands in distributions.json, one row for each release: commands and tests read that file,
and imagebuild/update-tables writes from it the tables of the documentation and of programs that
cannot read it.
"""

import datetime
import functools
import json
import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from imagebuild.errors import Refusal

DATA = pathlib.Path(__file__).resolve().parent / 'distributions.json'
#: Shared with the element of the test image, which has to be complete by itself.
FEDORA_SETTINGS = (
    pathlib.Path(__file__).resolve().parent.parent
    / 'test-image/elements'
    / 'fedora-heat-test/environment.d/05-fedora-heat-test.bash'
)
#: What Debian's archive calls releases by their age.
SUITES = {'oldstable': 'bookworm', 'stable': 'trixie', 'testing': 'forky'}
#: Parts that the names of diskimage-builder's elements have behind the distribution's.
VARIANTS = ('', '-minimal', '-container', '-heat-test')


@dataclass(frozen=True)
class Release:
    """One release of a distribution.

    :param name: its DIB_RELEASE.
    :param version: as people call it.
    :param python: the version of its python3, where it matters.
    :param end: of its life; None while it is not known.
    :param image: how an image with the agent is verified (`ci`: built, booted and tried on each run
        of the integration tests; `hand`: the same by a command; `unit`: diskimage-builder
        resolves it in the unit tests); empty if there is none.
    :param test_image: the same of an image for tests.
    :param boot_config: the same of boot-config's environments.
    :param install_types: where the agents may come from, as the names of boot-config's environments
        say it: pip, and the packages of the distribution (apt) or of RDO.
    :param cloud_image: what Fedora's image file is called between its kind and its architecture.
    :param no_image: why diskimage-builder cannot build it.
    """

    name: str
    version: str
    python: str
    end: Optional[datetime.date]
    image: str
    test_image: str
    boot_config: str
    install_types: tuple[str, ...]
    cloud_image: str
    no_image: str

    def has_ended(self, today: Optional[datetime.date] = None) -> bool:
        return self.end is not None and self.end < (today or datetime.date.today())


@dataclass(frozen=True)
class Distro:
    """One distribution.

    :param title: its name, for people.
    :param family: in diskimage-builder's words.
    :param ids: its ID in /etc/os-release.
    :param default: the release that is built unless the user names one.
    :param source: what says when releases end.
    :param arches: that its elements can build, in the words of diskimage-builder.
    :param elements: the elements that make a cloud image of it, without `vm`.
    :param profiles: those of bindep.txt, with what its element calls on this machine.
    :param local_image: the elements that read DIB_LOCAL_IMAGE.
    :param needs_local_image: its element cannot fetch the base image itself.
    :param mirrors: for each base element, the variables by which it finds its downloads.
    :param releases: by their names.
    :param ended: releases that are refused, and when their life ended.
    """

    name: str
    title: str
    family: str
    ids: tuple[str, ...]
    default: str
    source: str
    arches: tuple[str, ...]
    elements: tuple[str, ...]
    profiles: tuple[str, ...]
    local_image: tuple[str, ...]
    needs_local_image: bool
    mirrors: Mapping[str, Sequence[str]]
    releases: Mapping[str, Release]
    ended: Mapping[str, str]

    @property
    def settings(self) -> Optional[pathlib.Path]:
        """A file of environment.d with defaults that its element lacks."""
        return FEDORA_SETTINGS if self.name == 'fedora' else None

    def with_test_images(self) -> list[Release]:
        """The releases of which there are test images."""
        return [release for release in self.releases.values() if release.test_image]

    def successor(self, today: Optional[datetime.date] = None) -> Release:
        """The release to use instead of one that has ended."""
        alive = [release for release in self.releases.values() if not release.has_ended(today)]
        return next(
            (release for release in alive if release.name == self.default),
            next((release for release in alive if release.end), alive[-1]),
        )


def _release(row: Mapping[str, str], no_image: Mapping[str, str]) -> Release:
    return Release(
        name=row['release'],
        version=row['version'],
        python=row['python'],
        end=datetime.date.fromisoformat(row['end']) if row['end'] else None,
        image=row['image'],
        test_image=row['test_image'],
        boot_config=row['boot_config'],
        install_types=tuple(row['install_types'].split()),
        cloud_image=row['cloud_image'],
        no_image=no_image.get(row['release'], ''),
    )


@functools.cache
def known() -> Mapping[str, Distro]:
    """Return all distributions by their names."""
    data = json.loads(DATA.read_text(encoding='utf-8'))
    rows = [dict(zip(data['columns'], row)) for row in data['releases']]
    return {
        name: Distro(
            name=name,
            title=values['title'],
            family=values['family'],
            ids=tuple(values['ids']),
            default=values['default'],
            source=values['source'],
            arches=tuple(values['arches']),
            elements=tuple(values['elements']),
            profiles=tuple(values.get('profiles', ['build'])),
            local_image=tuple(values.get('local_image', [])),
            needs_local_image=values.get('needs_local_image', False),
            mirrors=values['mirrors'],
            releases={
                row['release']: _release(row, values.get('no_image', {}))
                for row in rows
                if row['distribution'] == name
            },
            ended=data['ended'].get(name, {}),
        )
        for name, values in data['distributions'].items()
    }


def checked() -> datetime.date:
    """Return the day on which distributions.json was last compared with its sources."""
    return datetime.date.fromisoformat(json.loads(DATA.read_text(encoding='utf-8'))['checked'])


def when(date: datetime.date) -> str:
    """Return a date as people write it, whatever the locale is."""
    months = 'January February March April May June July August September October November December'
    return f'{date.day} {months.split()[date.month - 1]} {date.year}'


def _ended_name(text: str) -> Optional[tuple[Distro, str]]:
    """Return the distribution and release that a name of the past has in one, as in `centos7`."""
    for distro in known().values():
        for release in distro.ended:
            if text in (
                release if release.isalpha() else '',
                f'{distro.name}{release}',
                f'{distro.name}-{release}',
            ):
                return distro, release
    return None


def _obituary(distro: Distro, release: str, option: str = '--release') -> str:
    """Return what became of a release, and what to use instead.

    :param option: that takes a release.
    """
    ended = datetime.date.fromisoformat(distro.ended[release])
    title = distro.title.replace(' Stream', '') if release.isdecimal() else distro.title
    # One without a known end is too new for what is known of it to be relied on.
    living = [
        name
        for name, one in distro.releases.items()
        if one.end and not one.has_ended() and not one.no_image
    ]
    use = f'Use {option} {" or ".join(living)}.' if living else 'No later one can be built.'
    return f'{title} {release} came to its end on {when(ended)}, and is not built any more. {use}'


def by_name(name: str) -> Distro:
    """Return a distribution by the name that a user gave.

    :raises Refusal: it is not known, or a name of the past.
    """
    if name in known():
        return known()[name]
    past = _ended_name(name)
    if past:
        distro, release = past
        reason = _obituary(distro, release, f'--distro {distro.name} with --release')
        raise Refusal(f"There is no distribution '{name}': {reason}")
    raise Refusal(f"The distribution '{name}' is not known. Known are: {', '.join(known())}.")


def by_elements(elements: Sequence[str]) -> Optional[Distro]:
    """Return the distribution that a list of elements builds, None if it cannot be told.

    :raises Refusal: one of them is a name of the past.
    """
    for element in elements:
        for suffix in VARIANTS:
            name = element[: len(element) - len(suffix)] if element.endswith(suffix) else ''
            if name in known():
                return known()[name]
            past = _ended_name(name) if name else None
            if past and past[1].isdecimal():
                return by_name(name)
    return None


def find_release(distro: Distro, name: Optional[str]) -> tuple[str, Optional[Release]]:
    """Return a release's DIB_RELEASE, and what is known of it.

    :param name: a code name, a version or, for Debian, a suite; by default the usual one.
    :raises Refusal: its life has ended long ago.
    """
    wanted = name or distro.default
    if distro.name == 'debian':
        wanted = SUITES.get(wanted, wanted)
    for release in distro.releases.values():
        if wanted.lower() in (release.name.lower(), release.version.lower()):
            return release.name, release
    if wanted in distro.ended:
        raise Refusal(_obituary(distro, wanted))
    return wanted, None


def warning(distro: Distro, name: str) -> Optional[str]:
    """Return what somebody who builds a release should know, None if there is nothing."""
    release = distro.releases.get(name)
    if release is None:
        return (
            f"Warning: the release '{name}' of {distro.title} is not among those that this project "
            f'knows: {", ".join(distro.releases)}.'
        )
    if release.has_ended():
        assert release.end is not None
        successor = distro.successor()
        return (
            f'Warning: {distro.title} {release.version} came to its end on {when(release.end)}, '
            f'and gets no security updates any more. Its successor: {distro.title} '
            f'{successor.version}'
            + (
                f', which diskimage-builder cannot build yet: {successor.no_image}.'
                if successor.no_image
                else f' (--release {successor.name}).'
            )
        )
    return None
