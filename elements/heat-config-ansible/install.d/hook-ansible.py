#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Group ansible: the config is a playbook, the inputs are its extra variables.

An output is what the playbook writes to the file
``{{ heat_outputs_path }}.<output name>``.
"""

import json
import os
import shutil
import time

from heat_hook import (
    BAD_DATA,
    FAILED,
    UTF8_LOCALE,
    Deployment,
    HookError,
    Result,
    Workspace,
    as_text,
    as_yaml,
    environment,
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
    from typing import Any

INVENTORY = os.environ.get('HEAT_ANSIBLE_INVENTORY', 'localhost,')
THIS_SERVER = {'localhost', '127.0.0.1', '::1'}
RETRY_PAUSE = float(os.environ.get('HEAT_ANSIBLE_RETRY_PAUSE') or 5)  # seconds, then twice that
TRIES = 3
# Where Ansible looks by itself.
FOLDERS = {
    'ANSIBLE_COLLECTIONS_PATH': '~/.ansible/collections:/usr/share/ansible/collections',
    'ANSIBLE_ROLES_PATH': '~/.ansible/roles:/usr/share/ansible/roles:/etc/ansible/roles',
}
OPTIONS = (
    Option('tags', 'list', 'Play only what has one of these tags.', separator=','),
    Option('skip_tags', 'list', 'Do not play what has one of these tags.', separator=','),
    Option(
        'inventory',
        'list',
        "Files, by their paths or their names in the hook's folder, or hosts with a comma; "
        '``localhost,`` by default.',
    ),
    Option('limit', 'list', 'Play only on these hosts of the inventory.', separator=','),
    Option('become', 'boolean', 'Become another user, root by default, for all tasks.', False),
    Option('check', 'boolean', 'Change nothing, and tell what would be changed.', False),
    Option('diff', 'boolean', 'Show what changes in files.', False),
    Option('verbosity', 'integer', 'How much Ansible tells, as the number of its ``-v``.', 0),
    Option('forks', 'integer', "How many hosts to work on at once; Ansible's own by default."),
    Option('env', 'map', 'Further variables of the environment.', {}),
    Option(
        'requirements',
        'document',
        'Roles and collections to install beforehand, as in a ``requirements.yml`` of Ansible '
        'Galaxy: its content, or its path in the ``source``.',
    ),
    Option('roles_path', 'list', 'The folders of further roles.', separator=':'),
    Option(
        'vault_password',
        'string',
        'The name of the input that is the password of vaults. It is no variable then.',
    ),
    Option(
        'source',
        'string',
        'The address of a git repository, or of an archive (``.tar.gz``, ``.zip``), that has the '
        'playbook. The config must be empty.',
    ),
    Option('source_version', 'string', 'The branch, tag or commit of that repository.'),
    Option('playbook', 'string', "The playbook's path in the ``source``.", 'site.yml'),
    Option('modulepath', 'list', 'The folders of further modules.', separator=':'),
    Option('callback_plugins', 'list', 'The folders of callback plugins.', separator=':'),
    Option(
        'template_inputs',
        'boolean',
        'Have Ansible expand ``{{ }}`` in the values of inputs, too. A value that another server '
        'or user can choose runs commands on this server then.',
        False,
    ),
)

# A plugin, for what a playbook did not do is in no exit status.
REPORT_PLUGIN = """\
import json
import os

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'aggregate'
    CALLBACK_NAME = 'heat_report'
    CALLBACK_NEEDS_ENABLED = False

    plays = tasks = unmatched = 0

    def v2_playbook_on_play_start(self, play):
        self.plays += 1

    def v2_playbook_on_no_hosts_matched(self):
        self.unmatched += 1

    def v2_playbook_on_task_start(self, task, is_conditional):
        if task.action.rpartition('.')[2] not in ('setup', 'gather_facts'):
            self.tasks += 1

    def v2_playbook_on_stats(self, stats):
        path = os.environ.get('HEAT_ANSIBLE_REPORT')
        if path:
            with open(path, 'w') as file:
                json.dump([self.plays, self.unmatched, self.tasks], file)
