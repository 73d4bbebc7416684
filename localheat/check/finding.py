# SPDX-License-Identifier: Apache-2.0
"""One thing that is wrong."""

import dataclasses
from typing import Any

from localheat.template import Resource


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something that is wrong with a template.

    :param fails: whether it will fail; otherwise it may
    :param file: path of the file that is at fault
    :param resource: in it; empty where it is the file as a whole
    :param wrong: what is wrong, a sentence
    :param remedy: what to do, a sentence
    """

    fails: bool
    file: str
    resource: str
    wrong: str
    remedy: str

    @classmethod
    def of(cls, resource: Resource, fails: bool, wrong: str, remedy: str) -> 'Finding':
        return cls(fails, resource.file, resource.path, wrong, remedy)

    def __str__(self) -> str:
        where = ': '.join(part for part in (self.file, self.resource) if part)
        return f'{where}: {"error" if self.fails else "warning"}: {self.wrong} {self.remedy}'

    def as_json(self) -> dict[str, Any]:
        return {
            'level': 'error' if self.fails else 'warning',
            'file': self.file,
            'resource': self.resource,
            'wrong': self.wrong,
            'remedy': self.remedy,
        }
