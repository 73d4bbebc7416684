# SPDX-License-Identifier: Apache-2.0
"""Containers and pods, through a command line like docker's.

What the hooks docker-cmd and podman share, and the scripts that remove what
is stale.  The file lies beside the hooks, like heat_hook.py.

A container carries labels, by which it is found again whatever its name is:
``managed_by`` (the hook), ``config_id`` (the deployment's id),
``container_name`` (as in the config), ``deploy_stack_id`` and
``deploy_resource_name``.
"""

import json
import os
import secrets
import shlex

import heat_deployed
from heat_hook import (
    BAD_DATA,
    FAILED,
    NOT_FOUND,
    Deployment,
    HookError,
    Result,
    as_text,
    json_type,
    log,
    run,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable

# The keys of a container's config, and what the command line calls them.
EXEC_OPTIONS = {'privileged': '--privileged', 'user': '--user'}
RUN_OPTIONS = {
    'env_file': '--env-file',
    'environment': '--env',
    'net': '--net',
    'pid': '--pid',
    'ports': '--publish',
    'privileged': '--privileged',
    'restart': '--restart',
    'user': '--user',
    'volumes': '--volume',
    'volumes_from': '--volumes-from',
}
LIST_LIMIT = 16 * 1024 * 1024  # bytes: some ten thousand containers


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

    def __init__(self, tool: str, program: str) -> None:
        self.tool = tool
        self._program = program

    def deploy(self, deployment: Deployment) -> Result:
        """Run what a deployment's config says, in place of what it said before."""
        wanted = [] if deployment.action == 'DELETE' else documents(deployment)
        self.check(wanted)
        try:
            self._remove_previous(deployment)
        except HookError as error:
            # Where there is no such program there is nothing to remove.
            if wanted or error.status_code != NOT_FOUND:
                raise
        return merged(list(self.start(wanted, deployment)))

    def check(self, wanted: 'list[dict[str, Any]]') -> None:
        """Find the mistakes in a config before any of it is carried out.

        :raises HookError: when there is one.
        """
        if len(wanted) > 1:
            raise HookError('The config must be one map, from names of containers.', BAD_DATA)
        for config in wanted:
            for name, container in config.items():
                check_container(name, container)

    def start(self, wanted: 'list[dict[str, Any]]', deployment: Deployment) -> 'Iterable[Result]':
        """Run a config's containers, in their order, even when one fails."""
        containers = [item for config in wanted for item in config.items()]
        for name, container in sorted(containers, key=start_order):
            name = str(name)
            if container.get('action') == 'exec':
                command = self._exec_command(container, deployment)
            else:
                command = self._run_command(name, container, deployment)
            result = self.call(command)
            expected = container.get('exit_codes') or [0]
            expected = expected if isinstance(expected, list) else [expected]
            if str(result.status_code) in map(str, expected):
                result.status_code = 0
            else:
                problem = f'{name}: {command[0]} ended with status {result.status_code}.'
                log(problem)
                result.stderr += problem + '\n'
                result.status_code = result.status_code or FAILED
            yield result

    def _run_command(
        self, name: str, container: 'dict[str, Any]', deployment: Deployment
    ) -> 'list[str]':
        command = ['run', '--name', self._unused_name(name)]
        labels = dict(self.labels(deployment), container_name=name)
        command += [f'--label={label}={value}' for label, value in labels.items()]
        if container.get('detach', True):
            command.append('--detach=true')
        return (
            command
            + options(container, RUN_OPTIONS)
            + [as_text(container['image'])]
            + words(container.get('command'))
        )

    def _exec_command(self, container: 'dict[str, Any]', deployment: Deployment) -> 'list[str]':
        name, *command = words(container['command'])
        for found in self.find(container_name=name, config_id=deployment.id):
            name = found.name
        return ['exec'] + options(container, EXEC_OPTIONS) + [name] + command

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

    def _remove_previous(self, deployment: Deployment) -> None:
        """Remove what the same resource of the same stack has run before."""
        labels = self.labels(deployment)
        self.remove(config_id=labels.pop('config_id'))
        if labels['deploy_stack_id'] and labels['deploy_resource_name']:
            self.remove(**labels)

    def remove_stale(self, current: 'set[str]') -> None:
        """Remove what belongs to deployments that Heat no longer has.

        A name that has become free by that goes to whoever wanted it.

        :param current: the ids of those it has.
        """
        for config_id in self.config_ids() - current:
            log(f'{self.tool}: removing what ran for {config_id}, which Heat no longer has')
            self.remove(config_id=config_id)
        containers = self.find()
        for container in containers:
            wanted = container.labels.get('container_name') or container.name
            if wanted != container.name and self._unused_name(wanted) == wanted:
                self._check('rename', container.name, wanted)

    def config_ids(self) -> 'set[str]':
        """The ids of the deployments that something runs for."""
        return {container.labels.get('config_id', '') for container in self.find()}

    def remove(self, **labels: str) -> None:
        """Remove all containers of this hook with such labels."""
        ids = [container.id for container in self.find(**labels)]
        if ids:
            self._check('rm', '--force', *ids)

    def find(self, **labels: str) -> 'list[Container]':
        """All containers of this hook with such labels, running or not."""
        ids = self._check('ps', '--all', '--quiet', '--no-trunc', *self._filters(labels)).split()
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

    def call(self, arguments: 'list[str]', stdin: bytes = b'') -> Result:
        """Run a command whose output is the deployment's."""
        return run([self._program] + arguments, stdin=stdin)

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

    def check(self, wanted: 'list[dict[str, Any]]') -> None:
        if not any(map(is_kubernetes, wanted)):
            super().check(wanted)
        elif not all(map(is_kubernetes, wanted)):
            raise HookError(
                'The config has documents of Kubernetes, with apiVersion and kind, '
                'and one that is none.',
                BAD_DATA,
            )
        else:
            for document in wanted:
                for metadata in pod_metadata(document):
                    submap(metadata, 'labels')

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
            (pod.get('Labels') or {}).get('config_id', '') for pod in self._pods()
        }

    def remove(self, **labels: str) -> None:
        ids = [pod['Id'] for pod in self._pods(**labels)]
        if ids:  # with their containers
            self._check('pod', 'rm', '--force', *ids)
        super().remove(**labels)

    def _pods(self, **labels: str) -> 'list[dict[str, Any]]':
        listed = self._check('pod', 'ps', '--format=json', *self._filters(labels))
        return self._parse(listed or '[]') or []


