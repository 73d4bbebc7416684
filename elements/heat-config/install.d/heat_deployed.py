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
them.  What there is no room for is in heat_ledger's file.  In the folder
``.open`` there is a mark for each deployment until Heat was told of it, so that
no run has to look at those with which all is done, however many they are.

Like the hooks' library, beside which it lies, this needs nothing but
Python 3.6's standard library and is ASCII.
"""

import fcntl
import json
import math
import os
import stat
import time

from heat_files import (
    Damaged,
    file_name,
    load,  # noqa: F401  hooks look for it here
    make_folder,
    put_aside,
    read_object,
    remove,
    sync_folder,
    touch,
    write_file,
)
from heat_hook import Deployment, as_text
from heat_ledger import Ledger
from heat_log import LOGS, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

FOLDER = os.environ.get('HEAT_CONFIG_DEPLOYED') or '/var/lib/heat-config/deployed'
OLD_FOLDER = os.environ.get('HEAT_CONFIG_DEPLOYED_OLD') or '/var/run/heat-config/deployed'
METADATA = os.environ.get('HEAT_SHELL_CONFIG') or '/var/run/heat-config/heat-config'

OPEN = os.path.join(FOLDER, '.open')
#: Of use where there has never been any room; lost with the next boot.
SPARE_FOLDER = os.path.dirname(METADATA)
LEDGER = Ledger(os.path.join(FOLDER, '.ledger'), os.path.join(SPARE_FOLDER, '.heat-config-ledger'))

# These describe a server, or are for people: no hook carries them out (public bug 1715497).
GROUPS_WITHOUT_HOOK = ('os-apply-config', 'Heat::Ungrouped')

# The signal's state: yet to be delivered; delivered; refused by Heat for
# good; not awaited by Heat; of no use, for Heat awaits another one by now.
PENDING, SENT, REFUSED, NONE, OBSOLETE = 'pending', 'sent', 'refused', 'none', 'obsolete'


# What the values of a state are; any other is as good as none.
NUMBERS = ('attempts', 'next_try', 'reboots')
FLAGS = ('rebooting',)
ANYTHING = ('status_code',)
# What of a response that is too long for the ledger is kept there, in characters.
EXCERPT = 300


class Record:
    """A deployment, and what became of it.

    It is read once, from the metadata or with :meth:`load` from its files, and
    what changes is written through to these.

    :param name: the files' name without the ending.
    :param data: the deployment, as Heat sends it.
    :raises HookError: when it is no deployment.
    """

    def __init__(self, name: str, data: 'dict[str, Any]') -> None:
        self.name = name
        self.data = data
        self.deployment = Deployment(data)
        self.response = {}
        self.state = {}
        #: What is wrong with its files, or with what Heat sent, if anything is.
        self.problem = ''
        #: Whether what is on record tells which deployment it is.
        self.is_sound = True
        #: Whether Heat has this deployment at present; None when that is not known.
        self.is_awaited: bool | None = True
        path = os.path.join(FOLDER, name)
        self.deployment_path = path + '.json'
        self.response_path = path + '.notify.json'
        self.state_path = path + '.state'
        #: Made by heat-config-reboot: run the hook again after the next boot.
        self.reboot_path = path + '.reboot'
        self.log_path = os.path.join(LOGS, name + '.log')
        self._mark = os.path.join(OPEN, name)

    @classmethod
    def of(cls, data: 'dict[str, Any]') -> 'Record':
        """A deployment of the metadata, of which nothing need be on record.

        Of one that cannot be understood, as much as its signal needs; the
        record's problem says why.
        """
        name = str(data['id'])
        # With a dot it could be one of another's files: x.notify.json is x's.
        return cls._made(file_name(name if '.' not in name else '/' + name), data)

    @classmethod
    def _made(cls, name: str, data: 'dict[str, Any]') -> 'Record':
        try:
            record = cls(name, data)
            record.receiver()
            dump(data)
            return record
        except Exception as error:  # whatever it is, it must not keep others from running
            record = cls(name, signal_data(data))
            record.problem = f'The deployment cannot be understood: {reason(error)}'
            return record

    @classmethod
    def load(cls, name: str, wanted: 'Record | None' = None) -> 'Record':
        """What is on record.

        :param wanted: the same deployment as Heat has it at present, for what
            is damaged.
        """
        problems = []

        def read(ending: str) -> 'dict[str, Any]':
            try:
                return read_object(os.path.join(FOLDER, name + ending))
            except Damaged as error:
                problems.append(str(error))
                return {}

        data = read('.json')
        record = cls._made(name, data or (wanted.data if wanted else {}))
        record.is_sound = bool(data)
        record.problem = ' '.join([*problems, record.problem]).strip()
        record.response = read('.notify.json')
        record.state = _sane(read('.state'))
        record._consult_ledger()
        return record

    def load_state(self) -> None:
        """Read what another dispatcher may have changed."""
        LEDGER.load()
        try:
            self.state = _sane(read_object(self.state_path))
        except Damaged:
            self.state = {}
        self._consult_ledger()

    def _consult_ledger(self) -> None:
        entry = LEDGER.entries.get(self.name)
        if entry:
            self.state = _sane(entry['state'])
            self.response = self.response or entry['response']

    def is_taken_up(self) -> bool:
        return os.path.lexists(self.deployment_path) or self.is_noted()

    def is_finished(self) -> bool:
        return os.path.lexists(self.response_path) or self.is_noted()

    def is_noted(self) -> bool:
        """Whether it stands in the ledger, for there was no room elsewhere."""
        return self.name in LEDGER.entries

    def is_legacy(self) -> bool:
        """Left by an agent that kept no state, and may have signalled."""
        return not os.path.lexists(self.state_path) and not self.is_noted()

    def is_pending(self) -> bool:
        """Whether Heat is still to be told."""
        return self.state.get('signal', PENDING) == PENDING

    def receiver(self) -> 'tuple[str, str]':
        """The stack and resource that its signal goes to."""
        inputs = self.deployment.all_inputs
        return (
            as_text(inputs.get('deploy_stack_id')),
            as_text(inputs.get('deploy_resource_name')),
        )

    def narrow(self, group: 'Any', config: 'Any') -> None:
        """Of a component, leave what the action at hand needs."""
        self.data = dict(self.data, group=group, config=config)
        self.deployment = Deployment(self.data)

    def update(self, **changes: 'Any') -> None:
        """Change some values of the state.

        :raises OSError: when that cannot be recorded.
        """
        self.state.update(changes)
        if self.is_noted():
            self.note()
        else:
            try:
                _write(self.state_path, self.state)
            except OSError:
                self.note()
        if not self.is_pending() and self.is_finished():
            self.unmark()

    def note(self) -> None:
        """Keep in the ledger what there is no room for elsewhere.

        :raises OSError: when there is none there, either.
        """
        response = {
            key: value[-EXCERPT:] if isinstance(value, str) else value
            for key, value in self.response.items()
            if key in ('deploy_stdout', 'deploy_stderr', 'deploy_status_code')
        }
        LEDGER.note(self.name, {'state': self.state, 'response': response})

    def take_up(self) -> None:
        """From here on the deployment's hook counts as run.

        :raises OSError: when that cannot be recorded; then nothing is.
        """
        self.response = {}
        self.state = dict(self._description(), started=now())
        try:
            for path in (self.response_path, self.reboot_path):
                _make_way(path)
                remove(path)
            self._make_mark()
            _write(self.state_path, self.state)
            _write(self.deployment_path, self.data, durable=True)
        except OSError:
            for path in (self.deployment_path, self.state_path, self._mark):
                try:
                    remove(path)
                except OSError:
                    pass
            raise

    def _make_mark(self) -> None:
        if not os.path.isdir(OPEN):
            if os.path.lexists(OPEN):
                put_aside(OPEN)
            make_folder(OPEN)
        touch(self._mark)
        sync_folder(OPEN)

    def refuse(self, response: 'dict[str, Any]') -> None:
        """Keep in the ledger that the hook is never to run.

        :raises OSError: when that cannot be recorded.
        """
        self.response = response
        self.state = dict(
            self._description(), finished=now(), status_code=response['deploy_status_code']
        )
        self.note()

    def finish(self, response: 'dict[str, Any]') -> None:
        """Keep the response before anyone is told of it.

        :raises OSError: when that cannot be recorded.
        """
        self.response = dict({'deploy_status_code': 0}, **response)
        # First what nobody looks at until there is a response.
        self.state.update(finished=now(), status_code=self.response['deploy_status_code'])
        try:
            _write(self.state_path, self.state)
            _write(self.response_path, self.response, durable=True)
        except OSError:
            self.note()

    def try_to_settle(self) -> None:
        """Bring what stands in the ledger to where it belongs, if there is room now."""
        try:
            self._settle()
        except OSError:
            pass

    def _settle(self) -> None:
        if self.is_pending():
            self._make_mark()
        _write(self.state_path, self.state)
        _write(self.response_path, self.response, durable=True)
        if not self.is_sound or not os.path.lexists(self.deployment_path):
            _write(self.deployment_path, self.data, durable=True)
        LEDGER.drop(self.name)
        if not self.is_pending():
            self.unmark()

    def mark_as_done(self) -> None:
        """Keep the deployment from running, and Heat from being told anything."""
        _write(self.response_path, {})
        self.state = dict(self._description(), signal=NONE)
        _write(self.state_path, self.state)
        _write(self.deployment_path, self.data, durable=True)

    def forget(self) -> None:
        """Look at it no more: what is left of it tells nothing, and nobody waits for it."""
        LEDGER.drop(self.name)
        if os.path.lexists(self.deployment_path) and not self.is_legacy():
            for path in (self.deployment_path, self.response_path, self.state_path):
                if os.path.lexists(path):
                    say(f'{path} is damaged: it was moved to {put_aside(path)}')
        self.unmark()

    def unmark(self) -> None:
        """Note that all is done."""
        remove(self._mark)

    def _description(self) -> 'dict[str, Any]':
        """What a state says from the beginning."""
        deployment = self.deployment
        return {
            'id': deployment.id,
            'name': deployment.name,
            'group': deployment.group,
            'action': deployment.action,
        }


def _write(path: str, value: 'dict[str, Any]', durable: bool = False) -> None:
    _make_way(path)
    write_file(path, dump(value), durable=durable)


def _make_way(path: str) -> None:
    """Put aside what is no file, but something in its place."""
    try:
        is_file = stat.S_ISREG(os.lstat(path).st_mode)
    except FileNotFoundError:
        return
    if not is_file:
        say(f'{path} is not a file: it was moved to {put_aside(path)}')


def _sane(state: 'dict[str, Any]') -> 'dict[str, Any]':
    """A state without what cannot be."""

    def is_sane(name: str, value: 'Any') -> bool:
        if name in NUMBERS:
            return isinstance(value, (int, float)) and math.isfinite(value)
        if name in FLAGS:
            return isinstance(value, bool)
        return name in ANYTHING or isinstance(value, str)

    return {name: value for name, value in state.items() if is_sane(name, value)}


def signal_data(data: 'dict[str, Any]') -> 'dict[str, Any]':
    """Of a deployment that cannot be understood, what tells whose it is and how to signal."""
    inputs = data.get('inputs')
    kept = {
        key: data[key] for key in ('id', 'name', 'group') if isinstance(data.get(key), (str, int))
    }
    kept['inputs'] = [
        {'name': item['name'], 'value': item['value']}
        for item in (inputs if isinstance(inputs, list) else [])
        if isinstance(item, dict)
        and isinstance(item.get('name'), str)
        and isinstance(item.get('value'), (str, int))
    ]
    return kept


def reason(error: BaseException) -> str:
    """An exception as a reader of a deployment's failure needs it."""
    if isinstance(error, RecursionError):
        return 'it is nested too deeply.'
    return str(error) or type(error).__name__


