# SPDX-License-Identifier: Apache-2.0
"""The config of one container of the groups docker-cmd and podman, as a command line.

What may be secret never stands on it, for every user of a server can read the
arguments of all processes: variables reach the tool by its own environment,
or by a file that only root can read where they would change the tool itself.
"""

import difflib
import re
import shlex

from heat_hook import BAD_DATA, HookError, as_text, json_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What a key's value may be.
TEXT, FLAG, TEXTS, PAIRS = 'a string', 'true or false', 'a string or a list', 'a map or a list'

# What the command line calls the keys that it takes as they are.
OPTIONS = {
    'cap_add': ('--cap-add', TEXTS),
    'cap_drop': ('--cap-drop', TEXTS),
    'cpus': ('--cpus', TEXT),
    'env_file': ('--env-file', TEXTS),
    'hostname': ('--hostname', TEXT),
    'labels': ('--label', PAIRS),
    'log_driver': ('--log-driver', TEXT),
    'memory': ('--memory', TEXT),
    'net': ('--net', TEXT),
    'pid': ('--pid', TEXT),
    'ports': ('--publish', TEXTS),
    'privileged': ('--privileged', FLAG),
    'pull': ('--pull', TEXT),
    'restart': ('--restart', TEXT),
    'user': ('--user', TEXT),
    'volumes': ('--volume', TEXTS),
    'volumes_from': ('--volumes-from', TEXTS),
}
EXEC_KEYS = ('env_file', 'privileged', 'user')
# Those that take more than that.
OTHER_KEYS = {
    'action': TEXT,
    'command': TEXTS,
    'detach': FLAG,
    'entrypoint': TEXTS,
    'environment': PAIRS,
    'exit_codes': TEXTS,
    'healthcheck': None,
    'image': TEXT,
    'name': TEXT,
    'secrets': PAIRS,
    'start_order': TEXT,
    'ulimits': PAIRS,
}
HEALTHCHECK = {
    'interval': '--health-interval',
    'timeout': '--health-timeout',
    'retries': '--health-retries',
    'start_period': '--health-start-period',
}
OWN_LABELS = (
    'managed_by',
    'config_id',
    'container_name',
    'deploy_stack_id',
    'deploy_resource_name',
)
# Variables by which docker, podman and what they call are configured themselves.
RESERVED = re.compile(
    '(PATH|HOME|USER|LOGNAME|SHELL|PWD|TERM|TMPDIR|HOSTNAME|LANG|LANGUAGE|IFS|ENV|NO_COLOR|DEBUG|'
    'GO(DEBUG|GC|MAXPROCS|MEMLIMIT|TRACEBACK|COVERDIR)|MAINPID|.*_PROXY|'
    '_?(LD|LC|XDG|SSL|DOCKER|COMPOSE|BUILDKIT|BUILDX|BUILDAH|CONTAINERS?|PODMAN|STORAGE|REGISTRY|'
    'NETAVARK|CNI|OCI|LIBPOD|CONMON|NOTIFY|LISTEN|DBUS|SYSTEMD|INVOCATION|JOURNAL|OTEL|SUDO|'
    'PYTHON|BASH|HEAT)_.*|PYTHON.*)',
    re.IGNORECASE,
)


def check(name: str, container: 'Any') -> 'list[str]':
    """Find the mistakes in one container's config.

    :returns: what may be one: keys that have no effect.
    :raises HookError: when there is one.
    """
    if not isinstance(container, dict):
        raise HookError(f'{name}: must be a map, not a {json_type(container)}.', BAD_DATA)
    for key, value in container.items():
        _check_type(f'{name}: {key}', value, OPTIONS.get(key, (None, OTHER_KEYS.get(key)))[1])
    start_order((name, container))
    is_exec = container.get('action') == 'exec'
    if container.get('action', 'run') not in ('run', 'exec'):
        raise HookError(
            f'{name}: action must be run or exec, not {container["action"]!r}.', BAD_DATA
        )
    if is_exec and not words(container.get('command')):
        raise HookError(
            f'{name}: the command to exec must begin with the name of a container.', BAD_DATA
        )
    if not is_exec and not container.get('image'):
        raise HookError(f'{name}: needs an image.', BAD_DATA)
    for key in ('command', 'entrypoint'):
        words(container.get(key))
    for pair in texts(container.get('labels')):
        if pair.partition('=')[0] in OWN_LABELS:
            raise HookError(
                f'{name}: labels: the hook itself sets {pair.partition("=")[0]}.', BAD_DATA
            )
    Environment(name, container)
    ulimits(name, container)
    healthcheck(name, container)
    _check_secrets(name, container.get('secrets'))
    return _without_effect(name, container, is_exec)


def _check_type(place: str, value: 'Any', kind: 'str | None') -> None:
    is_text = isinstance(value, (str, int, float)) or value is None
    items = value if isinstance(value, list) else []
    is_good = {
        None: True,
        TEXT: is_text,
        FLAG: isinstance(value, bool) or value in (None, '', 'true', 'false'),
        TEXTS: is_text
        or isinstance(value, list)
        and all(item is None or isinstance(item, (str, int, float)) for item in items),
        PAIRS: is_text or isinstance(value, (dict, list)),
    }
    if not is_good[kind]:
        shown = f'not {value!r}' if kind == FLAG and is_text else f'not a {json_type(value)}'
        if kind == TEXTS and isinstance(value, list):
            shown = 'and this list holds something else than strings'
        raise HookError(f'{place} must be {kind}, {shown}.', BAD_DATA)


