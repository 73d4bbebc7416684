# SPDX-License-Identifier: Apache-2.0
"""A deployment's hook: found, run, and its answer understood."""

import json
import os
import signal

import heat_cgroup
import heat_log
import heat_reboot
from heat_cgroup import ControlGroup
from heat_deployed import Record, dump
from heat_files import remove
from heat_hook import Deployment, as_text
from heat_log import say
from heat_notify import has_failed
from heat_process import (
    BAD_DATA,
    FAILED,
    NOT_EXECUTABLE,
    NOT_FOUND,
    OUTPUT_LIMIT,
    TIMED_OUT,
    HookError,
    Result,
    run,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HOOK_FOLDERS = [
    folder
    for folder in (
        os.environ.get('HEAT_CONFIG_HOOKS'),
        '/usr/libexec/heat-config/hooks',
        '/var/lib/heat-config/hooks',
    )
    if folder
]
BAD_RESPONSE = 70  # sysexits.h: EX_SOFTWARE
RESPONSE_LIMIT = 8 * 1024 * 1024  # bytes; escaped as JSON text grows sixfold


def choose_config(record: Record) -> None:
    """Narrow a component to its config and tool for the action at hand, if it has one.

    :raises HookError: when it is not what Heat's SoftwareComponent sends.
    """
    deployment = record.deployment
    if deployment.group != 'component':
        return
    configs = deployment.mapping().get('configs')
    if not isinstance(configs, list):
        raise HookError('The component has no list of configs.', BAD_DATA)
    for config in configs:
        actions = config.get('actions') if isinstance(config, dict) else None
        if isinstance(actions, list) and deployment.action in actions:
            record.narrow(config.get('tool'), config.get('config'))
            return


def invoke(record: Record) -> 'dict[str, Any]':
    """Run a deployment's hook.

    :returns: what it answered, or a failure that says why it did not.
    :raises heat_reboot.Rebooting: when it asked for that.
    """
    response = answer_of(record)
    if os.path.exists(record.reboot_path):
        if not has_failed(response):
            return reboot(record)
        remove(record.reboot_path)
    return response


def resume(record: Record) -> 'dict[str, Any] | None':
    """Run a hook again that asked for a reboot, if that has happened.

    :returns: what it answered, or None if it was ended before it had ended well.
    """
    if heat_reboot.has_happened(record):
        heat_reboot.count(record)
        return invoke(record)
    if heat_reboot.is_due(record):
        return reboot(record)
    remove(record.reboot_path)
    return None


def reboot(record: Record) -> 'dict[str, Any]':
    """Reboot, as the hook asked for.

    :returns: a failure, when that cannot be.
    """
    try:
        heat_reboot.reboot(record)
    except HookError as error:
        remove(record.reboot_path)
        return failure(error.status_code, str(error))


def answer_of(record: Record) -> 'dict[str, Any]':
    """What a hook answers, or a failure that says why it does not."""
    deployment = record.deployment
    if deployment.group == 'component':
        say(f'{deployment.name}: nothing to do for {deployment.action}')
        return Result().response()
    say(f'{deployment.name}: running hook {deployment.group}, id {deployment.id}')
    try:
        return run_hook(record)
    except HookError as error:
        return failure(error.status_code, str(error))
    except Exception:
        import traceback  # slow to load

        return failure(FAILED, traceback.format_exc())


def run_hook(record: Record) -> 'dict[str, Any]':
    deployment = record.deployment
    hook = find_hook(deployment.group)
    timeout = timeout_of(deployment)
    control_group = ControlGroup.create(control_group_name(record))
    heat_log.keep_secret(deployment.secrets())
    with heat_log.LiveLog(record.log_path, deployment.name) as live_log:
        result = run(
            [hook],
            stdin=dump(with_texts(record.data)).encode('ascii'),
            env={
                'HEAT_CONFIG_DEPLOYMENT': record.name,
                'HEAT_CONFIG_REBOOT_REQUEST': record.reboot_path,
                'HEAT_CONFIG_REBOOTS': str(record.state.get('reboots', 0)),
            },
            timeout=timeout,
            new_group=True,
            control_group=control_group,
            limit=RESPONSE_LIMIT,
            on_stdout=lambda data: None,
            on_stderr=live_log.write,
        )
    if control_group:
        control_group.remove()
    if result.timed_out:
        return failure(
            TIMED_OUT,
            f'The hook {deployment.group} was ended after {timeout:g} seconds, its timeout.',
            result,
        )
    return response_of(deployment.group, result)


def end_processes(record: Record) -> None:
    """End what a dispatcher that was killed has left of a hook.

    They are known by their control group, or else by their environment and by
    the sessions of those that have it: a process group could be left, and its
    number be another's by now.  What marks them is a path, which no other
    agent's hooks have.
    """
    for control_group in heat_cgroup.find(control_group_name(record)):
        control_group.kill()
    mark = b'HEAT_CONFIG_REBOOT_REQUEST=' + os.fsencode(record.reboot_path)
    sessions, marked = {}, set()
    for pid in map(int, filter(str.isdigit, os.listdir('/proc'))):
        try:
            sessions[pid] = os.getsid(pid)
            with open(f'/proc/{pid}/environ', 'rb') as file:
                if mark in file.read().split(b'\0'):
                    marked.add(pid)
        except OSError:
            pass  # it has ended, or is a kernel thread
    theirs = {sessions[pid] for pid in marked} - {os.getsid(0)}
    for pid, session in sessions.items():
        if (pid in marked or session in theirs) and pid != os.getpid():
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass  # it has ended


def control_group_name(record: Record) -> str:
    """A name that no other agent of this machine, with state in another folder, gives."""
    folder = os.stat(os.path.dirname(record.reboot_path))
    return f'{folder.st_dev:x}-{folder.st_ino:x}-{record.name}'


def with_texts(data: 'dict[str, Any]') -> 'dict[str, Any]':
    """A deployment as hooks have always got it: an input of the type String is a text."""
    inputs = data.get('inputs')
    if not isinstance(inputs, list):
        return data
    return dict(
        data,
        inputs=[
            dict(item, value=as_text(item.get('value')))
            if isinstance(item, dict) and item.get('type') == 'String'
            else item
            for item in inputs
        ],
    )


def find_hook(group: str) -> str:
    """The path of a group's hook.

    :raises HookError: when there is none that could run.
    """
    if not group:
        raise HookError('The deployment names no group, and so no hook.', BAD_DATA)
    # Names come from Heat: letters, digits, - and _ have always been what
    # counts of them.  The library is no hook, for it has a dot.
    name = ''.join(letter for letter in group if letter.isalnum() or letter in '-_')
    if name:
        for folder in HOOK_FOLDERS:
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                if not os.access(path, os.X_OK):
                    raise HookError(f'The hook {path} is not executable.', NOT_EXECUTABLE)
                return path
    raise HookError(
        f'This server has no hook for the group {group}: there is none in '
        f'{", ".join(HOOK_FOLDERS)}.  The element heat-config-{group} installs it, '
        'if there is such a one.',
        NOT_FOUND,
    )


def timeout_of(deployment: Deployment) -> 'float | None':
    """Seconds that a deployment's hook may take; None for any time."""
    for what, value in (
        ("The deployment's option timeout", deployment.options.get('timeout')),
        ('HEAT_CONFIG_HOOK_TIMEOUT', os.environ.get('HEAT_CONFIG_HOOK_TIMEOUT')),
    ):
        if value in (None, ''):
            continue
        try:
            seconds = float(value)
        except (TypeError, ValueError):
            seconds = 0
        if not seconds > 0:
            raise HookError(f'{what} is {value!r}, which is no number of seconds.', BAD_DATA)
        return seconds
    return None


def response_of(group: str, result: Result) -> 'dict[str, Any]':
    """What a hook answered on stdout, made usable for Heat."""
    if result.status_code > 128:
        number = result.status_code - 128
        ending = f'was killed by signal {number}'
        try:
            ending += f' ({signal.Signals(number).name})'
        except ValueError:
            pass
    else:
        ending = f'ended with status {result.status_code}'
    try:
        response = json.loads(result.stdout)
    except (RecursionError, ValueError):
        answer = 'what is not JSON' if result.stdout.strip() else 'nothing'
        response = None
    else:
        answer = 'JSON that is not an object'
    if not isinstance(response, dict):
        return failure(
            result.status_code or BAD_RESPONSE,
            f'The hook {group} {ending} and answered {answer}.',
            result,
        )
    if result.status_code and not has_failed(response):
        response['deploy_status_code'] = result.status_code
        response['deploy_stderr'] = (
            f'{response.get("deploy_stderr") or ""}\nThe hook {group} {ending}.\n'
        )
    return response


def failure(status_code: int, reason: str, result: 'Result | None' = None) -> 'dict[str, Any]':
    """The response of a deployment whose hook gave none.

    :param result: what the hook printed and logged until then.
    """
    if result and result.stderr:
        reason += '\nIts output:\n' + result.stderr
    printed = result.stdout if result else ''
    if len(printed) > OUTPUT_LIMIT:
        printed = (
            f'[... {len(printed) - OUTPUT_LIMIT} characters cut ...]\n' + printed[-OUTPUT_LIMIT:]
        )
    return Result(status_code, printed, reason.rstrip('\n') + '\n').response()
