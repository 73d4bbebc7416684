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
from heat_deployed import NONE, OBSOLETE, PENDING, REFUSED, SENT, Deployed, dump, lock, now, say
from heat_hook import FAILED, Deployment, HookError, Result, as_text, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OWN_COMMAND = 'heat-config-notify'  # as which heat_notify is known
LONGEST_PAUSE = 600  # seconds between two tries to deliver a signal
PATIENCE = 30  # seconds to try for


class Signals:
    """Brings the responses to Heat, now or by and by.

    :param deployments: what Heat has for this server at present.
    """

    def __init__(self, deployments: 'list[Any]') -> None:
        self._command = os.environ.get('HEAT_CONFIG_NOTIFY') or OWN_COMMAND
        self._patience = patience_from_environment()
        self._wanted = {}
        for data in deployments:
            if isinstance(data, dict):
                self._wanted.setdefault(receiver_of(data), set()).add(as_text(data.get('id')))

    def deliver_pending(self, at_once: bool) -> None:
        """Try those signals again that could not be delivered.

        :param at_once: and not only those whose time has come.
        """
        pending = []
        for deployed in Deployed.all():
            if deployed.is_finished() and not deployed.is_legacy():
                state = deployed.state
                due = state.get('next_try', 0)
                # Further away than it can be, it was set while the clock was wrong.
                waits = 0 < due - time.time() <= LONGEST_PAUSE
                if is_pending(state) and (at_once or not waits):
                    pending.append((due, deployed))
        # Whoever waits longest comes first, for the first that cannot be
        # delivered ends this: the others hardly could.
        for _, deployed in sorted(pending, key=lambda item: item[0]):
            if not self.deliver(deployed, patience=0):
                break

    def deliver(self, deployed: Deployed, patience: 'float | None' = None) -> bool:
        """Deliver one signal, or note when to try again.

        :param patience: seconds to try for.
        :returns: whether it need not be tried again.
        """
        with lock('signal'):
            state = deployed.state
            if not is_pending(state):
                return True  # another dispatcher was quicker
            # An unreadable response must not be taken for that of a success.
            response = (
                deployed.response
                or Result(
                    FAILED,
                    stderr=f'{deployed.response_path} is damaged: what the hook answered '
                    'is lost.\n',
                ).response()
            )
            changes = self._send(
                deployed.deployment,
                response,
                deployed.deployment_path,
                self._patience if patience is None else patience,
            )
            if changes['signal'] == PENDING:
                self._patience = 0  # Heat is away; the next deployment's hook can run
                changes['attempts'] = state.get('attempts', 0) + 1
                pause = min(15 * 2 ** changes['attempts'], LONGEST_PAUSE)
                changes['next_try'] = int(time.time()) + pause
            else:
                changes['signalled'] = now()
            if changes['problem']:
                say(f'{state.get("name")}: signal {changes["signal"]}: {changes["problem"]}')
            try:
                deployed.update(**changes)
            except OSError as error:  # it will be sent once more, which does no harm
                say(
                    f'{state.get("name")}: signal {changes["signal"]}, which cannot be '
                    f'recorded: {error}'
                )
        return changes['signal'] != PENDING

    def deliver_unrecorded(
        self, deployed: Deployed, data: 'dict[str, Any]', response: 'dict[str, Any]'
    ) -> None:
        """Deliver a signal that cannot be kept for later."""
        changes = dict(
            {'status_code': response.get('deploy_status_code')},
            **self._send(data, response, '/dev/null', self._patience),
        )
        say(f'{data.get("name")}: signal {changes["signal"]} {changes["problem"]}')
        if changes['signal'] != PENDING:
            try:
                deployed.finish_unrecorded(changes)
            except OSError as error:
                say(f'{data.get("name")}: its signal cannot be recorded: {error}')

    def _send(
        self, data: 'dict[str, Any]', response: 'dict[str, Any]', path: str, patience: float
    ) -> 'dict[str, Any]':
        """Try to deliver a response.

        :returns: what to change in the deployment's state: the signal's own,
            and what is wrong.
        """
        if self._is_obsolete(data):
            return outcome(OBSOLETE, 'Heat has another deployment for the same resource by now')
        if self._command != OWN_COMMAND:
            return self._send_by_command(response, path, patience)
        if heat_notify.transport_of(heat_notify.inputs_of(data)) == 'NO_SIGNAL':
            return outcome(NONE)
        try:
            sent = heat_notify.deliver(data, response, patience)
        except heat_notify.Final as error:
            return outcome(REFUSED, str(error))
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

    def _is_obsolete(self, data: 'dict[str, Any]') -> bool:
        """Whether Heat awaits the signal of a later action in its place.

        It tells signals apart by the resource only, and would take this one
        for that.
        """
        wanted = self._wanted.get(receiver_of(data), ())
        return bool(wanted) and as_text(data.get('id')) not in wanted


def outcome(signal: str, problem: str = '') -> 'dict[str, Any]':
    return {'signal': signal, 'problem': problem}


def is_pending(state: 'dict[str, Any]') -> bool:
    return state.get('signal', PENDING) == PENDING


def receiver_of(data: 'dict[str, Any]') -> 'tuple[str, str]':
    """The stack and resource that a deployment's signal goes to."""
    inputs = Deployment(data).all_inputs
    return as_text(inputs.get('deploy_stack_id')), as_text(inputs.get('deploy_resource_name'))


def patience_from_environment() -> float:
    """HEAT_CONFIG_NOTIFY_PATIENCE, in seconds."""
    text = os.environ.get('HEAT_CONFIG_NOTIFY_PATIENCE') or PATIENCE
    try:
        return max(0.0, float(text))
    except ValueError:
        say(
            f'HEAT_CONFIG_NOTIFY_PATIENCE is {text!r}, which is no number of seconds; '
            f'{PATIENCE} are taken'
        )
        return PATIENCE


def summary() -> str:
    """An exception that nobody foresaw, without its message: that may hold secrets."""
    kind, _, trace = sys.exc_info()
    while trace.tb_next:
        trace = trace.tb_next
    return f'{kind.__name__} in {trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno}'