def _without_effect(name: str, container: 'dict[str, Any]', is_exec: bool) -> 'list[str]':
    known = set(OPTIONS) | set(OTHER_KEYS)
    taken = {'action', 'command', 'environment', 'exit_codes', 'name', 'start_order', *EXEC_KEYS}
    said = []
    for key in sorted(map(str, container)):
        if key not in known:
            close = difflib.get_close_matches(key, known, 1)
            said.append(
                f'{name}: {key} is not a known key, and has no effect.'
                + (f' Did you mean {close[0]}?' if close else '')
            )
        elif is_exec and key not in taken:
            said.append(f'{name}: {key} has no effect together with "action: exec".')
    return said


def _check_secrets(name: str, value: 'Any') -> None:
    for secret in value if isinstance(value, dict) else ():
        if not re.match(r'[\w-][\w.-]*$', str(secret)):
            raise HookError(f'{name}: secrets: {secret!r} cannot be the name of a file.', BAD_DATA)


def start_order(item: 'tuple[str, dict[str, Any]]') -> float:
    """When a container's turn is, for sorting; 0 by default."""
    name, container = item
    try:
        return float(container.get('start_order') or 0)
    except (TypeError, ValueError):
        raise HookError(f'{name}: start_order must be a number.', BAD_DATA)


def options(container: 'dict[str, Any]', keys: 'Any' = tuple(OPTIONS)) -> 'list[str]':
    """The keys that the command line takes as they are."""
    return [
        f'{OPTIONS[key][0]}={value}' for key in sorted(keys) for value in texts(container.get(key))
    ]


def ulimits(name: str, container: 'dict[str, Any]') -> 'list[str]':
    """``nofile: 1024``, ``nofile: {soft: 1024, hard: 2048}``, or as the command line has it."""
    limits = container.get('ulimits')
    if isinstance(limits, dict):
        given = []
        for limit, value in limits.items():
            if isinstance(value, dict):
                if set(value) != {'soft', 'hard'}:
                    raise HookError(
                        f'{name}: ulimits: {limit} must have soft and hard, or be a number.',
                        BAD_DATA,
                    )
                value = f'{as_text(value["soft"])}:{as_text(value["hard"])}'
            given.append(f'{limit}={as_text(value)}')
        limits = given
    return [f'--ulimit={limit}' for limit in texts(limits)]


def healthcheck(name: str, container: 'dict[str, Any]') -> 'list[str]':
    """A health check as Compose describes it: ``test``, and when it is made.

    :raises HookError: when it is something else.
    """
    check = container.get('healthcheck')
    if check is None:
        return []
    if check is False or isinstance(check, dict) and check.get('disable') is True:
        return ['--no-healthcheck']
    if isinstance(check, (str, list)):
        check = {'test': check}
    if not isinstance(check, dict):
        raise HookError(
            f'{name}: healthcheck must be a map, a command or false, not a {json_type(check)}.',
            BAD_DATA,
        )
    unknown = sorted(map(str, set(check) - {'test', 'disable', *HEALTHCHECK}))
    if unknown:
        raise HookError(
            f'{name}: healthcheck: {", ".join(unknown)} is not known; known are test, disable, '
            f'{", ".join(HEALTHCHECK)}.',
            BAD_DATA,
        )
    test = check.get('test')
    if isinstance(test, list):
        test = [as_text(word) for word in test]
        if test[:1] == ['NONE']:
            return ['--no-healthcheck']
        if test[:1] == ['CMD-SHELL']:
            test = ' '.join(test[1:])
        else:
            test = ' '.join(map(shlex.quote, test[test[:1] == ['CMD'] :]))
    given = [f'--health-cmd={test}'] if test else []
    for key, option in HEALTHCHECK.items():
        value = check.get(key)
        if value is not None:
            unit = 's' if isinstance(value, (int, float)) and key != 'retries' else ''
            given.append(f'{option}={as_text(value)}{unit}')
    return given


class Environment:
    """A container's variables, on their way past the command line.

    :raises HookError: when one cannot be passed.
    """

    def __init__(self, name: str, container: 'dict[str, Any]') -> None:
        #: Options that name the variables, without their values.
        self.options: list[str] = []
        #: The variables for the tool's own environment.
        self.variables: dict[str, str] = {}
        #: The lines of a file for those that would change the tool.
        self.lines: list[str] = []
        for pair in texts(container.get('environment')):
            variable, equals, value = pair.partition('=')
            if not variable or '\n' in variable or '\0' in pair:
                raise HookError(
                    f'{name}: environment: a variable cannot be called {variable!r}, nor hold a '
                    'null character.',
                    BAD_DATA,
                )
            if not equals:  # as in the tool's own environment
                self.options.append(f'--env={variable}')
            elif re.match('[A-Za-z_][A-Za-z0-9_]*$', variable) and not RESERVED.fullmatch(variable):
                self.options.append(f'--env={variable}')
                self.variables[variable] = value
            elif '\n' in value or '\r' in value:
                raise HookError(
                    f'{name}: environment: {variable} is a variable of the tool itself, and can '
                    'have but one line; give the container a file, by the key secrets.',
                    BAD_DATA,
                )
            else:
                self.lines.append(pair)


def texts(value: 'Any') -> 'list[str]':
    """A value as what the command line takes, one by one; empty ones are left out."""
    if isinstance(value, dict):
        value = [key if item is None else f'{key}={as_text(item)}' for key, item in value.items()]
    if not isinstance(value, list):
        value = [value]
    return [text for text in map(as_text, value) if text]


def words(command: 'Any') -> 'list[str]':
    """A command, a list or a text as in a shell, as a list."""
    if not command:
        return []
    if isinstance(command, list):
        return [as_text(word) for word in command]
    try:
        return shlex.split(as_text(command))
    except ValueError as error:
        raise HookError(f'The command {command!r} cannot be split into words: {error}.', BAD_DATA)
