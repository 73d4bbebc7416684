# SPDX-License-Identifier: Apache-2.0
"""What this server was told to do, and what became of it.

Three files for each deployment, in /var/lib/heat-config/deployed or where
``HEAT_CONFIG_DEPLOYED`` says:

``<id>.json``
    the deployment; there from the instant it is taken up, so that removing
    it makes the deployment run again
``<id>.notify.json``
    what its hook answered; there from the instant it ended
``<id>.state``
    when, with what status code, and whether Heat was told

The first two are the truth, and survive a power cut; the third only adds to
them.  On a full disk the first may be empty: it still keeps the hook from
running.  Like the hooks' library, beside which it lies, this needs nothing but
Python 3.6's standard library and is ASCII.
"""

import fcntl
import json
import os
import time

from heat_files import file_name, load, make_folder, remove, touch, write_file
from heat_hook import Deployment
from heat_log import LOGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

FOLDER = os.environ.get('HEAT_CONFIG_DEPLOYED') or '/var/lib/heat-config/deployed'
OLD_FOLDER = os.environ.get('HEAT_CONFIG_DEPLOYED_OLD') or '/var/run/heat-config/deployed'
METADATA = os.environ.get('HEAT_SHELL_CONFIG') or '/var/run/heat-config/heat-config'

# These describe a server, or are for people: no hook carries them out, and
# Heat awaits no signal (public bug 1715497).
GROUPS_WITHOUT_HOOK = ('os-apply-config', 'Heat::Ungrouped')

# The signal's state: yet to be delivered; delivered; refused by Heat for
# good; not awaited by Heat; of no use, for Heat awaits another one by now.
PENDING, SENT, REFUSED, NONE, OBSOLETE = 'pending', 'sent', 'refused', 'none', 'obsolete'


class Record:
    """A deployment, and what became of it.

    It is read once, from the metadata or with :meth:`load` from its files, and
    what changes is written through to these.

    :param name: the files' name without the ending.
    :param data: the deployment, as Heat sends it.
    """

    def __init__(self, name: str, data: 'dict[str, Any]') -> None:
        self.name = name
        self.data = data
        self.deployment = Deployment(data)
        self.response = {}
        self.state = {}
        path = os.path.join(FOLDER, name)
        self.deployment_path = path + '.json'
        self.response_path = path + '.notify.json'
        self.state_path = path + '.state'
        #: Made by heat-config-reboot: run the hook again after the next boot.
        self.reboot_path = path + '.reboot'
        self.log_path = os.path.join(LOGS, name + '.log')

    @classmethod
    def of(cls, data: 'dict[str, Any]') -> 'Record':
        """A deployment of the metadata, of which nothing need be on record."""
        name = str(data.get('id') or '')
        # With a dot it could be one of another's files: x.notify.json is x's.
        return cls(file_name(name if '.' not in name else '/' + name), data)

    @classmethod
    def load(cls, name: str) -> 'Record':
        """What is on record."""
        record = cls(name, load(os.path.join(FOLDER, name + '.json')))
        record.response = load(record.response_path)
        record.load_state()
        return record

    def load_state(self) -> None:
        """Read what another dispatcher may have changed."""
        self.state = load(self.state_path)

    def is_taken_up(self) -> bool:
        return os.path.exists(self.deployment_path)

    def is_finished(self) -> bool:
        return os.path.exists(self.response_path)

    def is_legacy(self) -> bool:
        """Left by an agent that kept no state, and may have signalled."""
        return not os.path.exists(self.state_path)

    def is_pending(self) -> bool:
        """Whether Heat is still to be told."""
        return self.state.get('signal', PENDING) == PENDING

    def narrow(self, group: 'Any', config: 'Any') -> None:
        """Of a component, leave what the action at hand needs."""
        self.data = dict(self.data, group=group, config=config)
        self.deployment = Deployment(self.data)

    def update(self, **changes: 'Any') -> None:
        """Change some values of the state."""
        self.state.update(changes)
        text = dump(self.state)
        try:
            write_file(self.state_path, text)
        except OSError:
            # A full disk has room for what replaces as much.  Half of it, as
            # any state that cannot be read, would mean one more signal.
            with open(self.state_path, 'r+') as file:
                file.write(text)
                file.truncate()

    def take_up(self) -> None:
        """From here on the deployment's hook counts as run.

        :raises OSError: when that cannot be recorded.
        """
        for path in (self.response_path, self.reboot_path):
            remove(path)
        self.state = dict(self._description(), started=now())
        try:
            write_file(self.state_path, dump(self.state))
            write_file(self.deployment_path, dump(self.data), durable=True)
        except OSError:
            # Heat is going to be told of a failure, so it must not run later on.
            touch(self.state_path)
            touch(self.deployment_path)
            raise

    def finish(self, response: 'dict[str, Any]') -> None:
        """Keep the response before anyone is told of it."""
        self.response = dict({'deploy_status_code': 0}, **response)
        # First what nobody looks at until there is a response.
        self.update(finished=now(), status_code=self.response['deploy_status_code'])
        write_file(self.response_path, dump(self.response), durable=True)

    def finish_unrecorded(self, state: 'dict[str, Any]') -> None:
        """Keep, on a full disk, that Heat knows what there was no room to keep.

        :param state: what to change in the state.
        """
        touch(self.response_path)
        self.update(finished=now(), **state)

    def mark_as_done(self) -> None:
        """Keep the deployment from running, and Heat from being told anything."""
        write_file(self.response_path, dump({}))
        self.state = dict(self._description(), signal=NONE)
        write_file(self.state_path, dump(self.state))
        write_file(self.deployment_path, dump(self.data), durable=True)

    def _description(self) -> 'dict[str, Any]':
        """What a state says from the beginning."""
        deployment = self.deployment
        return {
            'id': deployment.id,
            'name': deployment.name,
            'group': deployment.group,
            'action': deployment.action,
        }