"""


class Run:
    """One run of ansible-playbook: its command line and its environment."""

    def __init__(self, deployment: Deployment, workspace: Workspace) -> None:
        self.deployment = deployment
        self.workspace = workspace
        self.options = deployment.options
        self.report = os.path.join(workspace.folder, 'report.json')
        self.cwd = workspace.folder
        # A failed task is told of as an error, not only among those that went well.
        self.env = dict(
            UTF8_LOCALE,
            ANSIBLE_DISPLAY_FAILED_STDERR=os.environ.get('ANSIBLE_DISPLAY_FAILED_STDERR', 'yes'),
            HEAT_ANSIBLE_REPORT=self.report,
        )
        self.env.update(environment(self.options['env']))
        if self.options['callback_plugins']:
            self.env['ANSIBLE_CALLBACK_PLUGINS'] = ':'.join(self.options['callback_plugins'])
        if self.options['roles_path']:
            self.add_folder('ANSIBLE_ROLES_PATH', ':'.join(self.options['roles_path']))

    def add_folder(self, variable: str, folder: str) -> None:
        """Have Ansible look for something in a folder first."""
        others = self.env.get(variable) or os.environ.get(variable) or FOLDERS[variable]
        self.env[variable] = f'{folder}:{others}'

    def command(self, playbook: str, vault: str) -> 'list[str]':
        options = self.options
        inventories = options['inventory'] or [INVENTORY]
        command = [program('ansible-playbook', variable='HEAT_ANSIBLE_CMD')]
        for inventory in inventories:
            command += ['-i', self.inventory_path(inventory)]
        if all(map(is_this_server, inventories)):
            command += ['--connection', 'local']  # a play's own connection comes first
        for option, argument, separator in (
            ('modulepath', '--module-path', ':'),
            ('skip_tags', '--skip-tags', ','),
            ('tags', '--tags', ','),
            ('limit', '--limit', ','),
        ):
            if options[option]:
                command += [argument, separator.join(options[option])]
        for option in 'become', 'check', 'diff':
            if options[option]:
                command.append('--' + option)
        if options['verbosity']:
            command.append('-' + 'v' * min(options['verbosity'], 6))
        if options['forks']:
            command += ['--forks', str(options['forks'])]
        if vault:
            command += ['--vault-password-file', vault]
        return [*command, playbook, '--extra-vars', '@' + self.write_variables()]

    def inventory_path(self, wanted: str) -> str:
        """What to give to -i: hosts with a comma, or a file (in the hook's folder)."""
        return wanted if ',' in wanted else os.path.join(self.workspace.folder, wanted)

    def write_variables(self) -> str:
        deployment = self.deployment
        variables = {
            name: value
            for name, value in deployment.inputs.items()
            if name != self.options['vault_password']
        }
        variables.update(
            heat_config_id=deployment.id, heat_outputs_path=self.workspace.outputs_path
        )
        text = json.dumps(variables) if self.options['template_inputs'] else unsafe_yaml(variables)
        return self.workspace.write(deployment.id + '_variables.json', text)

    def fetch_source(self) -> Result:
        """Bring the source with the playbook."""
        import heat_fetch  # few playbooks need it

        path = os.path.join(self.workspace.folder, 'source')
        shutil.rmtree(path, ignore_errors=True)
        self.cwd = path
        return heat_fetch.fetch(self.options['source'], self.options['source_version'] or '', path)

    def install_requirements(self) -> Result:
        """Install roles and collections, into folders for this run alone."""
        import heat_fetch

        text = self.options['requirements']
        path = os.path.join(self.cwd, text)
        if '\n' in text or not self.options['source'] or not os.path.isfile(path):
            path = self.workspace.write('requirements.yml', text)
        folder = os.path.join(self.workspace.folder, 'galaxy')
        shutil.rmtree(folder, ignore_errors=True)
        self.add_folder('ANSIBLE_ROLES_PATH', folder + '/roles')
        self.add_folder('ANSIBLE_COLLECTIONS_PATH', folder + '/collections')
        command = [program('ansible-galaxy', variable='HEAT_ANSIBLE_GALAXY_CMD')]
        command += ['install', '-r', path]
        env = dict(heat_fetch.environment(self.workspace.folder), **self.env)
        pause = RETRY_PAUSE
        for attempt in range(1, TRIES + 1):
            result = run(command, env=env, cwd=self.cwd)
            if not result.status_code or attempt == TRIES:
                break
            log(f'ansible-galaxy failed; trying again in {pause:g} seconds')
            time.sleep(pause)
            pause *= 2
        return result

    def problem(self) -> str:
        """Why nothing was done, if nothing was."""
        try:
            with open(self.report, encoding='utf-8') as file:
                plays, unmatched, tasks = json.load(file)
        except (OSError, ValueError):
            return ''  # it came to no end, and the exit status says so
        if plays and plays == unmatched:
            return 'Nothing was done: no host of the inventory matches the hosts of a play.'
        tags = self.options['tags']
        if tags and not tasks:
            return f'Nothing was done: no task has one of the tags {", ".join(tags)}.'
        return ''


def deploy(deployment: Deployment, workspace: Workspace) -> Result:
    options = deployment.options
    playbook = as_yaml(deployment.config)
    if options['source'] and playbook.strip():
        raise HookError('The config must be empty where the option source is given.', BAD_DATA)
    if not options['source'] and not playbook.strip():
        return Result(stdout='The playbook is empty: nothing to do.\n')
    ansible = Run(deployment, workspace)
    if options['source']:
        fetched = ansible.fetch_source()
        if fetched.status_code:
            return fetched
        path = os.path.join(ansible.cwd, options['playbook'])
        if not os.path.isfile(path):
            raise HookError(
                f'{options["source"]} has no file {options["playbook"]}: name the playbook by the '
                'option playbook.',
                BAD_DATA,
            )
    else:
        path = workspace.write(deployment.id + '_playbook.yaml', playbook)
    if options['requirements']:
        installed = ansible.install_requirements()
        if installed.status_code:
            return installed
    write_plugin(os.path.dirname(path))
    remove(ansible.report)
    workspace.clear_outputs()
    vault = write_vault_password(deployment, workspace)
    try:
        result = run(ansible.command(path, vault), env=ansible.env, cwd=ansible.cwd)
    finally:
        remove(vault)
    problem = ansible.problem()
    if problem:
        log(problem)
        result.stderr += problem + '\n'
        result.status_code = result.status_code or FAILED
    result.outputs = workspace.read_outputs()
    return result


def write_plugin(folder: str) -> None:
    """Write the plugin to where Ansible looks for those of a playbook in this folder."""
    folder = os.path.join(folder, 'callback_plugins')
    make_folder(folder)
    write_file(os.path.join(folder, 'heat_report.py'), REPORT_PLUGIN)


def write_vault_password(deployment: Deployment, workspace: Workspace) -> str:
    """Write the password of vaults to a file, for nobody sees that in a list of processes.

    :returns: its path; '' if there is none.
    """
    name = deployment.options['vault_password']
    if not name:
        return ''
    if not deployment.inputs.get(name):
        raise HookError(
            f'The option vault_password names the input {name}, which has no value.', BAD_DATA
        )
    return workspace.write(deployment.id + '_vault', as_text(deployment.inputs[name]) + '\n')


def remove(path: str) -> None:
    if path and os.path.exists(path):
        os.unlink(path)


def is_this_server(inventory: str) -> bool:
    """Whether an inventory is a list of hosts with nothing but this server in it."""
    hosts = {host.strip() for host in inventory.split(',')} - {''}
    return ',' in inventory and hosts <= THIS_SERVER


def unsafe_yaml(value: 'Any') -> str:
    """A value as YAML whose strings Ansible takes as they are, with no {{ }} expanded."""
    if isinstance(value, dict):
        items = (f'{unsafe_yaml(str(key))}: {unsafe_yaml(item)}' for key, item in value.items())
        return '{' + ', '.join(items) + '}'
    if isinstance(value, list):
        return '[' + ', '.join(map(unsafe_yaml, value)) + ']'
    if isinstance(value, str):
        return f'!unsafe "{"".join(map(escaped, value))}"'
    return json.dumps(value)


def escaped(character: str) -> str:
    """A character in a quoted string of YAML."""
    number = ord(character)
    if character in '"\\':
        return '\\' + character
    if 32 <= number < 127:
        return character
    if 0xD800 <= number < 0xE000:  # half a character, which no file can hold
        number = 0xFFFD
    return f'\\U{number:08x}'


if __name__ == '__main__':
    main(deploy, 'ansible', OPTIONS)
