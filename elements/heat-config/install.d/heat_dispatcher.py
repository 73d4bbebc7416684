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
  HEAT_CONFIG_REBOOT        the command that reboots (systemctl reboot)
"""

import os
import sys

import heat_deployed
import heat_log
import heat_signals
from heat_deployed import GROUPS_WITHOUT_HOOK, Record
from heat_invocation import choose_config, end_processes, failure, invoke, resume
from heat_log import say
from heat_process import FAILED, HookError
from heat_reboot import Rebooting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

INTERRUPTED = 75  # sysexits.h: EX_TEMPFAIL
UNRECORDED = 'The server could not record this deployment, and did not run its hook: {}.'


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
        records, problem = read_metadata()
        signals = heat_signals.Signals(records)
        if locked:
            heat_deployed.prepare()
            finish_interrupted(records, signals)
        elif in_hook:
            say('called by a hook that it runs itself: there is nothing that it could do')
            return 1
        signals.deliver_pending(at_once=not only_pending)
        if only_pending:
            return 0
        if problem:
            say(problem)
            return 1
        results = [carry_out(record, signals) for record in records if is_new(record)]
        return 0 if all(results) else 1


def read_metadata() -> 'tuple[list[Record], str]':
    """The deployments that Heat has, and what is wrong with their file, if anything is."""
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
    return record.data.get('group') not in GROUPS_WITHOUT_HOOK and not record.is_taken_up()


def carry_out(record: Record, signals: heat_signals.Signals) -> bool:
    """Run a new deployment's hook, once, and signal what it answers.

    :returns: whether it is done with; its own failure is Heat's business.
    """
    response = None
    try:
        choose_config(record)
    except HookError as error:
        response = failure(error.status_code, str(error))
    return take_up(record, signals) and finish(record, response or invoke(record), signals)


def take_up(record: Record, signals: heat_signals.Signals) -> bool:
    """Record that a deployment's hook counts as run from here on.

    :returns: whether it may run: without a record it could run twice.
    """
    try:
        record.take_up()
        return True
    except OSError as error:
        say(f'{record.deployment.name}: not run: {error}')
        signals.deliver_unrecorded(record, failure(FAILED, UNRECORDED.format(error.strerror)))
        return False


def finish(record: Record, response: 'dict[str, Any]', signals: heat_signals.Signals) -> bool:
    """Record a deployment's response, then signal it.

    :returns: whether it could be recorded.
    """
    name = record.deployment.name
    say(f'{name}: ended with status {response.get("deploy_status_code") or 0}')
    try:
        record.finish(response)
    except OSError as error:
        say(f'{name}: its response cannot be recorded: {error}')
        signals.deliver_unrecorded(record, response)
        return False
    signals.deliver(record)
    return True


def finish_interrupted(wanted: 'list[Record]', signals: heat_signals.Signals) -> None:
    """Finish what was taken up, and has neither a response nor a hook that runs.

    The caller holds the lock, so nobody else is running its hook.

    :param wanted: what Heat has for this server at present.
    """
    by_name = {record.name: record for record in wanted}
    for record in heat_deployed.records():
        if record.is_finished():
            continue
        if record.is_legacy() and (
            not record.data  # so made by an old heat-config-rebuild-deployed
            or record.name not in by_name
            or record.data.get('group') in GROUPS_WITHOUT_HOOK
        ):
            continue  # ended long ago, and no word of it is awaited
        end_processes(record)
        response = resume(record) if os.path.exists(record.reboot_path) else None
        if response:
            pass
        elif record.data:
            response = failure(
                INTERRUPTED,
                f'The hook {record.deployment.group} was interrupted: the server or its '
                'agent stopped while it ran.  It was not run again.',
            )
        else:
            record = by_name.get(record.name, record)
            if not take_up(record, signals):
                continue
            response = failure(FAILED, UNRECORDED.format('its disk was full or is damaged'))
        finish(record, response, signals)


if __name__ == '__main__':
    status = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(status)  # to take Python down in order takes a third as long as to start it