def docker() -> Engine:
    """The engine of the hook docker-cmd."""
    return Engine('docker-cmd', os.environ.get('HEAT_DOCKER_CMD') or 'docker')


def podman() -> Podman:
    """The engine of the hook podman."""
    return Podman('podman', os.environ.get('HEAT_PODMAN_CMD') or 'podman')


def remove_stale(engine: Engine) -> None:
    """Remove the containers of deployments that Heat no longer has."""
    try:
        engine.remove_stale(
            {
                str(deployment.get('id'))
                for deployment in heat_deployed.metadata()
                if isinstance(deployment, dict)
            }
        )
    except Exception as error:
        # Not by the exit status: that would keep the deployments waiting that come next.
        log(f'{engine.tool}: stale containers are left: {error}')


def documents(deployment: Deployment) -> 'list[dict[str, Any]]':
    """The config's maps: itself, or those that its text has as JSON or YAML.

    :raises HookError: when it has anything else.
    """
    config = deployment.config
    found = load(config) if isinstance(config, str) else [config]
    for document in found:
        if document and not isinstance(document, dict):
            raise HookError(f'The config must be a map, and is a {json_type(document)}.', BAD_DATA)
    return [document for document in found if document]


def load(text: str) -> 'list[Any]':
    """The documents of a text that is JSON or YAML."""
    try:
        return [json.loads(text)] if text.strip() else []
    except ValueError:
        pass
    try:
        import yaml  # few configs need it, and not every server has it
    except ImportError:
        raise HookError(
            'The config is no JSON, and to read YAML this Python needs PyYAML.', NOT_FOUND
        )
    try:
        return list(yaml.safe_load_all(text))
    except yaml.YAMLError as error:
        raise HookError(f'The config is neither JSON nor YAML: {error}', BAD_DATA)