def unfinished_names() -> 'set[str]':
    """The names of the deployments with which not all is done."""
    try:
        marked = set(os.listdir(OPEN))
    except (FileNotFoundError, NotADirectoryError):
        marked = set()
    return marked | set(LEDGER.entries)


def names() -> 'Iterator[str]':
    """The names of all that is on record."""
    for name in sorted(os.listdir(FOLDER) if os.path.lexists(FOLDER) else ()):
        if name.endswith('.json') and not name.endswith('.notify.json') and name[0] != '.':
            yield name[: -len('.json')]


def prepare() -> None:
    """Make ready what the record needs.  The caller holds the lock ``run``."""
    # Whoever began with it may have been killed over it, which no mark tells.
    is_first = not LEDGER.exists()
    try:
        LEDGER.prepare()
    except OSError as error:
        say(f'there is no room for a record of what there is no room for: {error}')
    LEDGER.load()
    try:
        _take_over_old_folder()
        if not os.path.isdir(OPEN):
            _find_open()
    except OSError as error:  # a full disk: the next run finds the same
        say(f'{FOLDER}: {error}')
    if is_first or unfinished_names():
        _tidy()


def _find_open() -> None:
    """Mark what an agent that made no marks has left unfinished."""
    if os.path.lexists(OPEN):
        put_aside(OPEN)
    new = OPEN + '.new'
    make_folder(new)
    for name in names():
        record = Record.load(name)
        if not record.is_finished() or not record.is_legacy() and record.is_pending():
            touch(os.path.join(new, name))
    sync_folder(new)
    os.rename(new, OPEN)


