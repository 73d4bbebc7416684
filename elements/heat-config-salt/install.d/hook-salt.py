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
    Result,
    Tail,
    as_text,
    as_yaml,
    file_name,
    main,
    make_folder,
    program,
    run,
    write_file,
)

MINION_CONFIG = os.environ.get('SALT_MINION_CONFIG', '/etc/salt/minion')
VENDOR = '/opt/saltstack/salt'
# The answer is one JSON document, of no use without its beginning.
ANSWER_LIMIT = 8 * 1024 * 1024
OPTIONS = ()


def deploy(deployment, workspace):
    state = as_yaml(deployment.config)
    if not state.strip():
        return Result(stdout='The state is empty: nothing to do.\n')
    name = file_name(deployment.id).replace('.', '_')  # a dot would be a folder
    workspace.write(name + '.sls', state)
    workspace.clear_outputs()
    salt = run(
        [
            program('salt-call', variable='HEAT_SALT_CMD', folders=[VENDOR]),
            '--local',
            '--config-dir',
            write_config(name, deployment, workspace),
            '--out',
            'json',
            '--no-color',
            '--log-level',
            'warning',
            '--retcode-passthrough',
            'state.sls',
            name,
        ],
        env=UTF8_LOCALE,
        cwd=workspace.folder,
        limit=ANSWER_LIMIT,
    )
    result = judge(salt)
    result.outputs.update(workspace.read_outputs())
    result.outputs = {
        output: value
        for output, value in result.outputs.items()
        if output in deployment.output_names
    }
    return result


def write_config(name, deployment, workspace):
    """A minion's config of its own, for only that sets ``opts``; return its folder.

    The server's own config is included, and overridden by the inputs.
    """
    folder = os.path.join(workspace.folder, name + '.minion')
    make_folder(folder)
    config = dict.fromkeys(deployment.inputs, '')
    config.update((key, value) for key, value in deployment.inputs.items() if value is not None)
    config.update(
        file_client='local',
        file_roots={'base': [workspace.folder]},
        heat_outputs_path=workspace.outputs_path,
        # States of old find the inputs in pillar['master'].
        pillar_opts=True,
    )
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


def link(target, path):
    if os.path.lexists(path):
        os.unlink(path)
    if os.path.exists(target):
        os.symlink(target, path)


def judge(salt):
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


def end_of(text):
    tail = Tail()
    tail.write(text.encode())
    return tail.text()


def run_order(item):
    return item[1].get('__run_num__', 0)


if __name__ == '__main__':
    main(deploy, 'salt', OPTIONS)
