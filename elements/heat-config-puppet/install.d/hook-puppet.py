#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Group puppet: the config is a manifest, applied by ``puppet apply``.

The inputs are facts, or Hiera data.  An output is what the manifest writes to
the file ``${heat_outputs_path}.<output name>``.
"""

import json
import os

from heat_hook import (
    UTF8_LOCALE,
    echo,
    file_name,
    fqdn,
    main,
    make_folder,
    program,
    run,
    write_file,
)
from heat_options import Option

LOGS = os.environ.get('HEAT_PUPPET_LOGDIR', '/var/run/heat-config/deployed')
VERBOSE_LOGS = os.environ.get('HEAT_PUPPET_VERBOSE_LOGDIR', '/var/log/puppet')
HIERA_DATA = os.environ.get('HEAT_PUPPET_HIERA_DATADIR', '/etc/puppet/hieradata')
VENDOR = '/opt/puppetlabs/bin'
OPTIONS = (
    Option('enable_facter', 'boolean', 'The inputs are facts.', True, aliases=['use_facter']),
    Option(
        'enable_hiera',
        'boolean',
        'The inputs are data of Hiera.',
        False,
        aliases=['use_hiera'],
    ),
    Option('modulepath', 'list', 'The folders of modules.', separator=':'),
    Option('tags', 'list', 'Apply only what has one of these tags.', separator=','),
    Option(
        'enable_debug',
        'boolean',
        'Run with ``--debug``, and keep that log in ``/var/log/puppet/heat-debug.log``.',
        False,
    ),
    Option(
        'enable_verbose',
        'boolean',
        'Run with ``--verbose``, and keep that log in ``/var/log/puppet/heat-verbose.log``.',
        False,
    ),
)
CHANGED = 2  # --detailed-exitcodes: it succeeded, and something is new


def deploy(deployment, workspace):
    command = [
        program('puppet', variable='HEAT_PUPPET_CMD', folders=[VENDOR]),
        'apply',
        '--color',
        'false',
        '--detailed-exitcodes',
        '--logdest',
        'console',
    ]
    options = deployment.options
    facts = {'fqdn': fqdn()} if fqdn() else {}
    if options['enable_facter']:
        facts.update(deployment.inputs)
    facts['heat_outputs_path'] = workspace.outputs_path
    if options['enable_hiera']:
        facts['deploy_config_name'] = file_name(deployment.name)
        write_hiera_data(facts['deploy_config_name'], deployment.inputs)
    # A fact in the environment is always a text.
    structured = {
        name: value for name, value in facts.items() if not isinstance(value, (str, type(None)))
    }

    if options['modulepath']:
        command += ['--modulepath', ':'.join(options['modulepath'])]
    if options['tags']:
        command += ['--tags', ','.join(options['tags'])]
    for level in 'debug', 'verbose':
        if options['enable_' + level]:
            make_folder(VERBOSE_LOGS)
            command += ['--' + level, '--logdest', f'{VERBOSE_LOGS}/heat-{level}.log']
    if structured:
        command += ['--pluginfactdest', write_facts(deployment, workspace, structured)]
    command.append(workspace.write(deployment.id + '.pp', deployment.text()))

    workspace.clear_outputs()
    variables = {
        'FACTER_' + name: value or '' for name, value in facts.items() if name not in structured
    }
    with LocalLog(deployment, 'stdout') as stdout, LocalLog(deployment, 'stderr') as stderr:
        result = run(
            command,
            env=dict(UTF8_LOCALE, **variables),
            cwd=workspace.folder,
            on_stdout=stdout.write,
            on_stderr=stderr.write,
        )
    if result.status_code == CHANGED:
        result.status_code = 0
    result.outputs = workspace.read_outputs()
    return result


def write_hiera_data(name, inputs):
    make_folder(HIERA_DATA)
    write_file(os.path.join(HIERA_DATA, f'heat_config_{name}.json'), json.dumps(inputs))


def write_facts(deployment, workspace, facts):
    """Write external facts, which may be of any type; return their folder."""
    folder = os.path.join(workspace.folder, file_name(deployment.id + '.facts'))
    make_folder(folder)
    write_file(os.path.join(folder, 'heat.json'), json.dumps(facts))
    return folder


class LocalLog:
    """A stream of puppet's, whole and on the server (Heat takes the end of it only)."""

    def __init__(self, deployment, stream):
        make_folder(LOGS)
        time = deployment.creation_time.replace(':', '-').replace('T', '-')
        path = os.path.join(LOGS, file_name(f'{time}-{deployment.id}-{stream}.log'))
        self._file = open(path, 'wb', buffering=0, opener=private)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def write(self, data):
        echo(data)
        try:
            self._file.write(data)
        except OSError:  # a full disk is no reason to stop puppet half-way
            pass


def private(path, flags):
    return os.open(path, flags, 0o600)


if __name__ == '__main__':
    main(deploy, 'puppet', OPTIONS)
