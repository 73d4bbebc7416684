#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Group hiera: the config's data files, and the hierarchy in which Hiera looks them up."""

import json
import os

import heat_foreign_files
from heat_hook import (
    BAD_DATA,
    FAILED,
    NOT_FOUND,
    Deployment,
    HookError,
    Result,
    Workspace,
    as_text,
    json_type,
    log,
    main,
    run,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DATA = os.environ.get('HEAT_PUPPET_HIERA_DATADIR', '/etc/puppet/hieradata')
# Where the vendor's packages have it, if this is a server with these.
VENDOR = '/etc/puppetlabs/puppet'
PUPPET = VENDOR if os.path.isdir(VENDOR) and not os.path.isdir('/etc/puppet') else '/etc/puppet'
CONFIG = os.environ.get('HEAT_HIERA_CONFIG', PUPPET + '/hiera.yaml')
LEGACY_CHECK = os.environ.get(
    'HEAT_HIERA_ELEMENT_CHECK_CMD',
    'os-apply-config --key hiera.datafiles --type raw --key-default empty',
)
KEYS = ('datafiles', 'hierarchy', 'version')
OPTIONS = ()


def deploy(deployment: Deployment, workspace: Workspace) -> Result:
    config = deployment.mapping()
    unknown = sorted(set(config) - set(KEYS))
    if unknown:
        problem = f'unknown keys: {", ".join(unknown)}; known are: {", ".join(KEYS)}'
        if len(unknown) == len(config):
            raise HookError(f'The config has nothing but {problem}.', BAD_DATA)
        log(f'The config has {problem}.')
    render = RENDERERS.get(str(config.get('version', 5)))
    if render is None:
        raise HookError(f'version must be 3 or 5, not {config["version"]!r}.', BAD_DATA)
    hierarchy = part(config, 'hierarchy', list)
    data_files = {}
    for name, data in part(config, 'datafiles', dict).items():
        path = data_path(name)
        if path in data_files:
            raise HookError(f'Two data files would be {path}.', BAD_DATA)
        data_files[path] = data
    refuse_legacy_data()
    for path, data in data_files.items():
        heat_foreign_files.write(
            path, json.dumps(data, indent=4, sort_keys=True).encode('ascii'), 0o600
        )
    if 'hierarchy' in config:
        text = render(hierarchy)
        heat_foreign_files.write(os.path.abspath(CONFIG), text.encode('utf-8', 'replace'), 0o600)
    return Result()


def part(config: 'dict[str, Any]', key: str, kind: 'Any') -> 'Any':
    value = config.get(key) or kind()
    if not isinstance(value, kind):
        wanted = json_type(kind())
        raise HookError(f'{key} must be a {wanted}, not a {json_type(value)}.', BAD_DATA)
    return value


def data_path(name: str) -> str:
    path = os.path.normpath(os.path.join(DATA, name + '.json'))
    if not path.startswith(os.path.normpath(DATA) + os.sep):
        raise HookError(f'The data file {name!r} would lie outside of {DATA}.', BAD_DATA)
    return path


def refuse_legacy_data() -> None:
    """Data that os-apply-config's own element writes to the same place would be lost."""
    try:
        found = run(LEGACY_CHECK.split(), on_stdout=lambda data: None)  # not for any log
    except HookError as error:
        if error.status_code == NOT_FOUND:  # so there are none
            return
        raise
    if found.status_code:
        raise HookError(f'{LEGACY_CHECK} failed: {found.stderr}')
    if found.stdout.strip() != 'empty':
        raise HookError(
            'There is hiera data from os-apply-config on this server (its key '
            'hiera.datafiles). Move it to deployments of the group hiera.',
            FAILED,
        )


def hiera_5(hierarchy: 'list[Any]') -> str:
    """What Puppet 4.9 and later read; Puppet 8 reads nothing else."""
    return yaml(
        [
            'version: 5',
            'defaults:',
            f'  datadir: {json.dumps(DATA)}',
            '  data_hash: json_data',
            'hierarchy:',
        ],
        [
            f'  - name: {json.dumps(name)}\n    path: {json.dumps(name + ".json")}'
            for name in map(as_text, hierarchy)
        ],
    )


def hiera_3(hierarchy: 'list[Any]') -> str:
    """What the command hiera, and Puppet up to 7, read."""
    return yaml(
        [':backends:', '  - json', ':json:', f'  :datadir: {json.dumps(DATA)}', ':hierarchy:'],
        [f'  - {json.dumps(name)}' for name in map(as_text, hierarchy)],
    )


def yaml(head: 'list[str]', items: 'list[str]') -> str:
    return '\n'.join(['---', *head[:-1], head[-1] + ('' if items else ' []'), *items]) + '\n'


RENDERERS = {'3': hiera_3, '5': hiera_5}


if __name__ == '__main__':
    main(deploy, 'hiera', OPTIONS)
