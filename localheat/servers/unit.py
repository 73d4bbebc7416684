# SPDX-License-Identifier: Apache-2.0
"""As much of a systemd service as it takes to run it without systemd."""

import glob
import os
import re
import shlex
from collections.abc import Sequence
from typing import Optional

from localheat.errors import LocalHeatError

FOLDERS = (
    'etc/systemd/system',
    'usr/local/lib/systemd/system',
    'usr/lib/systemd/system',
    'lib/systemd/system',
)


class Unit:
    """A service of an image.

    :param root: folder of the image's root file system
    :param name: with its suffix, for instance ``os-collect-config.service``
    :raises LocalHeatError: when the image has no such unit
    """

    def __init__(self, root: str, name: str):
        path = self.path(root, name)
        if path is None:
            raise LocalHeatError(
                f'The image has no systemd unit {name}.',
                'Build it with the element {}.'.format(name.rpartition('.')[0]),
            )
        self.root = root
        self.settings: dict[str, list[str]] = {}
        drop_ins = [
            drop_in
            for folder in FOLDERS
            for drop_in in glob.glob(os.path.join(root, folder, name) + '.d/*.conf')
        ]
        for item in [path] + sorted(drop_ins, key=os.path.basename):
            self._read(item)

    @staticmethod
    def path(root: str, name: str) -> Optional[str]:
        """Return where an image has a unit, None if it has no such unit."""
        paths = [os.path.join(root, folder, name) for folder in FOLDERS]
        return next((path for path in paths if os.path.isfile(path)), None)

    @classmethod
    def first(cls, root: str, names: Sequence[str]) -> Optional[str]:
        """Return the first name of a unit that an image has, None if it has none of them."""
        return next((name for name in names if cls.path(root, name)), None)

    def _read(self, path: str) -> None:
        with open(path) as stream:
            text = re.sub(r'\\\n', ' ', stream.read())
        section = ''
        for line in text.splitlines():
            line = line.strip()
            if line.startswith('['):
                section = line.strip('[]')
            elif section == 'Service' and '=' in line and line[0] not in '#;':
                key, value = (part.strip() for part in line.split('=', 1))
                # an empty assignment forgets the earlier ones
                self.settings[key] = self.settings.get(key, []) + [value] if value else []

    def last(self, key: str, default: str = '') -> str:
        """Return the last value of a setting."""
        return (self.settings.get(key) or [default])[-1]

    @property
    def commands(self) -> list[list[str]]:
        """The commands to run one after another; the last one is the service itself."""
        lines = self.settings.get('ExecStartPre', []) + self.settings.get('ExecStart', [])[-1:]
        # doubled, a dollar and a percent sign stand for themselves
        return [
            shlex.split(line.lstrip('-@:+!').replace('$$', '$').replace('%%', '%'))
            for line in lines
        ]

    @property
    def environment(self) -> dict[str, str]:
        """What Environment= and EnvironmentFile= set."""
        result = {}
        for value in self.settings.get('Environment', []):
            result.update(item.split('=', 1) for item in shlex.split(value))
        for value in self.settings.get('EnvironmentFile', []):
            path = os.path.join(self.root, value.lstrip('-/'))
            if os.path.exists(path):
                with open(path) as stream:
                    for line in shlex.split(stream.read(), comments=True):
                        if '=' in line:
                            key, content = line.split('=', 1)
                            result[key] = content
        return result

    @property
    def restart_after(self) -> float:
        """Seconds until it is started again when it has ended."""
        return float(re.sub(r's(ec)?$', '', self.last('RestartSec', '0.1')))
