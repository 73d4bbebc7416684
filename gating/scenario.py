# SPDX-License-Identifier: Apache-2.0
"""The scenario of the functional job: a server that gets its agent, and deployments for it.

What it demands of the hooks is what heat-tempest-plugin's test_server_software_config demands.
"""

import json
import pathlib
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gating.checkout import Wheel
from localheat.cli import CACHE
from localheat.client import Stack, Stacks
from localheat.errors import LocalHeatError
from localheat.services import Cloud

TEMPLATE = pathlib.Path(__file__).with_name('templates') / 'scenario.yaml'
GREETING, TARGET = 'hello', 'heat-scenario'
CONSOLE_LINES = 60
#: What a console shows, and what it means.
MARKS = (
    (re.compile(r'Cloud-init v\. \S+ running'), 'cloud-init runs'),
    (re.compile('heat-agent-boot: configure the agent'), "the agent's files are read from Heat"),
    (re.compile('heat-agent-boot: start the agent'), 'the agent is installed'),
    (re.compile('heat-agent-boot: done'), 'the agent is started'),
    (re.compile(r'Running \S+/55-heat-config'), 'the agent has read its deployments'),
)


@dataclass(frozen=True)
class Setting:
    """What is under test.

    :param environment: path of the environment with Heat::InstallConfigAgent.
    :param parameters: defaults of parameters, for that environment.
    :param under_test: wheels that the server must have installed in the end.
    :param limit: seconds for boot and deployments.
    """

    image: pathlib.Path
    kind: str
    environment: pathlib.Path
    parameters: dict[str, str]
    under_test: Sequence[Wheel]
    limit: float


def run(setting: Setting, folder: pathlib.Path, say: Callable[[str], None]) -> list[str]:
    """Carry the scenario out, and say each step.

    :param folder: a new one, for the cloud's logs and the console.
    :returns: what is not as it should be, in words.
    """
    try:
        images = {'image': str(setting.image)}
        with Cloud.create(str(folder), images, CACHE, setting.kind) as cloud:
            say('the services answer')
            stacks = Stacks(cloud.environment)
            more = folder / 'parameters.yaml'
            more.write_text(json.dumps({'parameter_defaults': setting.parameters}))
            stack = stacks.create(
                'scenario',
                str(TEMPLATE),
                {'flavor': setting.kind, 'image': 'image', 'greeting': GREETING, 'target': TARGET},
                environments=[str(setting.environment), str(more)],
                timeout_minutes=int(setting.limit / 60) + 1,
            )
            say('the stack is asked for')
            failures = Watch(stacks, stack, say).until_done(setting.limit)
            return failures or (check_answers(stack) + check_versions(stack, setting.under_test))
    except LocalHeatError as error:
        return [str(error)]


class Watch:
    """Follows a stack with one server, and says what happens."""

    def __init__(self, stacks: Stacks, stack: Stack, say: Callable[[str], None]) -> None:
        self._stacks = stacks
        self._stack = stack
        self._say = say
        self._marks = list(MARKS)
        self._done: set[str] = set()
        self._seen: dict[str, Any] = {}

    def until_done(self, limit: float) -> list[str]:
        """Wait until the stack is complete.

        :returns: why it is not, or what changed under the agent's hands.
        """
        end = time.monotonic() + limit
        while time.monotonic() < end:
            # First, for what happened before is seen after.
            status = self._stack.status
            self._look()
            if status.endswith('_FAILED'):
                return [self._failure(f'The stack is {status}.')]
            if status.endswith('_COMPLETE'):
                return self._changed()
            time.sleep(1)
        return [self._failure(f'The stack is not complete after {limit / 60:g} minutes.')]

    def _look(self) -> None:
        for resource in self._stack.resources(0):
            name, status = resource.resource_name, resource.resource_status
            if (
                name not in self._done
                and status == 'CREATE_COMPLETE'
                and (
                    resource.resource_type == 'OS::Nova::Server'
                    or 'Deployment' in resource.resource_type
                )
            ):
                self._done.add(name)
                self._say('the server boots' if name == 'server' else f'{name} is complete')
        if 'server' not in self._done:
            return
        for deployment in self._stack.metadata('server').get('deployments', ()):
            self._seen.setdefault(deployment['name'], deployment)
        console = self._console(5000)
        for mark, meaning in list(self._marks):
            if mark.search(console):
                self._marks.remove((mark, meaning))
                self._say(meaning)

    def _changed(self) -> list[str]:
        """A deployment whose metadata change would be carried out again."""
        last = {item['name']: item for item in self._stack.metadata('server')['deployments']}
        return [
            f'The deployment {name} has changed while nobody changed it.'
            for name, deployment in self._seen.items()
            if last.get(name) != deployment
        ]

    def _failure(self, what: str) -> str:
        lines = [what]
        for resource in self._stack.resources():
            if not resource.resource_status.endswith('COMPLETE'):
                lines.append(
                    f'{resource.resource_name}: {resource.resource_status}: '
                    f'{resource.resource_status_reason}'
                )
                said = self._said(resource)
                if said:
                    lines.append(said)
        if 'server' in self._done:
            lines += [
                f'The last {CONSOLE_LINES} lines of the console:',
                self._console(CONSOLE_LINES),
            ]
        return '\n'.join(lines)

    def _said(self, resource: Any) -> str:
        """What a failed deployment has said on stderr."""
        if 'Deployment' not in resource.resource_type or not resource.physical_resource_id:
            return ''
        deployment = self._stacks.heat.software_deployments.get(resource.physical_resource_id)
        return str((deployment.output_values or {}).get('deploy_stderr') or '')

    def _console(self, lines: int) -> str:
        return self._stacks.servers.console(self._stack.server('server'), lines)


def check_answers(stack: Stack) -> list[str]:
    """Compare what the hooks have answered with what they must."""
    outputs = stack.outputs()
    server = stack.server('server')
    failures = []

    def expect(what: str, found: Any, *wanted: Any) -> None:
        if found not in wanted:
            failures.append(f'{what} is {found!r} instead of {wanted[0]!r}.')

    for name, path, stderr in (
        ('script', '/tmp/' + TARGET, 'This is stderr\n'),
        ('read_files', '/tmp/heat-scenario-cfn-init', ''),
        ('puppet', '/tmp/puppet-' + TARGET, ''),
    ):
        answer = outputs[name]
        expect(f"{name}'s status code", answer['status'], 0)
        expect(f"{name}'s stderr", answer['stderr'], stderr)
        expect(f"{name}'s output", answer['result'], f'{GREETING} in {path} of {server} at CREATE')
    expect("script's stdout", outputs['script']['stdout'], f'Writing /tmp/{TARGET}\n')
    expect("read_files' stdout", outputs['read_files']['stdout'], '')
    if not outputs['puppet']['stdout']:
        failures.append("puppet's stdout is empty.")
    return failures


def check_versions(stack: Stack, wheels: Sequence[Wheel]) -> list[str]:
    """Make sure that what is under test is what ran."""
    installed = (stack.outputs()['script']['packages'] or '').split()
    names = {f'{"-".join(wheel.path.name.split("-")[:2])}.dist-info': wheel for wheel in wheels}
    return [
        f'{wheel.project} {wheel.version} ({wheel.source}) is not installed on the server.'
        for name, wheel in names.items()
        if name not in installed
    ]