def _tidy() -> None:
    """Remove what a program has left half-written that was killed."""
    # With both locks, nobody is writing.
    with lock('signal', wait=False) as locked:
        for name in os.listdir(FOLDER) if locked else ():
            if name.startswith('.') and name.endswith('.tmp'):
                try:
                    remove(os.path.join(FOLDER, name))
                except OSError:
                    pass  # a folder, and none of ours


def _take_over_old_folder() -> None:
    """Move here what an old agent kept elsewhere.

    Public bug 1513220: the old place is lost with each boot.
    """
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
    :param spare: a folder for where there is no room in the usual one.
    :raises OSError: when there is no place for it.
    """

    def __init__(self, name: str, wait: bool = True, spare: str = '') -> None:
        try:
            make_folder(FOLDER)
            self._descriptor = self._open(os.path.join(FOLDER, f'.{name}.lock'))
        except OSError:
            if not spare:
                raise
            self._descriptor = self._open(os.path.join(spare, f'.heat-config-{name}.lock'))
        self._operation = fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB)

    @staticmethod
    def _open(path: str) -> int:
        # Not to wait for a FIFO's reader, nor to follow a link.
        flags = os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            return os.open(path, flags, 0o600)
        except OSError:
            if not os.path.lexists(path):
                raise
            _make_way(path)
            return os.open(path, flags, 0o600)

    def __enter__(self) -> bool:
        try:
            fcntl.flock(self._descriptor, self._operation)
        except BlockingIOError:
            return False
        return True

    def __exit__(self, *exception: 'Any') -> None:
        os.close(self._descriptor)


def metadata() -> 'list[Any]':
    """The deployments that Heat has for this server at present.

    :returns: none where the file is empty, as that of a server without any.
    :raises OSError: when there is no such file, or it cannot be read.
    :raises ValueError: when it is not a JSON list.
    """
    with open(METADATA, 'rb') as file:
        text = file.read().decode('utf-8')
    try:
        deployments = json.loads(text) if text.strip() else []
    except RecursionError:
        raise ValueError('it is nested too deeply')
    if deployments is None:
        return []
    if not isinstance(deployments, list):
        raise ValueError('it is not a list')
    return deployments


def hide_metadata() -> None:
    """Keep the metadata from others: they hold credentials, and old agents left them readable."""
    try:
        mode = os.stat(METADATA).st_mode
        if stat.S_ISREG(mode) and mode & 0o077:
            os.chmod(METADATA, 0o600)
    except OSError:
        pass  # there are none, or they are another's


def is_deployment(data: 'Any') -> bool:
    """Whether an item of the metadata is one, and can be told from others."""
    try:
        return isinstance(data, dict) and bool(data.get('id')) and bool(str(data['id']))
    except RecursionError:
        return False


def dump(value: 'dict[str, Any]') -> str:
    return json.dumps(value, indent=2)


def now() -> str:
    return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())
