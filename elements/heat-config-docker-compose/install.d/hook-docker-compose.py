#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Group docker-compose: the config is a Compose file, brought up as a project."""

import ast
import json
import os
import re
import shlex
import shutil

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
    main,
    make_folder,
    run,
    write_file,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FILE = 'docker-compose.yml'
NEW_FILE = '.docker-compose.new.yml'
OPTIONS = ()


class Project:
    """The project of one deployment's name.

    :param folder: with its files.
    """

    def __init__(self, name: str, folder: str) -> None:
        self.folder = folder
        # As Compose would make it of the folder's name.
        name = re.sub('[^-_a-z0-9]', '', name.lower()).lstrip('-_') or 'default'
        self._command = compose() + ['--project-name', name]

    def up(self, config: str, env_files: 'list[tuple[str, str]]') -> Result:
        """Make the project what the config says; a config with mistakes changes nothing."""
        is_new = not os.path.isdir(self.folder)
        make_folder(self.folder)
        for name, content in env_files:
            path = os.path.join(self.folder, name)
            make_folder(os.path.dirname(path))
            write_file(path, content)
        write_file(os.path.join(self.folder, NEW_FILE), config)
        checked = self._run('--file', NEW_FILE, 'config', '--quiet')
        if checked.status_code:
            if is_new:
                shutil.rmtree(self.folder)
            return checked
        os.replace(os.path.join(self.folder, NEW_FILE), os.path.join(self.folder, FILE))
        return self._run('up', '-d', '--no-build', '--remove-orphans')

    def down(self) -> Result:
        """Remove the project's containers and networks, then its folder."""
        if os.path.exists(os.path.join(self.folder, FILE)):
            result = self._run('down', '--remove-orphans')
            if result.status_code:
                return result
        else:
            result = Result()
        shutil.rmtree(self.folder, ignore_errors=True)
        return result

    def _run(self, *arguments: str) -> Result:
        return run(self._command + list(arguments), cwd=self.folder)


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


def compose_file(config: 'Any') -> str:
    """The config as a Compose file with services.

    Version 1 of the format had them at the top.
    """
    if isinstance(config, str):
        try:
            config = json.loads(config)
        except ValueError:
            if re.search("""^["']?(services|include)["']? *:""", config, re.MULTILINE):
                return config
            lines = re.sub('^---.*$', '', config, flags=re.MULTILINE).splitlines()
            return '\n  '.join(['services:'] + lines) + '\n'
    if not isinstance(config, dict):
        raise HookError(
            f'The config must be a Compose file, and is a {json_type(config)}.', BAD_DATA
        )
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
        return [(as_text(item['file_name']), as_text(item['content'])) for item in value or ()]
    except (KeyError, TypeError):
        raise HookError(
            'The input env_files must be a list of maps with file_name and content.', BAD_DATA
        )


def deploy(deployment: Deployment, workspace: Workspace) -> Result:
    folder = os.path.join(workspace.folder, file_name(deployment.name))
    wanted = deployment.config if deployment.action != 'DELETE' else None
    if wanted and as_text(wanted).strip():
        config = compose_file(wanted)
        return Project(deployment.name, folder).up(
            config, env_files(deployment.inputs.get('env_files'))
        )
    # Where there is no folder nothing is up, and Compose is not needed.
    return Project(deployment.name, folder).down() if os.path.isdir(folder) else Result()


if __name__ == '__main__':
    main(deploy, 'docker-compose', OPTIONS)
