# SPDX-License-Identifier: Apache-2.0
"""Containers and pods, through a command line like docker's.

What the hooks docker-cmd and podman share.  The file lies beside the hooks,
like heat_hook.py.

A container carries labels, by which it is found again whatever its name is:
``managed_by`` (the hook), ``config_id`` (the deployment's id),
``container_name`` (as in the config), ``deploy_stack_id`` and
``deploy_resource_name``.
"""

import json
import os
import secrets
import shutil
import tempfile

import heat_options
from heat_container_config import (
    EXEC_KEYS,
    Environment,
    check,
    healthcheck,
    options,
    start_order,
    texts,
    ulimits,
    words,
)
from heat_documents import documents, submap
from heat_hook import (
    BAD_DATA,
    FAILED,
    NOT_FOUND,
    Deployment,
    HookError,
    Result,
    Workspace,
    as_text,
    file_name,
    log,
    make_folder,
    run,
    write_file,
)
from heat_names import container_name
from heat_registries import OPTION as REGISTRIES
from heat_registries import logged_in
from heat_removal import delete

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable

LIST_LIMIT = 16 * 1024 * 1024  # bytes: some ten thousand containers

#: The options of both hooks.
OPTIONS = (REGISTRIES,)


class Container:
    """A container that there is.

    :param labels: its labels, or None for a container without.
    """

    def __init__(self, id: str, name: str, labels: 'dict[str, str] | None') -> None:
        self.id = id
        self.name = name
        self.labels = labels or {}


