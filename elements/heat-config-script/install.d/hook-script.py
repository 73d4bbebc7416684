#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Group script: the config is a script, run with the inputs as environment.

An output is what the script writes to the file
``$heat_outputs_path.<output name>``.
"""

import json
import os
import shlex

from heat_hook import (
    BAD_DATA,
    Deployment,
    HookError,
    Result,
    Workspace,
    environment,
    log,
    main,
    make_folder,
    run,
    write_file,
)
from heat_options import Option

OPTIONS = (
    Option('user', 'string', 'The user that the script runs as; root by default.'),
    Option('group', 'string', "The group that it runs as; the user's own by default."),
    Option('cwd', 'string', 'The folder that it runs in; one of the hook by default.'),
    Option('env', 'map', 'Further variables of the environment.', {}),
    Option(
        'interpreter',
        'string',
        'The program that runs it, with its first arguments, in place of that in its first line.',
    ),
    Option('umask', 'mode', "The umask, such as ``'0027'``; the agent's by default."),
)
# Linux takes no longer string in an environment: MAX_ARG_STRLEN.
LONGEST = 128 * 1024 - 1  # bytes of name, equals sign and value
# Of all strings together it takes at least that much; some room is for what the agent adds.
ROOM = 1536 * 1024


class Account:
    """Whom the script runs as, where it is not the agent's own user.

    :raises HookError: when there is no such user or group.
    """

    def __init__(self, user: str, group: str) -> None:
        import grp
        import pwd

        try:
            entry = pwd.getpwuid(int(user)) if user.isdigit() else pwd.getpwnam(user or 'root')
        except KeyError:
            raise HookError(f'There is no user {user} on this server.', BAD_DATA)
        self.uid, self.gid = entry.pw_uid, entry.pw_gid
        if group:
            try:
                number = int(group) if group.isdigit() else -1
                self.gid = (grp.getgrgid(number) if number >= 0 else grp.getgrnam(group)).gr_gid
            except KeyError:
                raise HookError(f'There is no group {group} on this server.', BAD_DATA)
        #: What is put before a command.
        self.command = ['setpriv', f'--reuid={self.uid}', f'--regid={self.gid}', '--init-groups']
        self.variables = {
            'HOME': entry.pw_dir,
            'LOGNAME': entry.pw_name,
            'SHELL': entry.pw_shell,
            'USER': entry.pw_name,
        }

    def give(self, folder: str) -> None:
        """Make a folder, and what is in it, the account's own."""
        for parent, folders, files in os.walk(folder):
            for name in ['.', *folders, *files]:
                os.chown(os.path.join(parent, name), self.uid, self.gid)


def deploy(deployment: Deployment, workspace: Workspace) -> Result:
    options = deployment.options
    script = deployment.text()
    if script.split('\n', 1)[0].endswith('\r'):
        # Written on Windows: the kernel would look for "/bin/sh\r".
        script = script.replace('\r\n', '\n')
    workspace.clear_outputs()
    if not options['user'] and not options['group']:
        path = workspace.write(deployment.id, script, 0o700)
        inputs = workspace.outputs_path + '.inputs'
        try:
            write_inputs(inputs, deployment)
            variables = variables_of(deployment, inputs, workspace.outputs_path)
            result = run_script(path, variables, options, [], workspace.folder)
        finally:
            remove_inputs(inputs)
    else:
        account = Account(options['user'] or '', options['group'] or '')
        result = run_as(account, script, deployment, workspace)
    result.outputs = workspace.read_outputs()
    return result


def run_as(account: Account, script: str, deployment: Deployment, workspace: Workspace) -> Result:
    """Run the script as another user, in a folder of that user's own."""
    import shutil
    import tempfile

    folder = tempfile.mkdtemp(prefix='heat-script-')  # where everybody may look for his own
    try:
        path = os.path.join(folder, 'script')
        outputs = os.path.join(folder, 'outputs')
        inputs = os.path.join(folder, 'inputs')
        write_file(path, script, 0o700)
        write_inputs(inputs, deployment)
        account.give(folder)
        variables = dict(account.variables, **variables_of(deployment, inputs, outputs))
        result = run_script(path, variables, deployment.options, account.command, folder)
        for name in deployment.output_names:
            copy_output(f'{outputs}.{name}', f'{workspace.outputs_path}.{name}')
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return result


def run_script(
    path: str,
    variables: 'dict[str, str]',
    options: 'dict[str, object]',
    before: 'list[str]',
    folder: str,
) -> Result:
    command = [*before, *shlex.split(str(options['interpreter'] or '')), path]
    if options['umask'] is not None:
        # Words, not text, for the shell: nothing in them is expanded.
        command = ['sh', '-c', 'umask "$0" && exec "$@"', f'{options["umask"]:04o}', *command]
    return run(command, env=variables, cwd=str(options['cwd'] or folder))


def variables_of(deployment: Deployment, inputs: str, outputs: str) -> 'dict[str, str]':
    """The environment that the script gets.

    :param inputs: the path of the folder with the inputs.
    :raises HookError: at an input that is too long, and that the script does not read from there.
    """
    variables = environment(deployment.inputs)
    by_size = sorted(variables, key=lambda name: size(name, variables[name]))
    while by_size and (
        size(by_size[-1], variables[by_size[-1]]) > LONGEST
        or sum(size(name, value) for name, value in variables.items()) > ROOM
    ):
        name = by_size.pop()
        problem = (
            f'The input {name} is too large for the environment: it has '
            f'{size(name, variables.pop(name))} bytes, of which one variable takes {LONGEST} and '
            f'all together {ROOM}. '
        )
        if 'heat_inputs_path' not in deployment.text():
            raise HookError(
                problem + f'Read it from the file "$heat_inputs_path/{name}", or all inputs from '
                'the JSON in "$heat_inputs_path.json".',
                BAD_DATA,
            )
        log(problem + f'It is in the file $heat_inputs_path/{name} only.')
    variables.update(environment(deployment.options['env']))
    variables.update(heat_inputs_path=inputs, heat_outputs_path=outputs)
    return variables


def size(name: str, value: str) -> int:
    """How many bytes of an environment a variable takes."""
    return len(f'{name}={value}'.encode('utf-8', 'surrogatepass')) + 1


def write_inputs(folder: str, deployment: Deployment) -> None:
    """Write all inputs as files of their names, and as JSON beside their folder."""
    remove_inputs(folder)
    make_folder(folder)
    for name, value in environment(deployment.inputs).items():
        # Other names are no variable of a shell, either.
        if name.replace('_', '').replace('-', '').isalnum() and max(name) < '\x80':
            write_file(os.path.join(folder, name[:200]), value)
    write_file(folder + '.json', json.dumps(deployment.inputs))


def remove_inputs(folder: str) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
    if os.path.exists(folder + '.json'):
        os.unlink(folder + '.json')


def copy_output(source: str, target: str) -> None:
    """Copy an output of another user, who may have put a link in its place."""
    import stat

    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return
    except OSError as error:
        raise HookError(f'The output {source} cannot be read: {error.strerror}.')
    with open(descriptor, 'rb') as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise HookError(f'The output {source} is not a file.')
        write_file(target, file.read(2 * 1024 * 1024))


if __name__ == '__main__':
    main(deploy, 'script', OPTIONS)
