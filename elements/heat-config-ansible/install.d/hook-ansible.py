#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Group ansible: the config is a playbook, the inputs are its extra variables.

An output is what the playbook writes to the file
``{{ heat_outputs_path }}.<output name>``.
"""

import json
import os

from heat_hook import UTF8_LOCALE, Result, as_yaml, main, program, run
from heat_options import Option

INVENTORY = os.environ.get('HEAT_ANSIBLE_INVENTORY', 'localhost,')
OPTIONS = (
    Option('tags', 'list', 'Play only what has one of these tags.', separator=','),
    Option('skip_tags', 'list', 'Do not play what has one of these tags.', separator=','),
    Option(
        'inventory',
        'list',
        "Files, by their paths or their names in the hook's folder, or hosts with a comma; "
        '``localhost,`` by default.',
    ),
    Option('modulepath', 'list', 'The folders of further modules.', separator=':'),
    Option('callback_plugins', 'list', 'The folders of callback plugins.', separator=':'),
)


def deploy(deployment, workspace):
    playbook = as_yaml(deployment.config)
    if not playbook.strip():
        return Result(stdout='The playbook is empty: nothing to do.\n')
    options = deployment.options
    command = [
        program('ansible-playbook', variable='HEAT_ANSIBLE_CMD'),
    ]
    for inventory in options['inventory'] or [INVENTORY]:
        command += ['-i', inventory_path(inventory, workspace)]
    for option, argument, separator in (
        ('modulepath', '--module-path', ':'),
        ('skip_tags', '--skip-tags', ','),
        ('tags', '--tags', ','),
    ):
        if options[option]:
            command += [argument, separator.join(options[option])]
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
    if options['callback_plugins']:
        env['ANSIBLE_CALLBACK_PLUGINS'] = ':'.join(options['callback_plugins'])
    result = run(command, env=env, cwd=workspace.folder)
    result.outputs = workspace.read_outputs()
    return result


def inventory_path(wanted, workspace):
    """What to give to -i: hosts with a comma, or a file (in the hook's folder)."""
    return wanted if ',' in wanted else os.path.join(workspace.folder, wanted)


if __name__ == '__main__':
    main(deploy, 'ansible', OPTIONS)
