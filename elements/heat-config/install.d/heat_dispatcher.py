#!/usr/bin/env python3
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
  HEAT_CONFIG_INSTANCE_ID   whose content tells this server from others
                            (/var/lib/cloud/data/instance-id)
  HEAT_CONFIG_REBOOT        the command that reboots (systemctl reboot)
"""

import os
import sys

import heat_apply_config
import heat_deployed
import heat_instance
import heat_log
import heat_signals
from heat_deployed import GROUPS_WITHOUT_HOOK, Record
from heat_invocation import choose_config, end_processes, failure, invoke, resume
from heat_log import say
from heat_process import BAD_DATA, FAILED, HookError
from heat_reboot import Rebooting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

INTERRUPTED = 75  # sysexits.h: EX_TEMPFAIL
UNRECORDED = 'The server could not record this deployment, and did not run its hook: {}.'
LOST = (
    'The server could not record this deployment, or its record was damaged, and it is not run: {}.'
)


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
    if only_pending and not heat_instance.is_known():
        return 0  # what is on record may be another server's
    try:
        lock = heat_deployed.lock('run', wait=not only_pending and not in_hook)
    except OSError as error:
        say(f'cannot work: {error}')
        return 1 if only_pending else refuse_all(error)
    with lock as locked:
        if locked:
            heat_instance.put_others_state_aside()
            heat_deployed.prepare()
        heat_deployed.LEDGER.load()
        records, problem = read_metadata()
        signals = heat_signals.Signals(records)
        if locked:
            recover(records, signals, is_complete=not problem)
        elif in_hook:
            say('called by a hook that it runs itself: there is nothing that it could do')
            return 1
        signals.deliver_pending(at_once=not only_pending)
        if only_pending:
            return 0
        if problem:
            say(problem)
            return 1
        results = [guarded(carry_out, record, signals) for record in records if is_new(record)]
        return 0 if all(results) else 1


def read_metadata() -> 'tuple[list[Record], str]':
    """The deployments that Heat has, and what is wrong with their file, if anything is."""
    heat_deployed.hide_metadata()
    try:
        deployments = heat_deployed.metadata()
    except (OSError, ValueError) as error:
        return [], f'{heat_deployed.METADATA} cannot be used: {error}'
    usable = list(filter(heat_deployed.is_deployment, deployments))
    if len(usable) < len(deployments):
        say('a deployment without an id cannot be carried out, nor signalled')
    records = list(map(Record.of, usable))
    for record in records:
        # A script of one deployment can read, and print, the metadata of all.
        heat_log.keep_secret(record.deployment.secrets())
    return records, ''


def is_new(record: Record) -> bool:
    group = record.data.get('group')
    if group in GROUPS_WITHOUT_HOOK and not heat_apply_config.is_awaited(record):
        return False
    return not record.is_taken_up()


def guarded(
    step: 'Callable[[Record, heat_signals.Signals], bool]',
    record: Record,
    signals: heat_signals.Signals,
) -> bool:
    """Do something for a record; whatever goes wrong stays with it, and Heat is told.

    :returns: whether all is well.
    """
    try:
        return step(record, signals)
    except Rebooting:
        raise
    except Exception as error:
        import traceback  # slow to load

        say(f'{record.name}: {error}')
        response = failure(
            FAILED, f'The agent could not handle this deployment:\n{traceback.format_exc(limit=-3)}'
        )
    try:
        if record.is_taken_up() and record.is_finished():
            return False  # what is left is its signal, which is tried again
        if not record.is_taken_up():
            record = Record.of(heat_deployed.signal_data(record.data))
            if not take_up(record, signals):
                return False
        return finish(record, response, signals)
    except Exception as error:
        say(f'{record.name}: {error}')
        return False


def carry_out(record: Record, signals: heat_signals.Signals) -> bool:
    """Run a new deployment's hook, once, and signal what it answers.

    :returns: whether it is done with; its own failure is Heat's business.
    """
    response = None
    try:
        if record.problem:
            raise HookError(record.problem, BAD_DATA)
        choose_config(record)
    except HookError as error:
        response = failure(error.status_code, str(error))
    if not take_up(record, signals):
        return False
    if record.data.get('group') == heat_apply_config.GROUP:
        response = response or heat_apply_config.response()
    return finish(record, response or invoke(record), signals)


def take_up(record: Record, signals: heat_signals.Signals) -> bool:
    """Record that a deployment's hook counts as run from here on.

    :returns: whether it may run: without a record it could run twice.
    """
    try:
        record.take_up()
        return True
    except OSError as error:
        refuse(record, error, signals)
        return False


def refuse(record: Record, error: OSError, signals: heat_signals.Signals) -> None:
    """Tell Heat that a deployment's hook never runs, for it could not be recorded."""
    say(f'{record.deployment.name}: not run: {error}')
    try:
        record.refuse(failure(FAILED, UNRECORDED.format(error.strerror)))
    except OSError as error:
        # Neither run nor told: it could not be known at the next run, which tries again.
        say(f'{record.deployment.name}: waits until that can be recorded: {error}')
    else:
        signals.deliver(record)


