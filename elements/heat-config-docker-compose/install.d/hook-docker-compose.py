#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Group docker-compose: the config is a Compose file, brought up as a project."""

import ast
import json
import os
import re
import shlex
import shutil

import heat_removal
from heat_hook import (
    BAD_DATA,
    Deployment,
    HookError,
    Result,
    Workspace,
    as_text,
    as_yaml,
    file_name,
    json_type,
    log,
    make_folder,
    run,
    write_file,
)
from heat_names import project_name
from heat_options import Option
from heat_registries import OPTION as REGISTRIES
from heat_registries import logged_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FILE = 'docker-compose.yml'
NEW_FILE = '.docker-compose.new.yml'
# In a project's folder: what Compose calls it.
PROJECT_FILE = '.project'
OWN_FILES = (FILE, NEW_FILE, PROJECT_FILE)

OPTIONS = (
    Option('profiles', 'list', 'The profiles whose services are started, too.', (), separator=','),
    Option(
        'files',
        'list',
        'Further Compose files, which add to the config and override it, in this order: their '
        'names in the input ``env_files``.',
        (),
    ),
    Option(
        'pull',
        'string',
        'When images are pulled before the services start; by default when they are missing.',
        choices=('always', 'missing', 'never'),
    ),
    Option(
        'build',
        'boolean',
        'Build the images of services that have a ``build`` section. What that needs must be on '
        'the server, or among the ``env_files``.',
        False,
    ),
    Option(
        'stop_timeout',
        'integer',
        'Seconds that a container has to end when it is stopped; by default what its service '
        "says, or Compose's 10.",
    ),
    Option(
        'interpolate',
        'boolean',
        'Whether ``$NAME`` and ``${NAME}`` stand for variables. By default they do in what the '
        'template says, and values of inputs that were put into a map arrive as they are.',
    ),
    REGISTRIES,
)


class Project:
    """The project of one deployment's name.

    :param name: the deployment's.
    :param folder: with its files.
    """

    def __init__(self, name: str, folder: str) -> None:
        self.folder = folder
        self._deployment_name = name
        self._command = compose() + ['--project-name', self._name()]
        self.env: dict[str, str] = {}

    def _name(self) -> str:
        recorded = self._read(PROJECT_FILE)
        if recorded:
            return recorded
        if os.path.exists(os.path.join(self.folder, FILE)):
            # Brought up by an older version, which told fewer names apart.
            old = re.sub('[^-_a-z0-9]', '', self._deployment_name.lower())
            return old.lstrip('-_') or 'default'
        return project_name(self._deployment_name)

    def _read(self, name: str) -> str:
        try:
            with open(os.path.join(self.folder, name), encoding='utf-8') as file:
                return file.read().strip()
        except FileNotFoundError:
            return ''

    def up(
        self, config: str, env_files: 'list[tuple[str, str]]', options: 'dict[str, Any]'
    ) -> Result:
        """Make the project what the config says; a config with mistakes changes nothing."""
        is_new = not os.path.isdir(self.folder)
        make_folder(self.folder)
        for name, content in env_files:
            path = os.path.join(self.folder, name)
            make_folder(os.path.dirname(path))
            write_file(path, content)
        write_file(os.path.join(self.folder, NEW_FILE), config)
        more = [f'--file={name}' for name in options['files']]
        profiles = [f'--profile={name}' for name in options['profiles']]
        checked = self._run('--file', NEW_FILE, *more, *profiles, 'config', '--quiet')
        if checked.status_code:
            if is_new:
                shutil.rmtree(self.folder)
            return checked
        os.replace(os.path.join(self.folder, NEW_FILE), os.path.join(self.folder, FILE))
        write_file(os.path.join(self.folder, PROJECT_FILE), self._command[-1])
        files = [f'--file={FILE}', *more] if more else []
        if options['pull'] == 'always':
            # By a command of its own, for v1's "up" has no such option.
            pulled = self._run(*files, *profiles, 'pull')
            if pulled.status_code:
                return pulled
        arguments = ['up', '-d', '--build' if options['build'] else '--no-build']
        if options['pull'] == 'never':
            arguments.append('--pull=never')
        if options['stop_timeout'] is not None:
            arguments.append(f'--timeout={options["stop_timeout"]}')
        return self._run(*files, *profiles, *arguments, '--remove-orphans')

    def down(self, stop_timeout: 'int | None' = None) -> Result:
        """Remove the project's containers and networks, then its folder."""
        result = Result()
        if os.path.exists(os.path.join(self.folder, FILE)):
            timeout = [] if stop_timeout is None else [f'--timeout={stop_timeout}']
            result = self._run('down', '--remove-orphans', *timeout)
            if result.status_code:
                return result
        shutil.rmtree(self.folder, ignore_errors=True)
        return result

    def _run(self, *arguments: str) -> Result:
        return run(self._command + list(arguments), cwd=self.folder, env=self.env)