class Engine:
    """A program with docker's commands, for the containers of one hook.

    :param tool: the hook's name.
    :param program: its name, or its path.
    """

    #: The variable that names where a login is kept.
    login_variable = 'DOCKER_CONFIG'
    #: How long a name must be.
    shortest_name = 2
    #: Whether containers can be given secrets that the engine has by itself.
    has_secrets = False

    def __init__(self, tool: str, program: str) -> None:
        self.tool = tool
        self._program = program
        self._folder = Workspace(tool, Deployment({})).folder
        self._env: dict[str, str] = {}

    def deploy(self, deployment: Deployment) -> Result:
        """Run what a deployment's config says, in place of what it said before."""
        if deployment.action == 'DELETE':
            return delete(lambda: self._remove_previous(deployment))
        wanted = documents(deployment)
        if not wanted:
            return self._remove_if_possible(deployment)
        warnings = self.check(wanted, deployment)
        if warnings and heat_options.is_strict(deployment.options):
            raise HookError('\n'.join(warnings), BAD_DATA)
        with logged_in(self._program, deployment, self._folder, self.login_variable) as env:
            self._env = env
            notes = self._remove_previous(deployment).stderr
            result = merged(list(self.start(wanted, deployment)))
        for warning in warnings:
            log(f'Warning: {warning}')
            notes += f'Warning: {warning}\n'
        result.stderr = notes + result.stderr
        return result

    def _remove_if_possible(self, deployment: Deployment) -> Result:
        """With nothing to run: where there is no such program there is nothing to remove."""
        try:
            return self._remove_previous(deployment)
        except HookError as error:
            if error.status_code != NOT_FOUND:
                raise
            return Result()

    def check(self, wanted: 'list[dict[str, Any]]', deployment: Deployment) -> 'list[str]':
        """Find the mistakes in a config before any of it is carried out.

        :returns: what may be a mistake.
        :raises HookError: when there is one.
        """
        if len(wanted) > 1:
            raise HookError('The config must be one map, from names of containers.', BAD_DATA)
        warnings = []
        for config in wanted:
            for name, container in config.items():
                warnings += check(name, container)
                self._check_secrets(name, container.get('secrets'), deployment)
        return warnings

    def _check_secrets(self, name: str, value: 'Any', deployment: Deployment) -> None:
        if isinstance(value, dict):
            for secret, input_name in value.items():
                if deployment.inputs.get(as_text(input_name)) is None:
                    raise HookError(
                        f'{name}: secrets: {secret} needs the input {as_text(input_name)}, which '
                        'is missing or null.',
                        BAD_DATA,
                    )
        elif value and not self.has_secrets:
            raise HookError(
                f'{name}: secrets must be a map from the names of files to the names of inputs: '
                f'{self._program} has no secrets of its own.',
                BAD_DATA,
            )

    def start(self, wanted: 'list[dict[str, Any]]', deployment: Deployment) -> 'Iterable[Result]':
        """Run a config's containers, in their order, even when one fails."""
        containers = [item for config in wanted for item in config.items()]
        for name, container in sorted(containers, key=start_order):
            name = str(name)
            if container.get('action') == 'exec':
                result = self._exec(name, container, deployment)
            else:
                result = self._run(name, container, deployment)
            expected = container.get('exit_codes') or [0]
            expected = expected if isinstance(expected, list) else [expected]
            if str(result.status_code) in map(str, expected):
                result.status_code = 0
            else:
                action = container.get('action') or 'run'
                problem = f'{name}: {action} ended with status {result.status_code}.'
                log(problem)
                result.stderr += problem + '\n'
                result.status_code = result.status_code or FAILED
            yield result

    def _run(self, name: str, container: 'dict[str, Any]', deployment: Deployment) -> Result:
        arguments = ['--name', self._unused_name(container_name(name, self.shortest_name))]
        labels = dict(self.labels(deployment), container_name=name)
        arguments += [f'--label={label}={value}' for label, value in labels.items()]
        if container.get('detach', True) not in (False, 'false'):
            arguments.append('--detach=true')
        arguments += options(container) + ulimits(name, container) + healthcheck(name, container)
        arguments += self._secrets(name, container.get('secrets'), deployment)
        command = words(container.get('command'))
        if container.get('entrypoint') is not None:
            # The command line takes one word for it; the others come before the command.
            first, *rest = words(container['entrypoint']) or ['']
            arguments.append(f'--entrypoint={first}')
            command = rest + command
        return self._call(
            'run', arguments, [as_text(container['image']), *command], name, container
        )

    def _exec(self, name: str, container: 'dict[str, Any]', deployment: Deployment) -> Result:
        where, *command = words(container['command'])
        for found in self.find(container_name=where, config_id=deployment.id):
            where = found.name
        return self._call('exec', options(container, EXEC_KEYS), [where, *command], name, container)

    def _call(
        self,
        command: str,
        arguments: 'list[str]',
        rest: 'list[str]',
        name: str,
        container: 'dict[str, Any]',
    ) -> Result:
        """Run or exec, with the container's variables."""
        environment = Environment(name, container)
        with tempfile.TemporaryDirectory(prefix='heat-config-') as folder:  # 0700
            if environment.lines:
                path = os.path.join(folder, 'env')
                write_file(path, '\n'.join(environment.lines) + '\n')
                arguments = arguments + [f'--env-file={path}']
            return self.call(
                [command, *arguments, *environment.options, *rest], env=environment.variables
            )

    def _secrets(self, name: str, value: 'Any', deployment: Deployment) -> 'list[str]':
        """Files below /run/secrets, as long as the container is there."""
        if not isinstance(value, dict):
            return [f'--secret={secret}' for secret in texts(value)]
        folder = os.path.join(self._secrets_of(deployment.id), file_name(name))
        arguments = []
        for secret, input_name in value.items():
            make_folder(folder)
            path = os.path.join(folder, secret)
            # The folder keeps others out; in the container, any user may need it.
            write_file(path, as_text(deployment.inputs[as_text(input_name)]), 0o444)
            arguments.append(f'--volume={path}:/run/secrets/{secret}:ro,z')
        return arguments

    def _secrets_of(self, config_id: str) -> str:
        return os.path.join(self._folder, 'secrets', file_name(config_id))

    def _unused_name(self, name: str) -> str:
        """The name, or one that begins with it where somebody else has it."""
        # Not by inspect, which takes the beginning of an id for a name, too.
        used = self._check('ps', '--all', '--format={{.Names}}').replace(',', '\n').split()
        unused = name
        while unused in used:
            unused = f'{name}-{secrets.token_hex(4)}'
        return unused

    def labels(self, deployment: Deployment) -> 'dict[str, str]':
        """By which all that belongs to a deployment is found again."""
        inputs = deployment.inputs
        return {
            'managed_by': self.tool,
            'config_id': deployment.id,
            'deploy_stack_id': as_text(inputs.get('deploy_stack_id')),
            'deploy_resource_name': as_text(inputs.get('deploy_resource_name')),
        }

    def _remove_previous(self, deployment: Deployment) -> Result:
        """Remove what the same resource of the same stack has run before.

        :returns: notes of what was gone already.
        """
        labels = self.labels(deployment)
        # By another action of the same resource it has another id.
        notes = self.remove(config_id=labels.pop('config_id'))
        if labels['deploy_stack_id'] and labels['deploy_resource_name']:
            notes += self.remove(**labels)
        return Result(stderr=notes)

    def remove_stale(self, current: 'list[Deployment]') -> None:
        """Remove what belongs to deployments that Heat no longer has.

        A name that has become free by that goes to whoever wanted it.

        :param current: those it has.
        """
        ids = {deployment.id for deployment in current}
        for config_id in sorted(self.config_ids() - ids):
            log(f'{self.tool}: removing what ran for {config_id}, which Heat no longer has')
            self.remove(config_id=config_id)
        for container in self.find():
            wanted = container_name(
                container.labels.get('container_name') or container.name, self.shortest_name
            )
            if wanted != container.name and self._unused_name(wanted) == wanted:
                self._check('rename', container.name, wanted)

    def config_ids(self) -> 'set[str]':
        """The ids of the deployments that something runs for."""
        return {container.labels.get('config_id', '') for container in self.find()}

    def remove(self, **labels: str) -> str:
        """Remove all containers of this hook with such labels, and their secrets.

        :returns: a note when they were gone already.
        :raises HookError: when one stays.
        """
        found = self.find(**labels)
        notes = self._rm(['rm', '--force'], [container.id for container in found], labels)
        for container in found:
            shutil.rmtree(
                self._secrets_of(container.labels.get('config_id', '')), ignore_errors=True
            )
        return notes

    def _rm(self, command: 'list[str]', ids: 'list[str]', labels: 'dict[str, str]') -> str:
        if not ids:
            return ''
        result = self._quietly(*command, *ids)
        if not result.status_code:
            return ''
        # Somebody else may have been faster.
        if self.ids(command, labels):
            raise HookError(
                f'{self._program} {" ".join(command)} failed: {result.stderr.strip()}',
                result.status_code,
            )
        return f'Some of what was to be removed was gone already: {result.stderr.strip()}\n'

    def ids(self, command: 'list[str]', labels: 'dict[str, str]') -> 'list[str]':
        """The ids of what there is with such labels.

        :param command: the one that removes it.
        """
        return self._check('ps', '--all', '--quiet', '--no-trunc', *self._filters(labels)).split()

    def find(self, **labels: str) -> 'list[Container]':
        """All containers of this hook with such labels, running or not."""
        ids = self.ids(['rm'], labels)
        if not ids:
            return []
        # One that has gone meanwhile makes it fail, after it told of the others.
        told = self._quietly(
            'container', 'inspect', '--format', '{{.Id}} {{.Name}} {{json .Config.Labels}}', *ids
        ).stdout
        containers = []
        for line in told.splitlines():
            id, _, rest = line.partition(' ')
            name, _, labels_ = rest.partition(' ')
            containers.append(Container(id, name.lstrip('/'), self._parse(labels_)))
        return containers

    def _filters(self, labels: 'dict[str, str]') -> 'list[str]':
        return [
            f'--filter=label={label}={value}'
            for label, value in dict(labels, managed_by=self.tool).items()
        ]

    def call(
        self, arguments: 'list[str]', stdin: bytes = b'', env: 'dict[str, str] | None' = None
    ) -> Result:
        """Run a command whose output is the deployment's."""
        return run([self._program] + arguments, stdin=stdin, env=dict(self._env, **(env or {})))

    def _parse(self, text: str) -> 'Any':
        try:
            return json.loads(text)
        except ValueError:
            raise HookError(f'{self._program} printed no JSON: {text[:200]!r}.')

    def _quietly(self, *arguments: str) -> Result:
        return run(
            [self._program, *arguments], limit=LIST_LIMIT, on_stdout=_ignore, on_stderr=_ignore
        )

    def _check(self, *arguments: str) -> str:
        """Run a command that must succeed.

        :returns: what it printed.
        :raises HookError: when it does not.
        """
        result = self._quietly(*arguments)
        if result.status_code:
            raise HookError(
                f'{self._program} {arguments[0]} failed: {result.stderr.strip()}',
                result.status_code,
            )
        return result.stdout


