# SPDX-License-Identifier: Apache-2.0
"""Inputs that a tool cannot get: by their names, or because they are too large."""

import difflib
import json
import re
from collections.abc import Iterator
from typing import Any

from localheat.check.finding import Finding
from localheat.check.subject import Deployment, Subject

#: What the names of inputs become, by group.
VARIABLES = {'script': "a shell's variable", 'ansible': "ansible's variable"}
VARIABLE = re.compile(r'^[A-Za-z_][A-Za-z0-9_]*$')
#: Bytes of one variable, with its name, that Linux passes to a program (MAX_ARG_STRLEN).
LIMIT = 128 * 1024
#: Groups whose inputs are variables of the tool's environment.
IN_ENVIRONMENT = ('script', 'puppet')


def without_usable_name(subject: Subject) -> Iterator[Finding]:
    for deployment in subject.deployments:
        for config in deployment.configs:
            variable = VARIABLES.get(config.group)
            names = {str(item.get('name')): config.resource for item in config.listed('inputs')}
            for name in deployment.input_values:
                names.setdefault(name, deployment.resource)
            for name, resource in names.items():
                if variable and not VARIABLE.match(name):
                    yield Finding.of(
                        resource,
                        False,
                        f'The input {name!r} cannot be {variable}: the {config.group} would not '
                        'see it.',
                        f'Call it {re.sub("[^A-Za-z0-9_]", "_", name)!r}.',
                    )


def too_large(subject: Subject) -> Iterator[Finding]:
    for deployment in subject.deployments:
        if not any(config.group in IN_ENVIRONMENT for config in deployment.configs):
            continue
        for name, value in _values(deployment).items():
            size = len(f'{name}={_as_text(value)}'.encode()) + 1
            if size > LIMIT:
                yield Finding.of(
                    deployment.resource,
                    True,
                    f'The input {name} has {size:,} bytes, and a variable can have {LIMIT:,}.',
                    'Put it into the config, or have the script fetch it.',
                )


def not_declared(subject: Subject) -> Iterator[Finding]:
    """Values for inputs that the config does not have: most often a slip of the pen."""
    for deployment in subject.deployments:
        if len(deployment.configs) != 1:
            continue
        declared = [str(item.get('name')) for item in deployment.configs[0].listed('inputs')]
        for name in deployment.input_values:
            close = difflib.get_close_matches(name, declared, 1, 0.75)
            if name not in declared and close and close[0] not in deployment.input_values:
                yield Finding.of(
                    deployment.resource,
                    False,
                    f'The config declares no input {name}.',
                    f'Did you mean {close[0]}?',
                )


def _values(deployment: Deployment) -> dict[str, Any]:
    values = {
        str(item.get('name')): item.get('default')
        for config in deployment.configs
        for item in config.listed('inputs')
    }
    values.update(deployment.input_values)
    return {name: value for name, value in values.items() if value is not None}


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
