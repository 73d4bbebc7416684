# SPDX-License-Identifier: Apache-2.0
"""Carry out the deployments that Heat has for this server, and signal each.

Usage: 55-heat-config            carry out what is new, finish what is not
       55-heat-config --pending  only finish: what a restart interrupted, and
                                 signals that could not be delivered

os-refresh-config runs the first, a timer the second.

The promise: a hook runs at most once for a deployment's id, and once a
deployment was taken up Heat gets its result, or a failure that says what
happened, as soon as Heat can be reached.

Environment:
  HEAT_SHELL_CONFIG         the list of deployments
                            (/var/run/heat-config/heat-config)
  HEAT_CONFIG_HOOKS         where hooks are looked for first; then in
                            /usr/libexec/heat-config/hooks and in
                            /var/lib/heat-config/hooks
  HEAT_CONFIG_DEPLOYED      what became of them (/var/lib/heat-config/deployed)
  HEAT_CONFIG_DEPLOYED_OLD  where old agents kept that
                            (/var/run/heat-config/deployed)
  HEAT_CONFIG_NOTIFY        the command that signals (heat-config-notify)
  HEAT_CONFIG_NOTIFY_PATIENCE  seconds to try to deliver a signal for, before
                            it is left to the timer (30)
  HEAT_CONFIG_HOOK_TIMEOUT  seconds that a hook may take; a deployment's
                            option "timeout" comes first (no limit)
  HEAT_CONFIG_LOGS          the deployments' logs; HEAT_SCRIPT_LOGS is an old
                            name for it (/var/log/heat-config)
  HEAT_AGENT_SETTINGS       the agent's settings, which come before what a hook
                            gets by itself: HOME, USER, LOGNAME, SHELL and a
                            full PATH (/etc/default/heat-agent)
  HEAT_CONFIG_REBOOT        the command that reboots (systemctl reboot)
"""

import json
import os
import signal

