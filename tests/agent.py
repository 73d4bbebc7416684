# SPDX-License-Identifier: Apache-2.0
"""The part of an agent that carries out deployments, laid out in a sandbox as on a server."""

import json
import os
import pathlib
import shutil
from collections.abc import Mapping
from typing import Any, Optional

import fixtures

from tests import deployments, sandbox

ELEMENT = pathlib.Path(__file__).resolve().parent.parent / 'elements' / 'heat-config'
SCRIPT_HOOK = ELEMENT.parent / 'heat-config-script' / 'install.d' / 'hook-script.py'
DISPATCHER = ELEMENT / 'os-refresh-config' / 'configure.d' / '55-heat-config'


class Agent(fixtures.Fixture):
    """Folders of a server, with the script hook, and what works on them.

    :param box: what its programs run in.
    :param python: the interpreter of its programs and hooks; by default the sandbox's.
    """

    def __init__(self, box: sandbox.Sandbox, python: Optional[sandbox.PathLike] = None) -> None:
        super().__init__()
        self.box = box
        self._python = python
        self.folder = box.root / 'agent'
        self.hooks = self.folder / 'hooks'
        #: What DISPATCHER starts.
        self.dispatcher = self.hooks / 'heat_dispatcher.py'
        self.deployed = self.folder / 'deployed'
        self.old_deployed = self.folder / 'old-deployed'
        self.logs = self.folder / 'logs'
        self.metadata = self.folder / 'heat-config'

    def _setUp(self) -> None:
        self.hooks.mkdir(parents=True)
        for library in (ELEMENT / 'install.d').glob('heat_*.py'):
            shutil.copy(library, self.hooks)
        self.install_hook('script', SCRIPT_HOOK.read_text())
        for program in (ELEMENT / 'bin').iterdir():
            (self.box.bin / program.name).symlink_to(
                self.hooks / program.resolve().name if program.is_symlink() else program
            )
        if self._python:
            (self.box.bin / 'python3').unlink()
            (self.box.bin / 'python3').symlink_to(self._python)
        self.box.env.update(
            {
                'HEAT_CONFIG_DEPLOYED': str(self.deployed),
                'HEAT_CONFIG_DEPLOYED_OLD': str(self.old_deployed),
                'HEAT_CONFIG_HOOKS': str(self.hooks),
                'HEAT_CONFIG_LOGS': str(self.logs),
                'HEAT_CONFIG_NOTIFY_PATIENCE': '0',
                'HEAT_SCRIPT_OUTPUTS': str(self.folder / 'outputs'),
                'HEAT_SCRIPT_WORKING': str(self.folder / 'working'),
                'HEAT_SHELL_CONFIG': str(self.metadata),
            }
        )

    def install_hook(self, group: str, text: str, mode: int = 0o755) -> None:
        """Write a program that is a group's hook."""
        hook = self.hooks / group
        hook.write_text(text)
        hook.chmod(mode)

    def give(self, *wanted: Any) -> None:
        """Set the list of deployments that Heat has for the server."""
        self.metadata.write_text(json.dumps(wanted))

    def run(self, *wanted: Any, env: Optional[Mapping[str, str]] = None) -> sandbox.Completed:
        """Run the dispatcher on a list of deployments."""
        self.give(*wanted)
        return self.run_again(env=env)

    def run_again(self, *args: str, env: Optional[Mapping[str, str]] = None) -> sandbox.Completed:
        """Run the dispatcher on the deployments that there were."""
        return self.box.run([DISPATCHER, *args], env=env)

    def state(self, name: str) -> 'dict[str, Any]':
        """A deployment's state."""
        return json.loads((self.deployed / f'{name}.state').read_text())

    def response(self, name: str) -> 'dict[str, Any]':
        """What a deployment's hook answered."""
        return json.loads((self.deployed / f'{name}.notify.json').read_text())

    def log(self, name: str) -> str:
        return (self.logs / f'{name}.log').read_text()

    def files(self) -> 'list[str]':
        """The names of all that is on record, and of what was left half-written."""
        return sorted(
            name for name in os.listdir(self.deployed) if name[0] != '.' or name.endswith('.tmp')
        )


def script(
    name: str,
    text: str = 'true',
    *,
    url: Optional[str] = None,
    inputs: Optional[Mapping[str, Any]] = None,
    **fields: Any,
) -> 'dict[str, Any]':
    """A deployment of the group script, by CFN_SIGNAL; without a URL, of which none is awaited.

    :param name: its id, its name, and that of its resource.
    :param text: the script, without its first line.
    """
    values = {'deploy_resource_name': name}
    if url:
        values['deploy_signal_id'] = url
    fields = dict({'id': name, 'name': name, 'config': f'#!/bin/sh\n{text}\n'}, **fields)
    return deployments.load(
        'script-cfn-signal' if url else 'script-no-signal',
        inputs=dict(values, **(inputs or {})),
        **fields,
    )
