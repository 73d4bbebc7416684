# SPDX-License-Identifier: Apache-2.0
"""Files that a template names and that there are not."""

from collections.abc import Iterator

from localheat.check.finding import Finding
from localheat.check.subject import Subject


def missing(subject: Subject) -> Iterator[Finding]:
    for path in subject.source.missing:
        yield Finding(
            True,
            subject.source.path,
            '',
            f'get_file names {path}, which there is not.',
            'Its path is relative to the file that names it.',
        )
