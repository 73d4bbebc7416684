#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Group salt: the config is a state, applied by ``salt-call --local``.

A state finds the inputs in ``opts``, and in ``pillar['master']``.  An output
is what it writes to the file ``{{ opts['heat_outputs_path'] }}.<output name>``.
"""

import glob
import json
import os

from heat_hook import (
    FAILED,
    UTF8_LOCALE,
    Deployment,
    HookError,
    Result,
    Tail,
    Workspace,
    as_text,
    as_yaml,
    file_name,
    main,
    make_folder,
    program,
    run,
    write_file,
)
from heat_options import Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MINION_CONFIG = os.environ.get('SALT_MINION_CONFIG', '/etc/salt/minion')
VENDOR = '/opt/saltstack/salt'
# The answer is one JSON document, of no use without its beginning.
ANSWER_LIMIT = 8 * 1024 * 1024
OPTIONS = (
    Option('pillar', 'boolean', "The inputs are pillar, too: ``{{ pillar['name'] }}``.", False),
    Option('file_roots', 'list', 'The folders of further states.', separator=':'),
    Option(
        'formulas',
        'list',
        'The addresses of git repositories, or of archives, with further states. After ``#`` '
        'comes a branch, tag or commit of a repository.',
    ),
    Option('test', 'boolean', 'Change nothing, and tell what would be changed.', False),
)


def deploy(deployment: Deployment, workspace: Workspace) -> Result:
    state = as_yaml(deployment.config)
    if not state.strip():
        return Result(stdout='The state is empty: nothing to do.\n')
    name = state_name(deployment.id)
    roots = [workspace.folder, *(deployment.options['file_roots'] or ())]
    for formula in deployment.options['formulas'] or ():
        roots.append(fetch_formula(formula, workspace))
    workspace.write(name + '.sls', state)
    workspace.clear_outputs()
    command = [
        program('salt-call', variable='HEAT_SALT_CMD', folders=[VENDOR]),
        '--local',
        '--config-dir',
        write_config(name, deployment, workspace, roots),
        '--out',
        'json',
        '--no-color',
        '--log-level',
        'warning',
        '--retcode-passthrough',
        'state.sls',
        name,
    ]
    if deployment.options['test']:
        command.append('test=True')
    result = judge(run(command, env=UTF8_LOCALE, cwd=workspace.folder, limit=ANSWER_LIMIT))
    result.outputs.update(workspace.read_outputs())
    result.outputs = {
        output: value
        for output, value in result.outputs.items()
        if output in deployment.output_names
    }
    return result


def state_name(id: str) -> str:
    """A deployment's id as the name of a state, in which a dot would be a folder."""
    name = file_name(id)
    return file_name('.' + id) if '.' in name else name


def fetch_formula(address: str, workspace: Workspace) -> str:
    """Bring a formula to the hook's folder; return its own.

    :raises HookError: when it cannot be had.
    """
    import heat_fetch

    url, _, version = address.partition('#')
    path = os.path.join(workspace.folder, 'formulas', file_name('.' + address))
    fetched = heat_fetch.fetch(url, version, path)
    if fetched.status_code:
        raise HookError(
            f'The formula {address} cannot be fetched:\n{fetched.stderr.strip()}',
            fetched.status_code,
        )
    return path


def write_config(
    name: str, deployment: Deployment, workspace: Workspace, roots: 'list[str]'
) -> str:
    """A minion's config of its own, for only that sets ``opts``; return its folder.

    The server's own config is included, and overridden by the inputs.
    """
    folder = os.path.join(workspace.folder, name + '.minion')
    make_folder(folder)
    inputs = {key: '' if value is None else value for key, value in deployment.inputs.items()}
    config = dict(
        inputs,
        file_client='local',
        file_roots={'base': roots},
        heat_outputs_path=workspace.outputs_path,
        # States of old find the inputs in pillar['master'].
        pillar_opts=True,
    )
    if deployment.options['pillar']:
        pillar = os.path.join(folder, 'pillar')
        make_folder(pillar)
        # Not by Jinja: the values are as they are.
        write_file(pillar + '/top.sls', '#!json\n' + json.dumps({'base': {'*': ['heat']}}))
        write_file(pillar + '/heat.sls', '#!json\n' + json.dumps(inputs))
        config['pillar_roots'] = {'base': [pillar]}
    overrides = os.path.join(folder, 'heat.conf')
    write_file(overrides, as_yaml(config))
    system = os.path.dirname(MINION_CONFIG)
    included = [
        path
        for path in (MINION_CONFIG, *sorted(glob.glob(system + '/minion.d/*.conf')))
        if os.path.exists(path)
    ]
    write_file(os.path.join(folder, 'minion'), json.dumps({'include': [*included, overrides]}))
    for own in 'grains', 'minion_id':  # salt looks for these beside its config
        link(os.path.join(system, own), os.path.join(folder, own))
    return folder


def link(target: str, path: str) -> None:
    if os.path.lexists(path):
        os.unlink(path)
    if os.path.exists(target):
        os.symlink(target, path)


def judge(salt: Result) -> Result:
    """What salt-call's answer means: a map of states, or a list of errors."""
    try:
        states = json.loads(salt.stdout)['local']
    except (ValueError, KeyError, TypeError):
        return Result(salt.status_code or FAILED, end_of(salt.stdout), salt.stderr)
    if not isinstance(states, dict) or not all(
        isinstance(state, dict) for state in states.values()
    ):
        errors = states if isinstance(states, list) else [states]
        return Result(
            salt.status_code or FAILED, '', '\n'.join(map(as_text, errors)) + '\n' + salt.stderr
        )
    failed = [
        f'{state.get("__id__") or key}: {state.get("comment", "")}'.rstrip() + '\n'
        for key, state in sorted(states.items(), key=run_order)
        if state.get('result') is False
    ]
    # A status other than 0 is no failure in itself (1483336).
    status = (salt.status_code or FAILED) if failed else 0
    return Result(
        status,
        end_of(json.dumps(states, indent=2) + '\n'),
        ''.join(failed) + salt.stderr,
        {'return': states, 'retcode': status},
    )


def end_of(text: str) -> str:
    tail = Tail()
    tail.write(text.encode())
    return tail.text()


def run_order(item: 'tuple[str, dict[str, Any]]') -> 'Any':
    return item[1].get('__run_num__', 0)


if __name__ == '__main__':
    main(deploy, 'salt', OPTIONS)