def records() -> 'Iterator[Record]':
    """All that is on record."""
    for name in sorted(os.listdir(FOLDER)):
        if name.endswith('.json') and not name.endswith('.notify.json'):
            yield Record.load(name[: -len('.json')])


def prepare() -> None:
    """Tidy the folder, and move into it what an old agent kept elsewhere.

    Public bug 1513220: the old place is lost with each boot.  The caller holds
    the lock ``run``.
    """
    for name in os.listdir(FOLDER):
        parts = name.split('.')
        # Left half-written by a program that was killed, as its number tells.
        if parts[-1] == 'tmp' and not os.path.exists(f'/proc/{parts[-2]}'):
            remove(os.path.join(FOLDER, name))
    if not os.path.isdir(OLD_FOLDER) or os.path.samefile(FOLDER, OLD_FOLDER):
        return
    for name in os.listdir(OLD_FOLDER):
        old, new = os.path.join(OLD_FOLDER, name), os.path.join(FOLDER, name)
        if not os.path.isfile(old):
            continue
        if not os.path.exists(new):
            with open(old, 'rb') as file:
                write_file(new, file.read(), durable=True)
        os.unlink(old)


class lock:
    """Hold a lock among the dispatchers of this server.

    :param name: which lock.
    :param wait: for whoever holds it.
    """

    def __init__(self, name: str, wait: bool = True) -> None:
        make_folder(FOLDER)
        self._file = open(os.path.join(FOLDER, f'.{name}.lock'), 'w')
        self._operation = fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB)

    def __enter__(self) -> bool:
        try:
            fcntl.flock(self._file, self._operation)
        except BlockingIOError:
            return False
        return True

    def __exit__(self, *exception: 'Any') -> None:
        self._file.close()


def metadata() -> 'list[Any]':
    """The deployments that Heat has for this server at present.

    :raises OSError: when there is no such file, or it cannot be read.
    :raises ValueError: when it is not a JSON list.
    """
    with open(METADATA, 'rb') as file:
        deployments = json.loads(file.read().decode('utf-8'))
    if deployments is None:
        return []
    if not isinstance(deployments, list):
        raise ValueError('it is not a list')
    return deployments


def is_deployment(data: 'Any') -> bool:
    """Whether an item of the metadata is one, and can be told from others."""
    return isinstance(data, dict) and bool(data.get('id'))


def dump(value: 'dict[str, Any]') -> str:
    return json.dumps(value, indent=2)


def now() -> str:
    return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())
