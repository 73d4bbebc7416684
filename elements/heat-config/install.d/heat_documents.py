# SPDX-License-Identifier: Apache-2.0
"""A config that is one document of JSON or YAML, or several.

Like heat_hook.py, beside which it lies, this is ASCII and runs on Python 3.6.
"""

import json
import sys

from heat_hook import BAD_DATA, NOT_FOUND, Deployment, HookError, json_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def documents(deployment: Deployment) -> 'list[dict[str, Any]]':
    """The config's maps: itself, or those that its text has as JSON or YAML.

    :raises HookError: when it has anything else.
    """
    config = deployment.config
    found = load(config) if isinstance(config, str) else [config]
    for document in found:
        if document and not isinstance(document, dict):
            raise HookError(f'The config must be a map, not a {json_type(document)}.', BAD_DATA)
    return [document for document in found if document]


def load(text: str) -> 'list[Any]':
    """The documents of a text that is JSON or YAML.

    :raises HookError: when it is neither, or nothing here can read YAML.
    """
    try:
        return [json.loads(text)] if text.strip() else []
    except ValueError:
        pass
    yaml = load_yaml()
    try:
        return list(yaml.safe_load_all(text))
    except yaml.YAMLError as error:
        raise HookError(f'The config is neither JSON nor YAML: {error}', BAD_DATA)


def load_yaml() -> 'Any':
    """PyYAML: this Python's own, or that of the agents' environment.

    :raises HookError: when there is none.
    """
    try:
        import yaml  # few configs need it, and not every server has it
    except ImportError:
        import heat_venv

        heat_venv.use_packages()
        try:
            import yaml
        except ImportError:
            raise HookError(
                'The config is not JSON, and nothing on this server can read YAML: install '
                f'PyYAML for {sys.executable}.',
                NOT_FOUND,
            )
    return yaml


def submap(parent: 'dict[str, Any]', key: str) -> 'dict[str, Any]':
    """A map in a map; made where it is missing.

    :raises HookError: when there is something else.
    """
    child = parent.get(key) or {}
    if not isinstance(child, dict):
        raise HookError(f'{key} must be a map, not a {json_type(child)}.', BAD_DATA)
    parent[key] = child
    return child
