#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Group ansible: the config is a playbook, the inputs are its extra variables.

An output is what the playbook writes to the file
``{{ heat_outputs_path }}.<output name>``.
"""

import json
import os

from heat_hook import UTF8_LOCALE, Result, as_yaml, joined, main, program, run

INVENTORY = os.environ.get('HEAT_ANSIBLE_INVENTORY', 'localhost,')


def deploy(deployment, workspace):
    playbook = as_yaml(deployment.config)
    if not playbook.strip():
        return Result(stdout='The playbook is empty: nothing to do.\n')
    options = deployment.options
    command = [
        program('ansible-playbook', variable='HEAT_ANSIBLE_CMD'),
        '-i',
        inventory(options.get('inventory'), workspace),
    ]
    for option, argument, separator in (
        ('modulepath', '--module-path', ':'),
        ('skip_tags', '--skip-tags', ','),
        ('tags', '--tags', ','),
    ):
        if options.get(option):
            command += [argument, joined(options[option], separator)]
    variables = dict(
        deployment.inputs, heat_config_id=deployment.id, heat_outputs_path=workspace.outputs_path
    )
    command.append(workspace.write(deployment.id + '_playbook.yaml', playbook))
    command += [
        '--extra-vars',
        '@' + workspace.write(deployment.id + '_variables.json', json.dumps(variables)),
    ]

    workspace.clear_outputs()
    env = dict(UTF8_LOCALE)
    # A failed task is told of as an error, not only among those that went well.
    env['ANSIBLE_DISPLAY_FAILED_STDERR'] = os.environ.get('ANSIBLE_DISPLAY_FAILED_STDERR', 'yes')
    if options.get('callback_plugins'):
        env['ANSIBLE_CALLBACK_PLUGINS'] = joined(options['callback_plugins'], ':')
    result = run(command, env=env, cwd=workspace.folder)
    result.outputs = workspace.read_outputs()
    return result


def inventory(wanted, workspace):
    """What to give to -i: hosts with a comma, or a file (in the hook's folder)."""
    if not wanted:
        return INVENTORY
    return wanted if ',' in wanted else os.path.join(workspace.folder, wanted)


if __name__ == '__main__':
    main(deploy, 'ansible')
