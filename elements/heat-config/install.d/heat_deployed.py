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
them.  Like the hooks' library, beside which it lies, this needs nothing but
Python 3.6's standard library and is ASCII.
"""
import fcntl
import json
import os
import time

from heat_hook import Deployment, file_name, log, make_folder, write_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

FOLDER = os.environ.get('HEAT_CONFIG_DEPLOYED') or '/var/lib/heat-config/deployed'
OLD_FOLDER = os.environ.get('HEAT_CONFIG_DEPLOYED_OLD') or '/var/run/heat-config/deployed'
METADATA = os.environ.get('HEAT_SHELL_CONFIG') or '/var/run/heat-config/heat-config'

# The signal's state: yet to be delivered; delivered; refused by Heat for
# good; not awaited by Heat; of no use, for Heat awaits another one by now.
PENDING, SENT, REFUSED, NONE, OBSOLETE = 'pending', 'sent', 'refused', 'none', 'obsolete'


class Deployed:
    """One deployment's files.

    :param name: the files' name without the ending.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        path = os.path.join(FOLDER, name)
        self.deployment_path = path + '.json'
        self.response_path = path + '.notify.json'
        self.state_path = path + '.state'
        #: Made by heat-config-reboot: run the hook again after the next boot.
        self.reboot_path = path + '.reboot'

    @classmethod
    def of(cls, deployment: 'dict[str, Any]') -> 'Deployed':
        return cls(file_name(str(deployment.get('id') or '')))

    @classmethod
    def all(cls) -> 'Iterator[Deployed]':
        for name in sorted(os.listdir(FOLDER)):
            if name.endswith('.json') and not name.endswith('.notify.json'):
                yield cls(name[:-len('.json')])

    def is_taken_up(self) -> bool:
        return os.path.exists(self.deployment_path)

    def is_finished(self) -> bool:
        return os.path.exists(self.response_path)

    def is_legacy(self) -> bool:
        """Left by an agent that kept no state, and may have signalled."""
        return not os.path.exists(self.state_path)

    @property
    def deployment(self) -> 'dict[str, Any]':
        return load(self.deployment_path)

    @property
    def response(self) -> 'dict[str, Any]':
        return load(self.response_path)

    @property
    def state(self) -> 'dict[str, Any]':
        return load(self.state_path)

    def update(self, **changes: 'Any') -> None:
        """Change some values of the state."""
        write_file(self.state_path, dump(dict(self.state, **changes)))

    def take_up(self, deployment: 'dict[str, Any]') -> None:
        """From here on the deployment's hook counts as run."""
        for path in (self.response_path, self.reboot_path):
            remove(path)
        described = Deployment(deployment)
        write_file(self.state_path, dump({
            'id': described.id, 'name': described.name, 'group': described.group,
            'action': described.action, 'started': now()}))
        write_file(self.deployment_path, dump(deployment), durable=True)

    def finish(self, response: 'dict[str, Any]') -> None:
        """Keep the response before anyone is told of it."""
        write_file(self.response_path, dump(response), durable=True)
        self.update(finished=now(), signal=PENDING,
                    status_code=response.get('deploy_status_code'))


def prepare() -> None:
    """Make the folder, and move into it what an old agent kept elsewhere.

    Public bug 1513220: the old place is lost with each boot.
    """
    make_folder(FOLDER)
    for name in os.listdir(FOLDER):
        path = os.path.join(FOLDER, name)
        # Left by a program that was killed; one that writes does not take so long.
        if name.endswith('.tmp') and os.path.getmtime(path) < time.time() - 3600:
            remove(path)
    if not os.path.isdir(OLD_FOLDER) or os.path.samefile(FOLDER, OLD_FOLDER):
        return
    for name in os.listdir(OLD_FOLDER):
        old, new = os.path.join(OLD_FOLDER, name), os.path.join(FOLDER, name)
        if not os.path.exists(new):
            with open(old, 'rb') as file:
                write_file(new, file.read(), durable=True)
        os.unlink(old)
    os.rmdir(OLD_FOLDER)


class lock:
    """Hold a lock among the dispatchers of this server.

    :param name: which lock.
    :param wait: for whoever holds it.
    """

    def __init__(self, name: str, wait: bool = True) -> None:
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


def load(path: str) -> 'dict[str, Any]':
    """The JSON object in a file; an empty one where there is none."""
    try:
        with open(path, 'rb') as file:
            value = json.loads(file.read().decode('utf-8'))
    except (FileNotFoundError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def dump(value: 'dict[str, Any]') -> str:
    return json.dumps(value, indent=2)


def now() -> str:
    return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())


def remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def say(message: str) -> None:
    """Log to stderr, which the agent passes on to the journal."""
    log('heat-config: ' + message)
