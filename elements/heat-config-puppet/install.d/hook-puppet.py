#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Group puppet: the config is a manifest, applied by ``puppet apply``.

The inputs are facts, or Hiera data.  An output is what the manifest writes to
the file ``${heat_outputs_path}.<output name>``.
"""

import json
import os
import re

import heat_foreign_files
from heat_hook import (
    BAD_DATA,
    UTF8_LOCALE,
    Deployment,
    HookError,
    Result,
    Workspace,
    echo,
    file_name,
    fqdn,
    log,
    main,
    make_folder,
    program,
    run,
    write_file,
)
from heat_options import Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable

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
    Option(
        'template_inputs',
        'boolean',
        'Have Hiera expand ``%{ }`` in the values of inputs, too.',
        False,
    ),
    Option('modulepath', 'list', 'The folders of modules.', separator=':'),
    Option(
        'puppetfile',
        'string',
        'The content of a Puppetfile: ``r10k`` installs its modules beforehand. It has to be on '
        'the server.',
    ),
    Option('environment', 'string', "Puppet's environment; ``production`` by default."),
    Option('certname', 'string', "The name of this node; the server's full name by default."),
    Option('noop', 'boolean', 'Change nothing, and tell what would be changed.', False),
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
LONGEST_FACT = 100 * 1024  # characters; Linux takes 128 KiB for a variable
CHANGED = 2  # --detailed-exitcodes: it succeeded, and something is new


def deploy(deployment: Deployment, workspace: Workspace) -> Result:
    options = deployment.options
    command = [
        program('puppet', variable='HEAT_PUPPET_CMD', folders=[VENDOR]),
        'apply',
        '--color',
        'false',
        '--detailed-exitcodes',
        '--logdest',
        'console',
    ]
    facts: dict[str, Any] = {'fqdn': fqdn()} if fqdn() else {}
    warnings = []
    if options['enable_facter']:
        facts.update(deployment.inputs)
        warnings = one_fact(facts)
    facts['heat_outputs_path'] = workspace.outputs_path
    if options['enable_hiera']:
        facts['deploy_config_name'] = file_name(deployment.name)
        write_hiera_data(facts['deploy_config_name'], deployment)
    # A fact in the environment is always a text, its name a word, and its size limited.
    structured = {name: value for name, value in facts.items() if not fits_environment(name, value)}

    modulepath = list(options['modulepath'] or ())
    if options['puppetfile']:
        modulepath.append(install_modules(options['puppetfile'], workspace))
        if not options['modulepath']:
            modulepath.append('$basemodulepath')  # which Puppet expands
    if modulepath:
        command += ['--modulepath', ':'.join(modulepath)]
    if options['tags']:
        command += ['--tags', ','.join(options['tags'])]
    for option in 'environment', 'certname':
        if options[option]:
            command += ['--' + option, options[option]]
    if options['noop']:
        command.append('--noop')
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
    result.stderr = ''.join(warnings) + result.stderr
    result.outputs = workspace.read_outputs()
    return result


def fits_environment(name: str, value: 'Any') -> bool:
    return (value is None or isinstance(value, str) and len(value) < LONGEST_FACT) and re.fullmatch(
        '[A-Za-z_][A-Za-z0-9_]*', name
    ) is not None


def one_fact(names: 'Iterable[str]') -> 'list[str]':
    """Warnings of names that are one fact, for Facter knows small letters only."""
    seen: dict[str, str] = {}
    warnings = []
    for name in names:
        other = seen.setdefault(name.lower(), name)
        if other != name:
            warning = (
                f'Warning: the inputs {other} and {name} are one fact, {name.lower()}: names of '
                'facts have small letters only.'
            )
            log(warning)
            warnings.append(warning + '\n')
    return warnings


def install_modules(puppetfile: str, workspace: Workspace) -> str:
    """Install the modules of a Puppetfile; return their folder.

    :raises HookError: when r10k is not there, or fails.
    """
    import heat_fetch

    try:
        r10k = program('r10k', variable='HEAT_R10K_CMD', folders=[VENDOR])
    except HookError:
        raise HookError(
            'The option puppetfile needs r10k, which is not on this server: install it, for '
            'instance by "gem install r10k".',
            BAD_DATA,
        )
    folder = os.path.join(workspace.folder, 'modules')
    path = workspace.write('Puppetfile', puppetfile)
    result = run(
        [r10k, 'puppetfile', 'install', '--puppetfile', path, '--moduledir', folder],
        env=dict(UTF8_LOCALE, **heat_fetch.environment(workspace.folder)),
        cwd=workspace.folder,
    )
    if result.status_code:
        raise HookError(
            f'r10k could not install the modules of the Puppetfile:\n{result.stderr.strip()}',
            result.status_code,
        )
    return folder


def write_hiera_data(name: str, deployment: Deployment) -> None:
    data = deployment.inputs
    if not deployment.options['template_inputs']:
        data = {key: literal(value) for key, value in data.items()}
    path = os.path.join(HIERA_DATA, f'heat_config_{name}.json')
    heat_foreign_files.write(os.path.abspath(path), json.dumps(data).encode('ascii'), 0o600)


def literal(value: 'Any') -> 'Any':
    """A value with nothing in it that Hiera would expand."""
    if isinstance(value, dict):
        return {literal(key): literal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [literal(item) for item in value]
    return value.replace('%{', "%{literal('%')}{") if isinstance(value, str) else value


def write_facts(deployment: Deployment, workspace: Workspace, facts: 'dict[str, Any]') -> str:
    """Write external facts, which may be of any type; return their folder."""
    folder = os.path.join(workspace.folder, file_name(deployment.id + '.facts'))
    make_folder(folder)
    write_file(os.path.join(folder, 'heat.json'), json.dumps(facts))
    return folder


class LocalLog:
    """A stream of puppet's, whole and on the server (Heat takes the end of it only)."""

    def __init__(self, deployment: Deployment, stream: str) -> None:
        make_folder(LOGS)
        time = deployment.creation_time.replace(':', '-').replace('T', '-')
        path = os.path.join(LOGS, file_name(f'{time}-{deployment.id}-{stream}.log'))
        self._file = open(path, 'wb', buffering=0, opener=private)

    def __enter__(self) -> 'LocalLog':
        return self

    def __exit__(self, *_: 'Any') -> None:
        self._file.close()

    def write(self, data: bytes) -> None:
        echo(data)
        try:
            self._file.write(data)
        except OSError:  # a full disk is no reason to stop puppet half-way
            pass


def private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


if __name__ == '__main__':
    main(deploy, 'puppet', OPTIONS)