class Podman(Engine):
    """podman, which runs pods as Kubernetes describes them, too."""

    login_variable = 'REGISTRY_AUTH_FILE'
    shortest_name = 1
    has_secrets = True

    def check(self, wanted: 'list[dict[str, Any]]', deployment: Deployment) -> 'list[str]':
        if not any(map(is_kubernetes, wanted)):
            return super().check(wanted, deployment)
        if not all(map(is_kubernetes, wanted)):
            raise HookError(
                'The config has documents of Kubernetes, with apiVersion and kind, '
                'and one that is none.',
                BAD_DATA,
            )
        for document in wanted:
            for metadata in pod_metadata(document):
                submap(metadata, 'labels')
        return []

    def start(self, wanted: 'list[dict[str, Any]]', deployment: Deployment) -> 'Iterable[Result]':
        if not any(map(is_kubernetes, wanted)):
            return super().start(wanted, deployment)
        for document in wanted:
            for metadata in pod_metadata(document):
                submap(metadata, 'labels').update(self.labels(deployment))
        # In one go, for pods refer to other documents.
        text = '\n---\n'.join(json.dumps(document, default=str) for document in wanted)
        return [self.call(['kube', 'play', '-'], text.encode())]

    def config_ids(self) -> 'set[str]':
        return super().config_ids() | {
            (pod.get('Labels') or {}).get('config_id', '') for pod in self._pods({})
        }

    def remove(self, **labels: str) -> str:
        # With their containers.
        notes = self._rm(
            ['pod', 'rm', '--force'], [pod['Id'] for pod in self._pods(labels)], labels
        )
        return notes + super().remove(**labels)

    def ids(self, command: 'list[str]', labels: 'dict[str, str]') -> 'list[str]':
        if command[0] == 'pod':
            return [pod['Id'] for pod in self._pods(labels)]
        return super().ids(command, labels)

    def _pods(self, labels: 'dict[str, str]') -> 'list[dict[str, Any]]':
        listed = self._check('pod', 'ps', '--format=json', *self._filters(labels))
        return self._parse(listed or '[]') or []


def docker() -> Engine:
    """The engine of the hook docker-cmd."""
    return Engine('docker-cmd', os.environ.get('HEAT_DOCKER_CMD') or 'docker')


def podman() -> Podman:
    """The engine of the hook podman."""
    return Podman('podman', os.environ.get('HEAT_PODMAN_CMD') or 'podman')


def is_kubernetes(document: 'dict[str, Any]') -> bool:
    return 'apiVersion' in document and 'kind' in document


def pod_metadata(document: 'dict[str, Any]') -> 'list[dict[str, Any]]':
    """The metadata of a document, and of the pods that it is a template for."""
    found = [submap(document, 'metadata')]
    if 'template' in (document.get('spec') or ()):
        found.append(submap(submap(document['spec'], 'template'), 'metadata'))
    return found


def merged(results: 'list[Result]') -> Result:
    """Several results as one, which fails if any of them did."""
    return Result(
        next((result.status_code for result in results if result.status_code), 0),
        ''.join(result.stdout for result in results),
        ''.join(result.stderr for result in results),
    )


def _ignore(data: bytes) -> None:
    pass