import heat_deployed
import heat_signals
from heat_deployed import GROUPS_WITHOUT_HOOK, HOOK_FOLDERS, Deployed, say
from heat_hook import (
    BAD_DATA,
    FAILED,
    NOT_EXECUTABLE,
    NOT_FOUND,
    TIMED_OUT,
    Deployment,
    HookError,
    Result,
    echo,
    make_folder,
    run,
    sync_folder,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BAD_RESPONSE = 70  # sysexits.h: EX_SOFTWARE
INTERRUPTED = 75  # sysexits.h: EX_TEMPFAIL
RESPONSE_LIMIT = 8 * 1024 * 1024  # bytes; escaped as JSON text grows sixfold
LOG_LIMIT = 10 * 1024 * 1024  # bytes, then one older log is kept
LINE_LIMIT = 8192  # bytes of a line that are held back until it ends
MOST_REBOOTS = 10
UNRECORDED = 'The server could not record this deployment, and did not run its hook: {}.'
BOOT_ID = '/proc/sys/kernel/random/boot_id'


class Rebooting(Exception):
    """The machine goes down because a hook asked for it."""


def main(arguments: 'list[str]') -> int:
    if arguments in (['-h'], ['--help']):
        print(__doc__.strip())
        return 0
    if arguments not in ([], ['--pending']):
        say(f'what is {" ".join(arguments)}?  Try --help.')
        return 2
    try:
        return work(only_pending=bool(arguments))
    except Rebooting as reason:
        say(str(reason))
        return 1  # so that the agent comes back to the deployments after this one
    except OSError as error:
        say(f'cannot work: {error}')
        return 1


def work(only_pending: bool) -> int:
    # The timer does not wait for a hook that takes hours: signals must go out.
    # And a hook that calls this would wait for itself.
    in_hook = 'HEAT_CONFIG_DEPLOYMENT' in os.environ
    with heat_deployed.lock('run', wait=not only_pending and not in_hook) as locked:
        deployments, problem = read_metadata()
        signals = heat_signals.Signals(deployments)
        if locked:
            heat_deployed.prepare()
            finish_interrupted(deployments, signals)
        elif in_hook:
            say('called by a hook that it runs itself: there is nothing that it could do')
            return 1
        signals.deliver_pending(at_once=not only_pending)
        if only_pending:
            return 0
        if problem:
            say(problem)
            return 1
        results = [carry_out(deployment, signals) for deployment in deployments]
        return 0 if all(results) else 1


def read_metadata() -> 'tuple[list[Any], str]':
    """The deployments, and what is wrong with their file, if anything is."""
    try:
        return heat_deployed.metadata(), ''
    except (OSError, ValueError) as error:
        return [], f'{heat_deployed.METADATA} cannot be used: {error}'


def carry_out(data: 'Any', signals: heat_signals.Signals) -> bool:
    """Run a new deployment's hook, once, and signal what it answers.

    :param data: one of the metadata's deployments.
    :returns: whether it is done with; its own failure is Heat's business.
    """
    if not isinstance(data, dict) or not data.get('id'):
        say('a deployment without an id cannot be carried out, nor signalled')
        return True
    deployed = Deployed.of(data)
    if data.get('group') in GROUPS_WITHOUT_HOOK or deployed.is_taken_up():
        return True
    problem = None
    try:
        data = of_action(data)
    except HookError as error:
        problem = error
    if not take_up(deployed, data, signals):
        return False
    if problem:
        response = failure(problem.status_code, str(problem))
    else:
        response = invoke(deployed)
    return complete(deployed, response, signals)


def take_up(deployed: Deployed, data: 'dict[str, Any]', signals: heat_signals.Signals) -> bool:
    """Record that a deployment's hook counts as run from here on.

    :returns: whether it may run: without a record it could run twice.
    """
    try:
        deployed.take_up(data)
        return True
    except OSError as error:
        say(f'{data.get("name")}: not run: {error}')
        signals.deliver_unrecorded(
            deployed, data, failure(FAILED, UNRECORDED.format(error.strerror))
        )
        return False


def of_action(data: 'dict[str, Any]') -> 'dict[str, Any]':
    """A component's config and tool for the action at hand.

    :raises HookError: when it is not what Heat's SoftwareComponent sends.
    """
    if data.get('group') != 'component':
        return data
    action = Deployment(data).action
    configs = Deployment(data).mapping().get('configs')
    if not isinstance(configs, list):
        raise HookError('The component has no list of configs.', BAD_DATA)
    for config in configs:
        actions = config.get('actions') if isinstance(config, dict) else None
        if isinstance(actions, list) and action in actions:
            return dict(data, group=config.get('tool'), config=config.get('config'))
    return data


def invoke(deployed: Deployed) -> 'dict[str, Any]':
    """Run a deployment's hook.

    :returns: what it answered, or a failure that says why it did not.
    :raises Rebooting: when it asked for that.
    """
    deployment = Deployment(deployed.deployment)
    if deployment.group == 'component':
        say(f'{deployment.name}: nothing to do for {deployment.action}')
        return Result().response()
    say(f'{deployment.name}: running hook {deployment.group}, id {deployment.id}')
    try:
        response = run_hook(deployed, deployment)
    except HookError as error:
        response = failure(error.status_code, str(error))
    except Exception:
        import traceback  # slow to load

        response = failure(FAILED, traceback.format_exc())
    if os.path.exists(deployed.reboot_path):
        if str(response.get('deploy_status_code') or 0) == '0':
            return reboot(deployed)
        heat_deployed.remove(deployed.reboot_path)
    return response


def run_hook(deployed: Deployed, deployment: Deployment) -> 'dict[str, Any]':
    hook = find_hook(deployment.group)
    timeout = timeout_of(deployment)
    with LiveLog(deployed.log_path, deployment) as live_log:
        result = run(
            [hook],
            stdin=heat_deployed.dump(deployed.deployment).encode('ascii'),
            env={
                'HEAT_CONFIG_DEPLOYMENT': deployed.name,
                'HEAT_CONFIG_REBOOT_REQUEST': deployed.reboot_path,
                'HEAT_CONFIG_REBOOTS': str(deployed.state.get('reboots', 0)),
            },
            timeout=timeout,
            new_group=True,
            limit=RESPONSE_LIMIT,
            on_stdout=lambda data: None,
            on_stderr=live_log.write,
        )
    if result.timed_out:
        return failure(
            TIMED_OUT,
            f'The hook {deployment.group} was ended after {timeout:g} seconds, its timeout.',
            result.stderr,
        )
    return response_of(deployment.group, result)


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
    except ValueError:
        answer = 'what is not JSON' if result.stdout.strip() else 'nothing'
        response = None
    else:
        answer = 'JSON that is not an object'
    if not isinstance(response, dict):
        return failure(
            result.status_code or BAD_RESPONSE,
            f'The hook {group} {ending} and answered {answer}.',
            result.stderr,
        )
    if result.status_code and str(response.get('deploy_status_code') or 0) == '0':
        response['deploy_status_code'] = result.status_code
        response['deploy_stderr'] = (
            f'{response.get("deploy_stderr") or ""}\nThe hook {group} {ending}.\n'
        )
    return response


def failure(status_code: int, reason: str, output: str = '') -> 'dict[str, Any]':
    """The response of a deployment whose hook gave none.

    :param output: what the hook logged until then.
    """
    if output:
        reason += '\nIts output:\n' + output
    return Result(status_code, stderr=reason.rstrip('\n') + '\n').response()


def complete(deployed: Deployed, response: 'dict[str, Any]', signals: heat_signals.Signals) -> bool:
    """Record a deployment's response, then signal it.

    :returns: whether it could be recorded.
    """
    name = deployed.state.get('name')
    say(f'{name}: ended with status {response.get("deploy_status_code") or 0}')
    try:
        deployed.finish(response)
    except OSError as error:
        say(f'{name}: its response cannot be recorded: {error}')
        signals.deliver_unrecorded(deployed, deployed.deployment, response)
        return False
    signals.deliver(deployed)
    return True


def finish_interrupted(deployments: 'list[Any]', signals: heat_signals.Signals) -> None:
    """Finish what was taken up, and has neither a response nor a hook that runs.

    The caller holds the lock, so nobody else is running its hook.
    """
    wanted = {Deployed.of(data).name: data for data in deployments if isinstance(data, dict)}
    for deployed in Deployed.all():
        if deployed.is_finished():
            continue
        data = deployed.deployment
        if deployed.is_legacy() and (
            not data  # so made by an old heat-config-rebuild-deployed
            or deployed.name not in wanted
            or data.get('group') in GROUPS_WITHOUT_HOOK
        ):
            continue  # ended long ago, and no word of it is awaited
        end_processes(deployed)
        if os.path.exists(deployed.reboot_path):
            response = after_reboot(deployed)
        elif data:
            response = failure(
                INTERRUPTED,
                f'The hook {data.get("group")} was interrupted: the server or its '
                'agent stopped while it ran.  It was not run again.',
            )
        elif take_up(deployed, wanted.get(deployed.name, {}), signals):
            response = failure(FAILED, UNRECORDED.format('its disk was full or is damaged'))
        else:
            continue
        complete(deployed, response, signals)


def end_processes(deployed: Deployed) -> None:
    """End what a dispatcher that was killed has left of a hook.

    They are known by their environment: a process group could be left, and
    its number be another's by now.  What marks them is a path, which no other
    agent's hooks have.
    """
    mark = b'HEAT_CONFIG_REBOOT_REQUEST=' + os.fsencode(deployed.reboot_path)
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{pid}/environ', 'rb') as file:
                if mark in file.read().split(b'\0') and int(pid) != os.getpid():
                    os.kill(int(pid), signal.SIGKILL)
        except OSError:
            pass  # it has ended, or is a kernel thread


def reboot(deployed: Deployed) -> 'dict[str, Any]':
    """Reboot, for a hook that is to run again after that.

    :returns: a failure, when it asks too often.
    """
    if deployed.state.get('reboots', 0) >= MOST_REBOOTS:
        heat_deployed.remove(deployed.reboot_path)
        return failure(FAILED, f'The hook asked for more than {MOST_REBOOTS} reboots.')
    command = (os.environ.get('HEAT_CONFIG_REBOOT') or 'systemctl reboot').split()
    try:
        result = run(command)
    except HookError as error:
        result = Result(error.status_code, stderr=str(error))
    if result.status_code:
        heat_deployed.remove(deployed.reboot_path)
        return failure(
            result.status_code,
            f'The hook asked for a reboot, and {" ".join(command)} failed.',
            result.stderr,
        )
    raise Rebooting(f'{deployed.state.get("name")}: rebooting; its hook runs again after that')


def after_reboot(deployed: Deployed) -> 'dict[str, Any]':
    """Run a hook again that asked for a reboot, if that has happened."""
    with open(deployed.reboot_path) as asked, open(BOOT_ID) as now:
        if asked.read() == now.read():
            return reboot(deployed)
    deployed.update(reboots=deployed.state.get('reboots', 0) + 1)
    # It must have gone for good before the hook runs: once for each boot.
    os.unlink(deployed.reboot_path)
    sync_folder(heat_deployed.FOLDER)
    return invoke(deployed)


class LiveLog:
    """A hook's output as it comes: to the journal, and to a file of its own.

    :param path: the file.
    :param deployment: whose credentials must not be seen in it.
    """

    def __init__(self, path: str, deployment: Deployment) -> None:
        self._prefix = f'heat-config: {deployment.name}: '.encode('utf-8', 'backslashreplace')
        self._secrets = [
            value.encode('utf-8', 'backslashreplace') for value in deployment.credentials()
        ]
        self._path = path
        self._line = b''
        self._file = None

    def __enter__(self) -> 'LiveLog':
        try:
            make_folder(os.path.dirname(self._path))
            self._open()
        except OSError as error:
            self._close(error)
        return self

    def _open(self) -> None:
        descriptor = os.open(
            self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600
        )
        self._file = open(descriptor, 'ab', buffering=0)

    def _close(self, error: 'OSError | None' = None) -> None:
        """Go on without the file: no log is no reason to fail a deployment."""
        if error:
            say(f'no log in {self._path}: {error.strerror}')
        if self._file:
            self._file.close()
            self._file = None

    def write(self, data: bytes) -> None:
        lines = (self._line + data).splitlines(True)
        self._line = b''
        if lines and not lines[-1].endswith(b'\n') and len(lines[-1]) < LINE_LIMIT:
            self._line = lines.pop()
        self._write_lines(lines)

    def _write_lines(self, lines: 'list[bytes]') -> None:
        for secret in self._secrets:
            lines = [line.replace(secret, b'***') for line in lines]
        echo(b''.join(self._prefix + line.rstrip(b'\r\n') + b'\n' for line in lines))
        try:
            if self._file and lines:
                self._file.write(b''.join(lines))
                if self._file.tell() > LOG_LIMIT:
                    self._close()
                    os.replace(self._path, self._path + '.1')
                    self._open()
        except OSError as error:
            self._close(error)

    def __exit__(self, *exception: 'Any') -> None:
        if self._line:
            self._write_lines([self._line])
        self._close()