def compose() -> 'list[str]':
    """The command: Compose v2, a plugin of docker, or v1 where that is not there."""
    if os.environ.get('HEAT_DOCKER_COMPOSE_CMD'):
        return shlex.split(os.environ['HEAT_DOCKER_COMPOSE_CMD'])
    v2 = ['docker', 'compose']
    if (
        shutil.which('docker')
        and not run(v2 + ['version'], on_stdout=ignore, on_stderr=ignore).status_code
    ):
        return v2
    return ['docker-compose']


def ignore(data: bytes) -> None:
    pass


def literal(config: 'Any', inputs: 'list[Any]', interpolate: 'bool | None') -> 'Any':
    """A config in which values of inputs mean themselves to Compose, which expands ``$``.

    Heat has replaced ``get_input`` by the values already: those are told by
    being equal to an input's.

    :param interpolate: False if the whole config means itself, True if nothing.
    """
    if interpolate or interpolate is None and isinstance(config, str):
        return config
    return _literal(config, inputs, interpolate is False)


def _literal(value: 'Any', inputs: 'list[Any]', as_it_is: bool) -> 'Any':
    as_it_is = as_it_is or value in inputs
    if isinstance(value, dict):
        # Compose expands no keys.
        return {key: _literal(item, inputs, as_it_is) for key, item in value.items()}
    if isinstance(value, list):
        return [_literal(item, inputs, as_it_is) for item in value]
    return value.replace('$', '$$') if as_it_is and isinstance(value, str) else value


def compose_file(config: 'Any') -> str:
    """The config as a Compose file with services.

    Version 1 of the format had them at the top.
    """
    if isinstance(config, str):
        try:
            config = json.loads(config)
        except ValueError:
            if re.search("""^["']?(services|include)["']? *:""", config, re.MULTILINE):
                return str(config)
            lines = re.sub('^---.*$', '', config, flags=re.MULTILINE).splitlines()
            return '\n  '.join(['services:'] + lines) + '\n'
    if not isinstance(config, dict):
        raise HookError(f'The config must be a Compose file, not a {json_type(config)}.', BAD_DATA)
    return as_yaml(config if {'services', 'include'} & set(config) else {'services': config})


def env_files(value: 'Any') -> 'list[tuple[str, str]]':
    """The names and contents of the files in the input env_files."""
    if isinstance(value, str) and value.strip():
        try:
            value = json.loads(value)
        except ValueError:
            try:
                value = ast.literal_eval(value)  # as templates made it of a Python list
            except (SyntaxError, ValueError):
                pass
    try:
        found = [(as_text(item['file_name']), as_text(item['content'])) for item in value or ()]
    except (KeyError, TypeError):
        raise HookError(
            'The input env_files must be a list of maps with file_name and content.', BAD_DATA
        )
    for name, _ in found:
        path = os.path.normpath(name)
        if os.path.isabs(path) or path.split(os.sep)[0] in ('..', '.') or path in OWN_FILES:
            raise HookError(
                f"env_files: {name!r} must be the path of a file below the project's folder.",
                BAD_DATA,
            )
    return found


def deploy(deployment: Deployment, workspace: Workspace) -> Result:
    options = deployment.options
    folder = os.path.join(workspace.folder, file_name(deployment.name))
    is_deletion = deployment.action == 'DELETE'
    wanted = deployment.config if not is_deletion else None
    if wanted and as_text(wanted).strip():
        inputs = [value for value in deployment.inputs.values() if value]
        config = compose_file(literal(wanted, inputs, options['interpolate']))
        files = env_files(deployment.inputs.get('env_files'))
        with logged_in('docker', deployment, workspace.folder, 'DOCKER_CONFIG') as env:
            project = Project(deployment.name, folder)
            project.env = env
            return project.up(config, files, options)
    if not os.path.isdir(folder):  # nothing is up, and Compose is not needed
        return Result()

    def down() -> Result:
        return Project(deployment.name, folder).down(options['stop_timeout'])

    return heat_removal.delete(down) if is_deletion else down()


def remove_stale(current: 'list[Deployment]') -> None:
    """Take down the projects that no deployment is called by."""
    projects = Workspace('docker-compose', Deployment({})).folder
    wanted = {file_name(deployment.name) for deployment in current}
    found = os.listdir(projects) if os.path.isdir(projects) else []
    # With a dot in front: a login under way.
    for name in sorted(name for name in set(found) - wanted if name[0] != '.'):
        log(f'docker-compose: taking down {name}, which Heat no longer has')
        folder = os.path.join(projects, name)
        try:
            status = Project(name, folder).down().status_code
        except HookError as error:
            log(str(error))
            status = error.status_code
        if status:
            log(f'docker-compose: {name} could not be taken down')


if __name__ == '__main__':
    heat_removal.main(deploy, remove_stale, 'docker-compose', OPTIONS)
