# SPDX-License-Identifier: Apache-2.0
"""Signals on their way to Heat: sent, kept, tried again.

heat-config-notify is what delivers one; it is loaded here rather than run as
a command, to save the start of another interpreter.  Like the hooks' library,
beside which it lies, this needs nothing but Python 3.6's standard library and
is ASCII.
"""
import importlib.machinery
import importlib.util
import os
import shutil
import threading
import time
import traceback

from heat_deployed import NONE, OBSOLETE, PENDING, REFUSED, SENT, Deployed, dump, lock, now, say
from heat_hook import Deployment, HookError, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LONGEST_PAUSE = 600     # seconds between two tries to deliver a signal


class Signals:
    """Brings the responses to Heat, now or by and by.

    :param deployments: what Heat has for this server at present.
    """

    def __init__(self, deployments: 'list[Any]') -> None:
        self._command = os.environ.get('HEAT_CONFIG_NOTIFY') or 'heat-config-notify'
        self._patience = float(os.environ.get('HEAT_CONFIG_NOTIFY_PATIENCE') or 30)
        self._loader = threading.Thread(target=self._load, daemon=True)
        self._notify = None
        self._wanted = {}
        for data in deployments:
            if isinstance(data, dict):
                self._wanted.setdefault(receiver_of(data), set()).add(data.get('id'))

    def preload(self) -> None:
        """Load what signals, while a hook is running."""
        if self._loader.ident is None:
            self._loader.start()

    def _load(self) -> None:
        """Load heat-config-notify, to save the start of another interpreter."""
        path = shutil.which(self._command)
        if path is None:
            return
        name = 'heat_config_notify'
        loader = importlib.machinery.SourceFileLoader(name, path)
        spec = importlib.util.spec_from_loader(name, loader)
        module = importlib.util.module_from_spec(spec)
        try:
            with open(path, 'rb') as file:
                if b'def deliver(' not in file.read():
                    return      # another program of that name: it is run as a command
            loader.exec_module(module)
            module.preload()
        except Exception:
            say(f'{path} cannot be loaded, and is run as a command:\n{traceback.format_exc()}')
            return
        self._notify = module

    def deliver_pending(self, at_once: bool) -> None:
        """Try those signals again that could not be delivered.

        :param at_once: and not only those whose time has come.
        """
        pending = []
        for deployed in Deployed.all():
            if deployed.is_finished() and not deployed.is_legacy():
                state = deployed.state
                due = state.get('next_try', 0)
                if is_pending(state) and (at_once or due <= time.time()):
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
                return True     # another dispatcher was quicker
            outcome, problem = self._send(
                deployed.deployment, deployed.response, deployed.deployment_path,
                self._patience if patience is None else patience)
            changes = {'signal': outcome, 'problem': problem}
            if outcome == PENDING:
                self._patience = 0  # Heat is away; the next deployment's hook can run
                changes['attempts'] = state.get('attempts', 0) + 1
                pause = min(15 * 2 ** changes['attempts'], LONGEST_PAUSE)
                changes['next_try'] = int(time.time()) + pause
            else:
                changes['signalled'] = now()
            deployed.update(**changes)
        if problem:
            say(f"{state.get('name')}: signal {outcome}: {problem}")
        return outcome != PENDING

    def deliver_unrecorded(self, data: 'dict[str, Any]', response: 'dict[str, Any]') -> None:
        """Deliver a signal that cannot be kept for later."""
        _, problem = self._send(data, response, '/dev/null', self._patience)
        if problem:
            say(f"{data.get('name')}: its signal is lost: {problem}")

    def _send(self, data: 'dict[str, Any]', response: 'dict[str, Any]', path: str,
              patience: float) -> 'tuple[str, str]':
        """Try to deliver a response.

        :returns: the signal's state, and what is wrong.
        """
        if self._is_obsolete(data):
            return OBSOLETE, 'Heat has another deployment for the same resource by now'
        self.preload()
        self._loader.join()
        if self._notify is None:
            return self._send_by_command(response, path, patience)
        if self._notify.transport_of(self._notify.inputs_of(data)) == 'NO_SIGNAL':
            return NONE, ''
        try:
            self._notify.deliver(data, response, patience)
        except self._notify.Final as error:
            return REFUSED, str(error)
        except self._notify.SignalError as error:
            return PENDING, str(error)
        return SENT, ''

    def _send_by_command(self, response: 'dict[str, Any]', path: str,
                         patience: float) -> 'tuple[str, str]':
        try:
            result = run([self._command, path], stdin=dump(response).encode('ascii'),
                         env={'HEAT_CONFIG_NOTIFY_PATIENCE': f'{patience:g}'},
                         timeout=patience + 300, new_group=True)
        except HookError as error:
            return PENDING, str(error)
        if result.status_code:
            lines = result.stderr.strip().splitlines()
            return PENDING, f"{self._command} failed: {lines[-1] if lines else 'without a word'}"
        return SENT, ''

    def _is_obsolete(self, data: 'dict[str, Any]') -> bool:
        """Whether Heat awaits the signal of a later action in its place.

        It tells signals apart by the resource only, and would take this one
        for that.
        """
        wanted = self._wanted.get(receiver_of(data), ())
        return bool(wanted) and data.get('id') not in wanted


def is_pending(state: 'dict[str, Any]') -> bool:
    return state.get('signal', PENDING) == PENDING


def receiver_of(data: 'dict[str, Any]') -> 'tuple[Any, Any]':
    """The stack and resource that a deployment's signal goes to."""
    inputs = Deployment(data).all_inputs
    return inputs.get('deploy_stack_id'), inputs.get('deploy_resource_name')