def refuse_all(error: OSError) -> int:
    """Refuse what is new, for there is no place for any record."""
    records, _ = read_metadata()
    signals = heat_signals.Signals(records)
    heat_deployed.LEDGER.load()
    for record in filter(is_new, records):
        refuse(record, error, signals)
    return 1


def finish(record: Record, response: 'dict[str, Any]', signals: heat_signals.Signals) -> bool:
    """Record a deployment's response, then signal it.

    :returns: whether it could be recorded.
    """
    name = record.deployment.name
    say(f'{name}: ended with status {response.get("deploy_status_code") or 0}')
    try:
        record.finish(response)
    except OSError as error:  # so it ends as one that was interrupted
        say(f'{name}: its response cannot be recorded: {error}')
        return False
    signals.deliver(record)
    return True


def recover(wanted: 'list[Record]', signals: heat_signals.Signals, is_complete: bool) -> None:
    """Finish what was taken up, and has neither a response nor a hook that runs.

    The caller holds the lock, so nobody else is running its hook.

    :param wanted: what Heat has for this server at present.
    :param is_complete: whether that could be read; if not, it is not known
        of anything that nobody awaits it.
    """
    by_name = {record.name: record for record in wanted}
    names = heat_deployed.unfinished_names()
    # One that has lost its mark would be awaited for ever.
    names |= {
        name
        for name, record in by_name.items()
        if record.is_taken_up() and not record.is_finished()
    }
    for name in sorted(names):
        record = Record.load(name, by_name.get(name))
        record.is_awaited = name in by_name or (False if is_complete else None)
        guarded(recover_one, record, signals)


def recover_one(record: Record, signals: heat_signals.Signals) -> bool:
    """Finish one record.

    :returns: whether all is well.
    """
    if not record.is_sound and not record.is_awaited:
        if record.is_awaited is False:  # and not only unknown
            record.forget()
        return True
    if record.is_noted():
        record.try_to_settle()
        return True
    if not record.is_taken_up():
        return True  # it was removed, to be carried out anew
    if record.is_finished():
        if not record.is_pending():
            record.unmark()
        return True
    if record.is_legacy() and not record.problem and not is_awaited_of_old(record):
        return True
    end_processes(record)
    response = resume(record) if os.path.lexists(record.reboot_path) else None
    if response:
        pass
    elif record.data.get('group') == heat_apply_config.GROUP:
        response = heat_apply_config.response()
    elif record.is_sound:
        response = failure(
            INTERRUPTED,
            f'The hook {record.deployment.group} was interrupted: the server or its '
            'agent stopped while it ran.  It was not run again.',
        )
    else:
        response = failure(FAILED, LOST.format(record.problem or 'its disk was full'))
        if not take_up(record, signals):
            return False
    return finish(record, response, signals)


def is_awaited_of_old(record: Record) -> bool:
    """Whether Heat may await a signal of what an agent without states has left.

    Without a deployment it was made by an old heat-config-rebuild-deployed.
    """
    return (
        record.is_sound
        and record.is_awaited is True
        and record.data.get('group') not in GROUPS_WITHOUT_HOOK
    )


if __name__ == '__main__':
    status = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(status)  # to take Python down in order takes a third as long as to start it
