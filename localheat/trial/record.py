# SPDX-License-Identifier: Apache-2.0
"""What is remembered of the stacks that are kept in a cloud, in its folder."""

import contextlib
import dataclasses
import fcntl
import json
import os
import shlex
from collections.abc import Iterator
from typing import Any, Optional

from localheat import files
from localheat.errors import LocalHeatError

FILE = 'trial.json'


@dataclasses.dataclass
class Record:
    """The stacks of a cloud.

    :param own: whether the cloud was started for them, and ends with the last one
    :param stacks: by name, the template, environments and parameters
    :param saved: whether something has been added for good
    """

    directory: str
    own: bool = False
    stacks: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    saved: bool = False

    @classmethod
    def load(cls, directory: str) -> 'Record':
        """Return a cloud's record; a cloud that was started by hand has none at first."""
        directory = os.path.abspath(directory)
        try:
            with open(os.path.join(directory, FILE)) as stream:
                return cls(directory=directory, **json.load(stream))
        except FileNotFoundError:
            return cls(directory)
        except (ValueError, TypeError) as error:
            raise LocalHeatError(
                f'{directory}/{FILE} is damaged: {error}', 'Remove the folder and start anew.'
            )

    def add(
        self, name: str, template: str, environments: 'list[str]', values: 'dict[str, Any]'
    ) -> None:
        """Remember a stack from now on."""
        known = {
            'template': os.path.abspath(template) if '://' not in template else template,
            'environments': [os.path.abspath(path) for path in environments],
            'parameters': values,
        }
        with exclusively(self.directory):
            self._reload()
            self.stacks[name] = known
            self._save()
        self.saved = True

    def remove(self, name: str) -> None:
        """Forget a stack."""
        with exclusively(self.directory):
            self._reload()
            self.stacks.pop(name, None)
            self._save()

    def _reload(self) -> None:
        """Take over what others have added meanwhile."""
        self.stacks = Record.load(self.directory).stacks

    def _save(self) -> None:
        content = {'own': self.own, 'stacks': self.stacks}
        files.write(os.path.join(self.directory, FILE), json.dumps(content, indent=2) + '\n')

    def choose(self, name: Optional[str]) -> str:
        """Return the name of the stack that is meant.

        :raises LocalHeatError: when there is none, or more than one
        """
        if name is not None:
            if name not in self.stacks:
                raise LocalHeatError(f'No stack {name} is kept in {self.directory}.')
            return name
        if not self.stacks:
            raise LocalHeatError(
                f'No stack is kept in {self.directory}.', 'Keep one with --keep TEMPLATE.'
            )
        if len(self.stacks) > 1:
            raise LocalHeatError(
                'Several stacks are kept.', f'Name one with --stack: {", ".join(self.stacks)}'
            )
        return next(iter(self.stacks))

    def usage(self, name: str) -> str:
        """Return how a stack is used that has just been made."""
        from localheat.trial.options import KEPT

        program = os.environ.get('LOCALHEAT_PROGRAM') or 'python -m localheat'
        where = '' if self.directory == KEPT else f' --cloud {shlex.quote(self.directory)}'
        if len(self.stacks) > 1:
            where += f' --stack {name}'
        return f"""
The stack {name} is kept. To use it:
  eval "$({program} env {shlex.quote(self.directory)})"   then: openstack stack show {name}
  {program} --update{where} [-P NAME=VALUE]... [TEMPLATE]
  {program} --suspend{where}, --resume{where}
  {program} --console SERVER{where}, --shell SERVER{where}
  {program} --delete{where}"""


@contextlib.contextmanager
def exclusively(directory: str) -> Iterator[None]:
    """Be the only one of these commands that changes a cloud."""
    with open(os.path.join(directory, 'trial.lock'), 'a') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
