# SPDX-License-Identifier: Apache-2.0
"""Scripts that no interpreter is named for."""

from collections.abc import Iterator

from localheat.check.finding import Finding
from localheat.check.subject import Subject


def without_interpreter(subject: Subject) -> Iterator[Finding]:
    for config in subject.deployed():
        if config.group != 'script' or not config.text or config.text.startswith('#!'):
            continue
        place = 'in its first column, ' if config.text.lstrip().startswith('#!') else ''
        yield Finding.of(
            config.resource,
            False,
            'The script does not begin with #!, so how it runs is up to the server.',
            f'Make "#!/bin/sh", or another interpreter, its first line, {place}'.rstrip(', ') + '.',
        )
