#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Group chef: the config is a run list, converged by chef-client or cinc-client in local mode.

The inputs are attributes of the node.  An output is what a recipe writes to
the file ``#{ENV['heat_outputs_path']}.<output name>``.
"""

import json
import os

from heat_hook import (
    BAD_DATA,
    UTF8_LOCALE,
    Deployment,
    HookError,
    Result,
    Workspace,
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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VENDORS = '/opt/chef/bin', '/opt/cinc/bin'
OPTIONS = (
    Option(
        'kitchen',
        'string',
        'The address of a git repository, or of an archive, with cookbooks, roles and '
        'environments. Each deployment fetches it anew; the old one gives way to a complete new '
        'one only.',
    ),
    Option('branch', 'string', 'The branch, tag or commit of that repository.'),
    Option(
        'kitchen_path',
        'string',
        'Where the kitchen is; ``/var/lib/heat-config/heat-config-chef/kitchen`` by default. '
        'Without ``kitchen`` it has to be there already.',
    ),
    Option(
        'policyfile',
        'string',
        'The name of a policy, in a kitchen that ``chef export`` has made of a Policyfile. It has '
        'a run list of its own: the config must be empty.',
    ),
)


def deploy(deployment: Deployment, workspace: Workspace) -> Result:
    client = program('chef-client', 'cinc-client', variable='HEAT_CHEF_CMD', folders=VENDORS)
    run_list = parse_run_list(deployment.config)
    options = deployment.options
    if options['policyfile'] and run_list:
        raise HookError('The config must be empty where the option policyfile is given.', BAD_DATA)
    kitchen_path = options['kitchen_path'] or os.path.join(workspace.folder, 'kitchen')
    if options['kitchen']:
        import heat_fetch

        fetched = heat_fetch.fetch(
            options['kitchen'], options['branch'] or '', kitchen_path, 'kitchen_path'
        )
        if fetched.status_code:
            return fetched

    nodes = os.path.join(workspace.folder, 'node')
    make_folder(nodes)
    # deploy_*: what Heat tells the agent, none of it the node's affair.
    node = {
        name: value
        for name, value in deployment.inputs.items()
        if name != 'environment' and not name.startswith('deploy_')
    }
    if not options['policyfile']:
        node['run_list'] = run_list
    # Local mode keeps its node there, too, under the name that it finds by itself.
    node_file = os.path.join(nodes, file_name(f'{fqdn() or "localhost"}.json'))
    write_file(node_file, json.dumps(node, indent=4))
    settings: dict[str, Any] = {}
    if options['policyfile']:
        settings.update(
            chef_repo_path=kitchen_path,
            use_policyfile=True,
            policy_document_native_api=True,
            policy_name=options['policyfile'],
            policy_group='local',
        )
    else:
        settings.update(
            cookbook_path=kitchen_path + '/cookbooks',
            role_path=kitchen_path + '/roles',
            environment_path=kitchen_path + '/environments',
        )
    settings['node_path'] = nodes
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


def parse_run_list(config: 'Any') -> 'list[Any]':
    """The run list: the config itself, or its value of that name; it may be JSON text."""
    try:
        config = json.loads(config) if isinstance(config, str) and config.strip() else config
    except ValueError as error:
        raise HookError(f'The run list is not JSON: {error}', BAD_DATA)
    if isinstance(config, dict) and set(config) <= {'run_list'}:
        config = config.get('run_list')
    if not isinstance(config or [], list):
        raise HookError(
            'The config must be a run list, such as ["recipe[apache]"], or a map with run_list.',
            BAD_DATA,
        )
    return config or []


def client_config(settings: 'dict[str, Any]') -> str:
    lines = ['log_level :debug', 'log_location STDOUT', 'local_mode true', 'chef_zero.enabled true']
    lines += [f'{name} {ruby(value)}' for name, value in settings.items()]
    return '\n'.join(lines) + '\n'


def ruby(value: 'Any') -> str:
    """A value as Ruby writes it, with nothing in it that Ruby would expand."""
    if value is True:
        return 'true'
    return "'" + as_text(value).replace('\\', '\\\\').replace("'", "\\'") + "'"


if __name__ == '__main__':
    main(deploy, 'chef', OPTIONS)
