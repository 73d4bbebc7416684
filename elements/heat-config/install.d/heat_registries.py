# SPDX-License-Identifier: Apache-2.0
"""Logging in to registries, for a deployment's images and for as long as it runs.

The option ``registries`` is a map from a registry's name to the *names of the
inputs* that hold user name and password::

    registries:
      registry.example.org: {username: registry_user, password: registry_password}

What the login leaves is in a folder of its own, which is removed afterwards.
"""

import contextlib
import json
import os
import shutil
import tempfile

from heat_hook import (
    BAD_DATA,
    FAILED,
    Deployment,
    HookError,
    as_text,
    log,
    make_folder,
    run,
    write_file,
)
from heat_options import Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

OPTION = Option(
    'registries',
    'map',
    "Registries to log in to while images are pulled: a map from a registry's name to a map with "
    '``username`` and ``password``, each the *name of the input* that holds it.',
)


def credentials(deployment: Deployment) -> 'dict[str, tuple[str, str]]':
    """User name and password for each registry of the option ``registries``.

    :raises HookError: when it is not as the README says, or an input is missing.
    """
    value = deployment.options['registries'] or {}
    found = {}
    for registry, names in value.items():
        if not isinstance(names, dict) or set(names) != {'username', 'password'}:
            raise HookError(
                f'registries: {registry} must be a map with username and password, the names of '
                'the inputs that hold them.',
                BAD_DATA,
            )
        found[registry] = (
            _input(deployment, registry, names['username']),
            _input(deployment, registry, names['password']),
        )
    return found


def _input(deployment: Deployment, registry: str, name: 'Any') -> str:
    value = as_text(deployment.inputs.get(as_text(name)))
    if not value:
        raise HookError(
            f'registries: {registry} needs the input {as_text(name)}, which is missing or empty.',
            BAD_DATA,
        )
    return value


@contextlib.contextmanager
def logged_in(
    program: str, deployment: Deployment, folder: str, variable: str
) -> 'Iterator[dict[str, str]]':
    """Log in to a deployment's registries while the context lasts.

    :param program: docker, or one with its command ``login``.
    :param folder: where to make the folder for what it leaves.
    :param variable: DOCKER_CONFIG, which names that folder, or
        REGISTRY_AUTH_FILE, which names a file in it.
    :returns: variables for the commands that pull images.
    :raises HookError: when a registry refuses.
    """
    wanted = credentials(deployment)
    if not wanted:
        yield {}
        return
    make_folder(folder)
    login = tempfile.mkdtemp(prefix='.login-', dir=folder)
    try:
        path = os.path.join(login, 'config.json')
        if variable == 'DOCKER_CONFIG':
            _copy_config(path)
            env = {variable: login}
        else:
            env = {variable: path}
        for registry, (user, password) in wanted.items():
            result = run(
                [program, 'login', f'--username={user}', '--password-stdin', registry],
                env=env,
                stdin=password.encode('utf-8', 'surrogateescape'),
                on_stdout=_ignore,
                on_stderr=_ignore,
            )
            if result.status_code:
                reason = (result.stderr or result.stdout).strip().replace(password, '***')
                raise HookError(
                    f'The registry {registry} could not be logged in to: {reason}',
                    result.status_code or FAILED,
                )
            log(f'logged in to {registry}')
        yield env
    finally:
        shutil.rmtree(login, ignore_errors=True)


def _copy_config(path: str) -> None:
    """Keep what the administrator configured, such as proxies, but no helper that stores."""
    folder = os.environ.get('DOCKER_CONFIG') or os.path.expanduser('~/.docker')
    try:
        with open(os.path.join(folder, 'config.json'), 'rb') as file:
            config = json.loads(file.read().decode('utf-8'))
    except (OSError, ValueError):
        config = {}
    if isinstance(config, dict):
        for key in ('credsStore', 'credHelpers'):
            config.pop(key, None)
    write_file(path, json.dumps(config))


def _ignore(data: bytes) -> None:
    pass
