#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Group chef: the config is a run list, converged by chef-client or cinc-client in local mode.

The inputs are attributes of the node.  An output is what a recipe writes to
the file ``#{ENV['heat_outputs_path']}.<output name>``.
"""

import json
import os
import shutil

from heat_hook import (
    BAD_DATA,
    UTF8_LOCALE,
    HookError,
    as_text,
    file_name,
    fqdn,
    main,
    make_folder,
    program,
    run,
    write_file,
)
from heat_options import Option

VENDORS = '/opt/chef/bin', '/opt/cinc/bin'
OPTIONS = (
    Option(
        'kitchen',
        'string',
        'The address of a git repository with cookbooks, roles and environments. Each deployment '
        'clones it anew; the old clone gives way to a complete new one only.',
    ),
    Option(
        'kitchen_path',
        'string',
        'Where the kitchen is; ``/var/lib/heat-config/heat-config-chef/kitchen`` by default. '
        'Without ``kitchen`` it has to be there already.',
    ),
)


def deploy(deployment, workspace):
    client = program('chef-client', 'cinc-client', variable='HEAT_CHEF_CMD', folders=VENDORS)
    run_list = parse_run_list(deployment.config)
    options = deployment.options
    kitchen_path = options['kitchen_path'] or os.path.join(workspace.folder, 'kitchen')
    if options['kitchen']:
        cloned = fetch_kitchen(options['kitchen'], kitchen_path)
        if cloned.status_code:
            return cloned

    nodes = os.path.join(workspace.folder, 'node')
    make_folder(nodes)
    # deploy_*: what Heat tells the agent, none of it the node's affair.
    node = {
        name: value
        for name, value in deployment.inputs.items()
        if name != 'environment' and not name.startswith('deploy_')
    }
    node['run_list'] = run_list
    # Local mode keeps its node there, too, under the name that it finds by itself.
    node_file = os.path.join(nodes, file_name(f'{fqdn() or "localhost"}.json'))
    write_file(node_file, json.dumps(node, indent=4))
    settings = {
        'cookbook_path': kitchen_path + '/cookbooks',
        'role_path': kitchen_path + '/roles',
        'environment_path': kitchen_path + '/environments',
        'node_path': nodes,
    }
    if deployment.inputs.get('environment'):
        settings['environment'] = as_text(deployment.inputs['environment'])
    config = workspace.write('client.rb', client_config(settings))

    workspace.clear_outputs()
    result = run(
        [client, '-z', '--config', config, '-j', node_file],
        env=dict(UTF8_LOCALE, heat_outputs_path=workspace.outputs_path),
        cwd=workspace.folder,
    )
    result.outputs = workspace.read_outputs()
    return result


def parse_run_list(config):
    """The config as a list; it may have been sent as JSON text."""
    try:
        run_list = json.loads(config) if isinstance(config, str) and config.strip() else config
    except ValueError as error:
        raise HookError(f'The run list is not JSON: {error}', BAD_DATA)
    if not isinstance(run_list or [], list):
        raise HookError('The config must be a run list, such as ["recipe[apache]"].', BAD_DATA)
    return run_list or []


def fetch_kitchen(url, path):
    """Clone the kitchen; the one that is there gives way only to a complete one."""
    path = os.path.realpath(path)
    if os.path.isdir(path) and os.listdir(path) and not os.path.isdir(path + '/.git'):
        raise HookError(
            f'{path} holds something that is no clone of a git repository, and is '
            'not removed for the kitchen: choose another kitchen_path.'
        )
    make_folder(os.path.dirname(path))
    clone = path + '.new'
    shutil.rmtree(clone, ignore_errors=True)
    result = run(
        [program('git', variable='HEAT_GIT_CMD'), 'clone', url, clone],
        env={'GIT_TERMINAL_PROMPT': '0'},
    )
    if not result.status_code:
        shutil.rmtree(path, ignore_errors=True)
        os.rename(clone, path)
    return result


def client_config(settings):
    lines = ['log_level :debug', 'log_location STDOUT', 'local_mode true', 'chef_zero.enabled true']
    lines += [f'{name} {ruby(value)}' for name, value in settings.items()]
    return '\n'.join(lines) + '\n'


def ruby(text):
    """A text as Ruby writes it, with nothing in it that Ruby would expand."""
    return "'" + text.replace('\\', '\\\\').replace("'", "\\'") + "'"


if __name__ == '__main__':
    main(deploy, 'chef', OPTIONS)
