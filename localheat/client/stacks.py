# SPDX-License-Identifier: Apache-2.0
"""Stacks: created from files, waited for, asked why they failed."""

import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from heatclient import exc
from heatclient.client import Client
from heatclient.common import template_utils
from keystoneauth1.exceptions import ConnectFailure

from localheat.client.servers import Servers
from localheat.errors import LocalHeatError
from localheat.services.session import connect


class StackFailed(LocalHeatError):
    """A stack that failed, or was not done in time; the message says which resource and why."""


class Stacks:
    """The stacks of a project.

    :param environment: OS_* variables
    """

    def __init__(self, environment: Mapping[str, str]):
        self.servers = Servers(environment)
        self.heat = Client(
            '1',
            session=connect(environment),
            region_name=environment['OS_REGION_NAME'],
            interface=environment.get('OS_INTERFACE', 'public'),
        )

    def create(
        self,
        name: str,
        template: str,
        parameters: Optional[Mapping[str, Any]] = None,
        environments: Sequence[str] = (),
        timeout_minutes: int = 30,
    ) -> 'Stack':
        """Begin to create a stack.

        :param template: path of a file; the files that it names are sent along
        :param environments: paths of environment files
        :raises LocalHeatError: when Heat refuses it
        """
        arguments = _arguments(template, parameters, environments)
        try:
            made = self.heat.stacks.create(
                stack_name=name, timeout_mins=timeout_minutes, **arguments
            )
        except exc.HTTPException as error:
            said = reason(error)
            raise LocalHeatError(
                f'Heat refuses {template}: {said}{culprits(said, arguments["template"])}'
            )
        except ConnectFailure as error:
            raise LocalHeatError(f'Heat cannot be reached: {error}')
        return Stack(self, made['stack']['id'], template)

    def get(self, name: str, template: str) -> 'Stack':
        """Return a stack that is there, by its name or id."""
        return Stack(self, self.heat.stacks.get(name, resolve_outputs=False).id, template)


class Stack:
    """A stack."""

    def __init__(self, stacks: Stacks, identifier: str, template: str):
        self.id = identifier
        self._stacks = stacks
        self._heat = stacks.heat
        self._template = template
        self._action = 'CREATE'

    def update(
        self,
        parameters: Optional[Mapping[str, Any]] = None,
        environments: Sequence[str] = (),
        template: Optional[str] = None,
    ) -> None:
        """Begin to update the stack; parameters not given become their defaults."""
        arguments = _arguments(template or self._template, parameters, environments)
        self._heat.stacks.update(self.id, **arguments)
        self._action = 'UPDATE'

    def suspend(self) -> None:
        self._heat.actions.suspend(self.id)
        self._action = 'SUSPEND'

    def resume(self) -> None:
        self._heat.actions.resume(self.id)
        self._action = 'RESUME'

    def delete(self) -> None:
        """Begin to delete the stack; one that is deleted already stays so."""
        self._action = 'DELETE'
        for attempt in range(3):
            try:
                self._heat.stacks.delete(self.id)
                return
            except exc.HTTPNotFound:
                return
            except exc.HTTPBadRequest as error:
                # a database that was busy; asking again does no harm
                if attempt == 2 or 'Internal Error' not in str(error):
                    raise
                time.sleep(1)

    def wait(self, limit: float, step: float = 0.5) -> None:
        """Wait until what was begun is complete.

        :param limit: in seconds
        :raises StackFailed: when it fails or takes longer
        """
        end = time.monotonic() + limit
        while True:
            try:
                stack = self._heat.stacks.get(self.id, resolve_outputs=False)
            except exc.HTTPNotFound:
                if self._action == 'DELETE':
                    return
                raise
            except ConnectFailure as error:
                # Heat may be on its way back
                if time.monotonic() > end:
                    raise StackFailed(f'Heat cannot be reached: {error}')
                time.sleep(step)
                continue
            action, status = stack.stack_status.split('_', 1)
            if action == self._action and status == 'COMPLETE':
                return
            if action == self._action and status == 'FAILED':
                raise StackFailed(self._failure(stack.stack_status, stack.stack_status_reason))
            if time.monotonic() > end:
                what = f'{stack.stack_status} after {limit} s'
                raise StackFailed(self._failure(what, stack.stack_status_reason))
            time.sleep(step)

    @property
    def status(self) -> str:
        return self._heat.stacks.get(self.id, resolve_outputs=False).stack_status

    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs: values by name."""
        stack = self._heat.stacks.get(self.id)
        return {item['output_key']: item.get('output_value') for item in stack.outputs}

    def resources(self, depth: int = 2) -> list[Any]:
        """Return the stack's resources, those of nested stacks too."""
        return self._heat.resources.list(self.id, nested_depth=depth)

    def events(self) -> list[Any]:
        """Return what happened to the resources, in order."""
        return self._heat.events.list(self.id, nested_depth=2, sort_dir='asc')

    def metadata(self, resource: str) -> dict[str, Any]:
        """Return a resource's metadata; a server's is what its agent gets."""
        return self._heat.resources.metadata(self.id, resource)

    def attribute(self, resource: str, name: str) -> Any:
        return self._heat.resources.get(self.id, resource, with_attr=[name]).attributes[name]

    def server(self, resource: str) -> str:
        """Return the id of a server, by the name of its resource."""
        return self._heat.resources.get(self.id, resource).physical_resource_id

    def _failure(self, what: str, reason: str) -> str:
        """Tell what failed: the resources that did or that are not done, and servers' consoles."""
        lines = [f'Stack {self.id}: {what}: {reason}']
        for resource in self.resources():
            if not resource.resource_status.endswith('COMPLETE'):
                lines.append(
                    f'{resource.resource_name}: {resource.resource_status}: '
                    f'{resource.resource_status_reason}'
                )
            if resource.resource_type == 'OS::Nova::Server' and resource.physical_resource_id:
                lines.append(f'Console of {resource.resource_name}:')
                lines.append(self._console(resource.physical_resource_id))
        return '\n'.join(lines)

    def _console(self, server: str) -> str:
        try:
            return self._stacks.servers.console(server, 40)
        except Exception as error:
            # it must not hide the failure that is told of
            return f'(not available: {error})'


def _arguments(
    template: str, parameters: Optional[Mapping[str, Any]], environments: Sequence[str]
) -> dict[str, Any]:
    """Return what Heat's API takes for files and parameters.

    :raises LocalHeatError: when a file is missing or not YAML
    """
    try:
        files, content = template_utils.get_template_contents(template)
        more, environment = template_utils.process_multiple_environments_and_files(
            env_paths=list(environments)
        )
    except (exc.CommandError, OSError, ValueError) as error:
        raise LocalHeatError(f'{template} cannot be used: {error}')
    return {
        'template': content,
        'files': dict(files, **more),
        'environment': environment,
        'parameters': dict(parameters or {}),
    }


def culprits(said: str, template: Any) -> str:
    """Return which resources have a type that Heat's answer names, where it does not name them."""
    resources = template.get('resources') if isinstance(template, dict) else None
    names = [
        name
        for name, resource in (resources or {}).items()
        if isinstance(resource, dict)
        and re.search(re.escape(str(resource.get('type'))) + r'(?![\w:])', said)
    ]
    return f' (the resources: {", ".join(names)})' if names else ''


def reason(error: exc.HTTPException) -> str:
    """Return the message within Heat's JSON."""
    try:
        return json.loads(str(error.message))['error']['message']
    except (ValueError, KeyError, TypeError):
        return str(error)
