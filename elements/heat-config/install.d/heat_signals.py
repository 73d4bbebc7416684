# SPDX-License-Identifier: Apache-2.0
"""Signals on their way to Heat: sent, kept, tried again.

What delivers one is heat_notify, or the command that ``HEAT_CONFIG_NOTIFY``
names.  Like the hooks' library, beside which it lies, this needs nothing but
Python 3.6's standard library and is ASCII.
"""

import os
import sys
import time

import heat_notify
from heat_deployed import (
    NONE,
    OBSOLETE,
    PENDING,
    REFUSED,
    SENT,
    SPARE_FOLDER,
    Record,
    dump,
    lock,
    now,
    unfinished_names,
)
from heat_log import say
from heat_process import FAILED, HookError, Result, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OWN_COMMAND = 'heat-config-notify'  # as which heat_notify is known
LONGEST_PAUSE = 600  # seconds between two tries to deliver a signal
MOST_DOUBTS = 10  # tries that Keystone may refuse, an hour at least, before that is final


class Signals:
    """Brings the responses to Heat, now or by and by.

    :param wanted: the deployments that Heat has for this server at present.
    """

    def __init__(self, wanted: 'list[Record]') -> None:
        self._command = os.environ.get('HEAT_CONFIG_NOTIFY') or OWN_COMMAND
        self._patience = patience()
        self._wanted = {record.name: record for record in wanted}
        self._receivers = {}
        for record in wanted:
            self._receivers.setdefault(record.receiver(), set()).add(record.name)

    def deliver_pending(self, at_once: bool) -> None:
        """Try those signals again that could not be delivered.

        :param at_once: and not only those whose time has come.
        """
        pending = []
        for name in unfinished_names():
            record = Record.load(name, self._wanted.get(name))
            # Where nothing tells whose it is: until the metadata do.
            if record.data and record.is_finished() and record.is_pending():
                due = record.state.get('next_try', 0)
                # Further away than it can be, it was set while the clock was wrong.
                waits = 0 < due - time.time() <= LONGEST_PAUSE
                if at_once or not waits:
                    pending.append((due, name, record))
        # Whoever waits longest comes first, for the first that cannot be
        # delivered ends this: the others hardly could.
        for _, _, record in sorted(pending, key=lambda item: item[:2]):
            if not self.deliver(record, patience=0):
                break

    def deliver(self, record: Record, patience: 'float | None' = None) -> bool:
        """Deliver one signal, or note when to try again.

        :param patience: seconds to try for.
        :returns: whether it need not be tried again.
        """
        with lock('signal', spare=SPARE_FOLDER):
            record.load_state()
            if not record.is_pending():
                return True  # another dispatcher was quicker
            # An unreadable response must not be taken for that of a success.
            response = (
                record.response
                or Result(
                    FAILED,
                    stderr=f'{record.response_path} is damaged: what the hook answered is lost.\n',
                ).response()
            )
            changes = self._send(
                record,
                response,
                record.deployment_path,
                self._patience if patience is None else patience,
            )
            name = record.deployment.name
            if changes['signal'] == PENDING:
                self._patience = 0  # Heat is away; the next deployment's hook can run
                changes['attempts'] = record.state.get('attempts', 0) + 1
                pause = min(15 * 2 ** changes['attempts'], LONGEST_PAUSE)
                changes['next_try'] = int(time.time()) + pause
            else:
                changes['signalled'] = now()
            if changes['problem']:
                say(f'{name}: signal {changes["signal"]}: {changes["problem"]}')
            try:
                record.update(**changes)
            except OSError as error:  # it will be sent once more, which does no harm
                say(f'{name}: signal {changes["signal"]}, which cannot be recorded: {error}')
        return changes['signal'] != PENDING

    def _send(
        self, record: Record, response: 'dict[str, Any]', path: str, patience: float
    ) -> 'dict[str, Any]':
        """Try to deliver a response.

        :returns: what to change in the deployment's state: the signal's own,
            and what is wrong.
        """
        if self._is_obsolete(record):
            return outcome(OBSOLETE, 'Heat has another deployment for the same resource by now')
        if self._command != OWN_COMMAND:
            return self._send_by_command(response, path, patience)
        inputs = heat_notify.texts_of(record.deployment.all_inputs)
        if heat_notify.transport_of(inputs) == 'NO_SIGNAL':
            return outcome(NONE)
        try:
            sent = heat_notify.deliver(inputs, response, patience)
        except heat_notify.Final as error:
            return outcome(REFUSED, str(error))
        except heat_notify.Doubtful as error:
            is_final = record.state.get('attempts', 0) >= MOST_DOUBTS
            return outcome(REFUSED if is_final else PENDING, str(error))
        except heat_notify.SignalError as error:
            return outcome(PENDING, str(error))
        except Exception:
            return outcome(PENDING, summary())
        return dict(outcome(SENT), status_code=sent.get('deploy_status_code'))

    def _send_by_command(
        self, response: 'dict[str, Any]', path: str, patience: float
    ) -> 'dict[str, Any]':
        try:
            result = run(
                [self._command, path],
                stdin=dump(response).encode('ascii'),
                env={'HEAT_CONFIG_NOTIFY_PATIENCE': f'{patience:g}'},
                timeout=patience + 300,
                new_group=True,
            )
        except HookError as error:
            return outcome(PENDING, str(error))
        if result.status_code:
            lines = result.stderr.strip().splitlines()
            reason = lines[-1] if lines else 'without a word'
            return outcome(PENDING, f'{self._command} failed: {reason}')
        return outcome(SENT)

    def _is_obsolete(self, record: Record) -> bool:
        """Whether Heat awaits the signal of a later action in its place.

        It tells signals apart by the resource only, and would take this one
        for that.
        """
        wanted = self._receivers.get(record.receiver(), ())
        return bool(wanted) and record.name not in wanted


def outcome(signal: str, problem: str = '') -> 'dict[str, Any]':
    return {'signal': signal, 'problem': problem}


def patience() -> float:
    """Seconds to try to deliver a signal for, before it is left to the timer."""
    try:
        return heat_notify.patience_from_environment()
    except heat_notify.Unusable as error:
        say(f'{error}; {heat_notify.PATIENCE} are taken')
        return heat_notify.PATIENCE


def summary() -> str:
    """An exception that nobody foresaw, without its message: that may hold secrets."""
    kind, _, trace = sys.exc_info()
    while trace.tb_next:
        trace = trace.tb_next
    return f'{kind.__name__} in {trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno}'
