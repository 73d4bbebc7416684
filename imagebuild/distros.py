# SPDX-License-Identifier: Apache-2.0
"""What differs between the distributions that an image can hold.

Names and releases are those of diskimage-builder 3.43's elements. Debian is built in this
project's tests; the others are not.
"""

import pathlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Optional

from imagebuild.errors import Refusal

#: Shared with the element of the test image, which has to be complete by itself.
FEDORA_SETTINGS = (
    pathlib.Path(__file__).resolve().parent.parent
    / 'test-image/elements'
    / 'fedora-heat-test/environment.d/05-fedora-heat-test.bash'
)


@dataclass(frozen=True)
class Distro:
    """One distribution.

    :param elements: the elements that make a cloud image of it, without `vm`.
    :param release: DIB_RELEASE unless the user gives one; None leaves it to the element.
    :param settings: a file of environment.d with defaults that its element lacks.
    :param pythons: the version of python3 in the releases of which there are test images.
    :param profiles: those of bindep.txt, with what its element calls on this machine.
    :param local_image: its element cannot fetch the base image itself.
    """

    name: str
    elements: tuple[str, ...]
    release: Optional[str] = None
    settings: Optional[pathlib.Path] = None
    pythons: Mapping[str, str] = field(default_factory=dict)
    profiles: tuple[str, ...] = ('build',)
    local_image: bool = False


DISTROS = {
    distro.name: distro
    for distro in (
        # A code name: `stable` in a server's apt sources means an upgrade on the day of a release.
        # systemd-resolved: without it the image asks the name servers of the machine that built it.
        Distro(
            'debian',
            ('debian', 'apt-cache', 'systemd-resolved'),
            release='trixie',
            pythons={'bookworm': '3.11', 'trixie': '3.13'},
        ),
        Distro(
            'ubuntu',
            ('ubuntu', 'apt-cache'),
            release='noble',
            pythons={'jammy': '3.10', 'noble': '3.12', 'resolute': '3.14'},
        ),
        Distro(
            'fedora',
            ('fedora',),
            release='43',
            settings=FEDORA_SETTINGS,
            pythons={'42': '3.13', '43': '3.14', '44': '3.14'},
        ),
        Distro(
            'centos',
            ('centos',),
            release='9-stream',
            pythons={'9-stream': '3.9', '10-stream': '3.12'},
        ),
        Distro('rocky', ('rocky-container',), release='9', profiles=('build', 'build-container')),
        Distro('rhel', ('rhel',), release='9', local_image=True),
        Distro('opensuse', ('opensuse',), release='15.6'),
    )
}


def by_name(name: str) -> Distro:
    """Return a distribution by the name that a user gave."""
    if name not in DISTROS:
        raise Refusal(f"The distribution '{name}' is not known. Known are: {', '.join(DISTROS)}.")
    return DISTROS[name]


def by_elements(elements: tuple[str, ...]) -> Optional[Distro]:
    """Return the distribution that a list of elements builds, None if it cannot be told."""
    for element in elements:
        for suffix in ('', '-minimal', '-container'):
            if element.endswith(suffix) and element[: len(element) - len(suffix)] in DISTROS:
                return DISTROS[element[: len(element) - len(suffix)]]
    return None
