# SPDX-License-Identifier: Apache-2.0
"""Recorded deployments, for tests to use as they are or with changes. See fixtures/README.rst."""

import json
import pathlib
from collections.abc import Mapping
from typing import Any, Optional

FIXTURES = pathlib.Path(__file__).with_name('fixtures')


def load(
    name: str, /, inputs: Optional[Mapping[str, Any]] = None, **fields: Any
) -> 'dict[str, Any]':
    """One deployment.

    :param name: a file of fixtures/deployments, without its suffix.
    :param inputs: values of inputs, set or added. The type of an added one goes by its value, as
        Heat would send it.
    :param fields: fields of the deployment to replace: config='...', options=None, id='x'.
    """
    deployment = read('deployments', name)
    declared = {entry['name']: entry for entry in deployment['inputs']}
    for key, value in (inputs or {}).items():
        if key in declared:
            declared[key]['value'] = value
        else:
            deployment['inputs'].append({'name': key, 'type': heat_type(value), 'value': value})
    deployment.update(fields)
    return deployment


def read(folder: str, name: str) -> 'dict[str, Any]':
    """The content of fixtures/<folder>/<name>.json."""
    return json.loads((FIXTURES / folder / f'{name}.json').read_text(encoding='utf-8'))


def heat_type(value: Any) -> str:
    """The type under which Heat declares an input of such a value."""
    if isinstance(value, bool):
        return 'Boolean'
    if isinstance(value, (int, float)):
        return 'Number'
    if isinstance(value, list):
        return 'CommaDelimitedList'
    return 'Json' if isinstance(value, dict) else 'String'