def check_container(name: str, container: 'Any') -> None:
    """Find the mistakes in one container's config.

    :raises HookError: when there is one.
    """
    if not isinstance(container, dict):
        raise HookError(f'{name}: must be a map, and is a {json_type(container)}.', BAD_DATA)
    start_order((name, container))
    words(container.get('command'))
    action = container.get('action', 'run')
    if action not in ('run', 'exec'):
        raise HookError(f'{name}: the action is run or exec, and not {action!r}.', BAD_DATA)
    if action == 'run' and not container.get('image'):
        raise HookError(f'{name}: has no image.', BAD_DATA)
    if action == 'exec' and not words(container.get('command')):
        raise HookError(
            f"{name}: the command to exec must begin with a container's name.", BAD_DATA
        )
    known = {'action', 'command', 'detach', 'exit_codes', 'image', 'name', 'start_order'}
    for key in sorted(set(container) - known - set(RUN_OPTIONS)):
        log(f'{name}: {key} is not known, and has no effect')


def start_order(item: 'tuple[str, dict[str, Any]]') -> float:
    """When a container's turn is, for sorting; 0 by default."""
    name, container = item
    try:
        return float(container.get('start_order') or 0)
    except (TypeError, ValueError):
        raise HookError(f'{name}: start_order must be a number.', BAD_DATA)


def options(container: 'dict[str, Any]', names: 'dict[str, str]') -> 'list[str]':
    """A container's config as options of the command line."""
    return [
        f'{option}={value}' for key, option in names.items() for value in values(container.get(key))
    ]


def values(value: 'Any') -> 'list[str]':
    """A value as what the command line takes, one by one; empty ones are left out."""
    if isinstance(value, dict):
        value = [key if item is None else f'{key}={as_text(item)}' for key, item in value.items()]
    if not isinstance(value, list):
        value = [value]
    return [text for text in map(as_text, value) if text]


def words(command: 'Any') -> 'list[str]':
    """A command, a list or a text as in a shell, as a list."""
    if not command:
        return []
    if isinstance(command, list):
        return [as_text(word) for word in command]
    try:
        return shlex.split(as_text(command))
    except ValueError as error:
        raise HookError(f'The command {command!r} cannot be split into words: {error}.', BAD_DATA)


def is_kubernetes(document: 'dict[str, Any]') -> bool:
    return 'apiVersion' in document and 'kind' in document


def pod_metadata(document: 'dict[str, Any]') -> 'list[dict[str, Any]]':
    """The metadata of a document, and of the pods that it is a template for."""
    found = [submap(document, 'metadata')]
    if 'template' in (document.get('spec') or ()):
        found.append(submap(submap(document['spec'], 'template'), 'metadata'))
    return found


def submap(parent: 'dict[str, Any]', key: str) -> 'dict[str, Any]':
    """A map in a map; made where it is missing."""
    child = parent.get(key) or {}
    if not isinstance(child, dict):
        raise HookError(f'{key} must be a map, and is a {json_type(child)}.', BAD_DATA)
    parent[key] = child
    return child


def merged(results: 'list[Result]') -> Result:
    """Several results as one, which fails if any of them did."""
    return Result(
        next((result.status_code for result in results if result.status_code), 0),
        ''.join(result.stdout for result in results),
        ''.join(result.stderr for result in results),
    )


def _ignore(data: bytes) -> None:
    pass
