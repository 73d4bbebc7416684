#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Print, one a line, what a virtual environment's own packages require and do not get.

Usage: missing-requirements.py [CONSTRAINTS]

It is for an environment that sees the distribution's packages, and runs in it.
What those require in turn is not looked at, for a distribution may meet it in
a way that pip does not see: Debian's oslo.serialization names tzdata, which is
no Python package there.  Of all that is used, though, a version that is not as
a line of CONSTRAINTS, a file as pip takes it, has it counts as missing.

It needs nothing but Python 3.6's standard library and pip.
"""

import re
import sys
import sysconfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.metadata import Distribution
    from typing import Iterator


def main(constraints: 'str | None') -> None:
    from importlib import metadata

    from pip._vendor.packaging.requirements import Requirement

    def requirements(distribution: 'Distribution') -> 'Iterator[Requirement]':
        for text in distribution.requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({'extra': ''}):
                yield requirement

    pins = {}
    if constraints:
        with open(constraints) as file:
            for line in file:
                # Not those of another file, nor blank lines and remarks.
                if re.match(r'\w', line):
                    pin = Requirement(line.partition(' #')[0].strip())
                    pins[normal(pin.name)] = pin

    own = metadata.distributions(path=[sysconfig.get_path('purelib')])
    pending = [(requirement, True) for item in own for requirement in requirements(item)]
    seen, missing = set(), set()
    while pending:
        requirement, counts = pending.pop()
        name = normal(requirement.name)
        try:
            found = metadata.distribution(requirement.name)
        except metadata.PackageNotFoundError:
            if counts:
                missing.add(str(requirement))
            continue
        pin = pins.get(name)
        if pin is not None and not pin.specifier.contains(found.version, prereleases=True):
            missing.add(str(pin))
        elif counts and not requirement.specifier.contains(found.version, prereleases=True):
            missing.add(str(requirement))
        if pins and name not in seen:
            seen.add(name)
            pending += [(item, False) for item in requirements(found)]
    print(''.join(line + '\n' for line in sorted(missing)), end='')


def normal(name: str) -> str:
    """A project's name as PEP 503 has it."""
    return re.sub('[-_.]+', '-', name).lower()


if __name__ == '__main__':
    main(*sys.argv[1:2] or [None])
