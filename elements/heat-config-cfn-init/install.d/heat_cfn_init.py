# SPDX-License-Identifier: Apache-2.0
"""Carry out AWS::CloudFormation::Init metadata on this machine.

Usage: cfn-init [--configsets NAME,...]

The metadata is read from the file last_metadata in the folder
HEAT_CFN_INIT_LAST_METADATA_DIR (/var/cache/heat-cfntools).  Without a name,
the config set "default" is applied if there are config sets, else "config".

The parts of a config come in the order that AWS's documentation gives them:
packages, groups, users, sources, files, commands, services.  The first one
that fails ends it all, and its exit status is this program's.

It waits while another program holds the lock of a package manager, such as
the distribution's own updates: HEAT_CFN_INIT_LOCK_TIMEOUT seconds at most (600).
"""

import argparse
import base64
import grp
import json
import os
import pwd
import re
import shutil
import sys
import tempfile
import time

import heat_fetch
import heat_foreign_files
from heat_hook import BAD_DATA, HookError, Result, as_text, echo, json_type, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Mapping

FOLDER = os.environ.get('HEAT_CFN_INIT_LAST_METADATA_DIR') or '/var/cache/heat-cfntools'
SECTION = 'AWS::CloudFormation::Init'
LOCK_TIMEOUT = 600  # seconds
LOCK_PERIOD = 2  # seconds between two tries
# How package managers say that another program holds their lock; all in English, by the locale.
LOCKED_STATUS = {'dnf': 200, 'zypper': 7}
LOCKED = (
    'Could not get lock',
    'is locked by another process',
    'was locked by another process',
    'System management is locked',
    'Failed to obtain the transaction lock',
    "can't create transaction lock",
)
# What each part may have; a misspelt key would be without effect.
KEYS = {
    'commands': 'command cwd env ignoreErrors test waitAfterCompletion',
    'files': 'authentication content context encoding group mode owner source',
    'groups': 'gid',
    'services': 'commands enabled ensureRunning files packages sources',
    'users': 'groups homeDir uid',
}


def say(message: str) -> None:
    # At once, to come before the output of what is run next.
    print(message, flush=True)


def warn(message: str) -> None:
    echo(f'cfn-init: {message}\n'.encode('utf-8', 'backslashreplace'))


def check_keys(part: str, name: str, wanted: 'Mapping[str, Any]') -> None:
    """Say which keys have no effect."""
    known = KEYS[part].split()
    for key in sorted(set(wanted) - set(known)):
        warn(f'{part}: {name}: {key} is unknown and has no effect; known are {", ".join(known)}')


def configs_of(metadata: 'dict[str, Any]', names: 'list[str]') -> 'list[str]':
    """The names of the configs to apply, in order.

    :param names: the config sets that are asked for.
    :raises HookError: when one is not there, or contains itself.
    """
    sets = mapping(metadata, 'configSets')
    if not sets and not names:
        return ['config']
    found = []

    def expand(name: str, parents: 'list[str]') -> None:
        if name in parents:
            raise HookError(f'The config set {name} contains itself.', BAD_DATA)
        if name not in sets:
            raise HookError(
                f'There is no config set {name}, but: ' + ', '.join(sorted(sets)) + '.', BAD_DATA
            )
        members = sets[name] if isinstance(sets[name], list) else [sets[name]]
        for member in members:
            if isinstance(member, dict):
                expand(str(member.get('ConfigSet')), parents + [name])
            else:
                found.append(str(member))

    for name in names or ['default']:
        expand(name, [])
    return found


class Init:
    """Applies configs, and remembers what they changed.

    :param metadata: the content of AWS::CloudFormation::Init.
    """

    def __init__(self, metadata: 'dict[str, Any]') -> None:
        self._metadata = metadata
        # What services name to be restarted after.
        self._changed: dict[str, set[Any]] = {
            'commands': set(),
            'files': set(),
            'packages': set(),
            'sources': set(),
        }

    def apply(self, name: str) -> None:
        """Apply one config.

        :raises HookError: when any part of it cannot be applied.
        """
        if not isinstance(self._metadata.get(name), dict):
            raise HookError(
                f'There is no config {name}, but: '
                + ', '.join(sorted(set(self._metadata) - {'configSets'}))
                + '.',
                BAD_DATA,
            )
        config = self._metadata[name]
        parts: dict[str, Callable[..., None]] = {
            'packages': self.packages,
            'groups': self.group,
            'users': self.user,
            'sources': self.source,
            'files': self.file,
            'commands': self.command,
            'services': self.services,
        }
        unknown = set(config) - set(parts)
        if unknown:
            raise HookError(
                f'{name} has unknown parts: {", ".join(sorted(unknown))}. Known are: '
                + ', '.join(parts)
                + '.',
                BAD_DATA,
            )
        for part, handle in parts.items():
            items = mapping(config, part)
            # Commands have an order; the others get one, to be the same every time.
            order = by_manager if part == 'packages' else str
            for key in sorted(items, key=order):
                handle(key, items[key])

    def packages(self, manager: str, packages: 'Any') -> None:
        if manager not in PACKAGE_MANAGERS:
            raise HookError(
                f'packages: {manager} is not known. Known are: '
                + ', '.join(PACKAGE_MANAGERS)
                + '.',
                BAD_DATA,
            )
        if not isinstance(packages, dict):
            raise HookError(
                f'packages: {manager} must be a map from names to versions, not a '
                f'{json_type(packages)}.',
                BAD_DATA,
            )
        wanted = [(name, newest(versions)) for name, versions in sorted(packages.items())]
        if wanted:
            say(f'packages: {manager}: ' + ', '.join(name for name, _ in wanted))
            PACKAGE_MANAGERS[manager](wanted)
            self._changed['packages'].update((manager, name) for name in packages)

    def group(self, name: str, wanted: 'Any') -> None:
        wanted = submap(f'groups: {name}', wanted)
        check_keys('groups', name, wanted)
        if exists(grp.getgrnam, name):
            return
        say(f'groups: {name}')
        call(['groupadd'] + option('--gid', wanted.get('gid')) + [name])

    def user(self, name: str, wanted: 'Any') -> None:
        wanted = submap(f'users: {name}', wanted)
        check_keys('users', name, wanted)
        if exists(pwd.getpwnam, name):
            return
        say(f'users: {name}')
        groups = wanted.get('groups') or ()
        groups = groups if isinstance(groups, str) else ','.join(groups)
        # As AWS documents: nobody can log in as such a user.
        call(
            ['useradd', '--shell', '/sbin/nologin']
            + option('--uid', wanted.get('uid'))
            + option('--groups', groups)
            + option('--home-dir', wanted.get('homeDir'))
            + [name]
        )

    def source(self, folder: str, url: 'Any') -> None:
        if not os.path.isabs(folder):
            raise HookError(f'sources: {folder}: must be the absolute path of a folder.', BAD_DATA)
        say(f'sources: {folder}')
        heat_foreign_files.refuse_links_in(folder)
        with tempfile.TemporaryFile() as archive:
            heat_fetch.download(as_text(url), archive)
            heat_fetch.unpack(archive, folder, as_text(url))
        self._changed['sources'].add(folder)

    def file(self, path: str, wanted: 'Any') -> None:
        if not isinstance(wanted, dict) or not ('content' in wanted or 'source' in wanted):
            raise HookError(f'files: {path}: must be a map with content or source.', BAD_DATA)
        for key in ('authentication', 'context'):
            if wanted.get(key):
                raise HookError(f'files: {path}: {key} is not supported.', BAD_DATA)
        mode = str(wanted.get('mode') or '')
        if not re.fullmatch('[0-7]{0,6}', mode) or isinstance(wanted.get('mode'), int):
            raise HookError(
                f'files: {path}: mode must be a string of octal digits, such as '
                '"000644", quotes included.',
                BAD_DATA,
            )
        if not os.path.isabs(path) or path.endswith('/'):
            raise HookError(f'files: {path}: must be the absolute path of a file.', BAD_DATA)
        check_keys('files', path, wanted)
        owner = None
        if os.geteuid() == 0 or 'owner' in wanted or 'group' in wanted:
            owner = (
                number(pwd.getpwnam, wanted.get('owner') or 'root'),
                number(grp.getgrnam, wanted.get('group') or 'root'),
            )
        if mode.startswith('120'):  # S_IFLNK, as in stat(2)
            changed = heat_foreign_files.link(path, as_text(wanted.get('content')), owner)
        else:
            changed = heat_foreign_files.write(
                path,
                content_of(path, wanted),
                int(mode, 8) & 0o7777 if mode else None,
                owner,
                folder_mode=0o755,
            )
        if changed:
            say(f'files: {path}')
            self._changed['files'].add(path)

    def command(self, name: str, wanted: 'Any') -> None:
        if not isinstance(wanted, dict) or not wanted.get('command'):
            raise HookError(f'commands: {name}: must be a map with a command.', BAD_DATA)
        cwd = wanted.get('cwd')
        cwd = os.path.expanduser(cwd) if cwd else None
        env = {str(key): as_text(value) for key, value in mapping(wanted, 'env').items()}
        check_keys('commands', name, wanted)
        if wanted.get('test') and execute(wanted['test'], cwd, env).status_code:
            say(f'commands: {name}: not needed, says its test')
            return
        say(f'commands: {name}')
        status = execute(wanted['command'], cwd, env).status_code
        if status and not boolean(wanted.get('ignoreErrors')):
            raise HookError(f'commands: {name}: ended with status {status}.', status)
        self._changed['commands'].add(name)

    def services(self, manager: str, services: 'Any') -> None:
        if manager not in ('systemd', 'sysvinit'):
            raise HookError(
                f'services: {manager} is not known. Known are: systemd, sysvinit.', BAD_DATA
            )
        for name, wanted in sorted(submap(f'services: {manager}', services).items()):
            self.service(name, submap(f'services: {name}', wanted))

    def service(self, name: str, wanted: 'dict[str, Any]') -> None:
        check_keys('services', name, wanted)
        if 'enabled' in wanted:
            action = 'enable' if boolean(wanted['enabled']) else 'disable'
            say(f'services: {action} {name}')
            call(['systemctl', action, name])
        running = boolean(wanted.get('ensureRunning'))
        if running or 'ensureRunning' in wanted:
            action = 'stop'
            if running:
                action = 'restart' if self._is_touched(wanted) else 'start'
            say(f'services: {action} {name}')
            call(['systemctl', action, name])

    def _is_touched(self, service: 'dict[str, Any]') -> bool:
        """Whether something changed that a service depends on."""
        packages = {
            (manager, name)
            for manager, names in mapping(service, 'packages').items()
            for name in names
        }
        return bool(packages & self._changed['packages']) or any(
            set(service.get(part) or ()) & self._changed[part]
            for part in ('commands', 'files', 'sources')
        )


def apt(wanted: 'list[tuple[str, str]]') -> None:
    command = ['apt-get', '--yes', 'install'] + [
        f'{name}={version}' if version else name for name, version in wanted
    ]
    env = {'DEBIAN_FRONTEND': 'noninteractive'}
    # Only on failure: most servers have what is wanted, or fresh lists of packages.
    result = install(command, env)
    if result.status_code and not is_locked('apt-get', result):
        update = ['apt-get', 'update']
        check(update, install(update))
        result = install(command, env)
    check(command, result)


def yum(wanted: 'list[tuple[str, str]]') -> None:
    # Templates say yum for any of them.
    program = next(filter(shutil.which, ('dnf', 'yum', 'zypper')), 'dnf')
    if program == 'zypper':
        zypper(wanted)
        return
    # By itself it would wait for ever.
    command = [program, '-y', '--setopt=exit_on_lock=True', 'install']
    command += [f'{name}-{version}' if version else name for name, version in wanted]
    check(command, install(command))


def zypper(wanted: 'list[tuple[str, str]]') -> None:
    command = ['zypper', '--non-interactive', 'install']
    command += [f'{name}={version}' if version else name for name, version in wanted]
    check(command, install(command))


def rpm(wanted: 'list[tuple[str, str]]') -> None:
    command = ['rpm', '--upgrade', '--replacepkgs'] + [url or name for name, url in wanted]
    check(command, install(command))


def rubygems(wanted: 'list[tuple[str, str]]') -> None:
    for name, version in wanted:
        call(['gem', 'install', '--no-document'] + option('--version', version) + [name])


def python(wanted: 'list[tuple[str, str]]') -> None:
    call(
        ['python3', '-m', 'pip', 'install']
        + [f'{name}=={version}' if version else name for name, version in wanted]
    )


# In the order in which they are used: what others build upon comes first.
PACKAGE_MANAGERS = {
    'rpm': rpm,
    'apt': apt,
    'dnf': yum,
    'yum': yum,
    'zypper': zypper,
    'rubygems': rubygems,
    'python': python,
}


def by_manager(name: str) -> int:
    names = list(PACKAGE_MANAGERS)
    return names.index(name) if name in names else len(names)


def newest(versions: 'Any') -> str:
    """The highest of some versions; empty for any."""
    versions = versions if isinstance(versions, list) else [versions]
    return max(
        (as_text(version) for version in versions),
        default='',
        key=lambda version: [
            (part.isdigit(), int(part) if part.isdigit() else 0, part)
            for part in re.findall('[0-9]+|[^0-9]+', version)
        ],
    )


def content_of(path: str, wanted: 'Mapping[str, Any]') -> bytes:
    """What a file should hold."""
    if 'content' not in wanted:
        with tempfile.TemporaryFile() as file:
            heat_fetch.download(as_text(wanted['source']), file)
            return file.read()
    content = wanted['content']
    if isinstance(content, (dict, list)):
        content = json.dumps(content, indent=4)
    content = as_text(content).encode('utf-8')
    encoding = wanted.get('encoding') or 'plain'
    if encoding not in ('plain', 'base64'):
        raise HookError(f'files: {path}: encoding must be plain or base64.', BAD_DATA)
    try:
        return base64.b64decode(content) if encoding == 'base64' else content
    except ValueError as error:
        raise HookError(f'files: {path}: the content is not base64: {error}.', BAD_DATA)


def execute(
    command: 'Any', cwd: 'str | None' = None, env: 'Mapping[str, str] | None' = None
) -> Result:
    """Run a command to its end; what it prints is what this program prints.

    :param command: a list, or a text for the shell.
    :param env: variables to add to the environment.
    :raises HookError: when it cannot be run.
    """
    words = (
        [as_text(word) for word in command]
        if isinstance(command, list)
        else ['sh', '-c', as_text(command)]
    )
    return run(words, cwd=cwd, env=env, on_stdout=to_stdout)


def to_stdout(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def call(command: 'list[str]', env: 'Mapping[str, str] | None' = None) -> None:
    """Run a command that must succeed.

    :raises HookError: when it does not.
    """
    check(command, execute(command, env=env))


def check(command: 'list[str]', result: Result) -> None:
    if result.status_code:
        raise HookError(
            f'{" ".join(command)}: ended with status {result.status_code}.', result.status_code
        )


def install(command: 'list[str]', env: 'Mapping[str, str] | None' = None) -> Result:
    """Run a package manager, again and again while another program holds its lock.

    :returns: its last result.
    """
    give_up = time.monotonic() + lock_timeout()
    is_told = False
    while True:
        result = execute(command, env=dict({'LC_ALL': 'C.UTF-8'}, **(env or {})))
        if not is_locked(command[0], result) or time.monotonic() >= give_up:
            return result
        if not is_told:
            say(f'packages: another program holds the lock of {command[0]}: waiting for it')
            is_told = True
        time.sleep(LOCK_PERIOD)


def lock_timeout() -> float:
    text = os.environ.get('HEAT_CFN_INIT_LOCK_TIMEOUT') or str(LOCK_TIMEOUT)
    try:
        return float(text)
    except ValueError:
        raise HookError(f'HEAT_CFN_INIT_LOCK_TIMEOUT must be a number of seconds, not {text!r}.')


def is_locked(program: str, result: Result) -> bool:
    said = result.stderr[-4096:] + result.stdout[-4096:]
    return result.status_code != 0 and (
        result.status_code == LOCKED_STATUS.get(program)
        or any(message in said for message in LOCKED)
    )


def exists(lookup: 'Callable[[str], Any]', name: str) -> bool:
    try:
        lookup(name)
    except KeyError:
        return False
    return True


def number(lookup: 'Callable[[str], Any]', name: 'Any') -> int:
    """The id of a user or group that is given by its name or id."""
    if as_text(name).isdigit():
        return int(name)
    try:
        return int(lookup(name)[2])
    except KeyError:
        raise HookError(f'There is no user or group {name}.')


def option(name: str, value: 'Any') -> 'list[str]':
    return [name, as_text(value)] if value or value == 0 else []


def boolean(value: 'Any') -> bool:
    """What a template says as true, "true", "yes" or 1."""
    return str(value).strip().lower() in ('true', 'yes', '1')


def mapping(parent: 'Mapping[str, Any]', name: str) -> 'dict[str, Any]':
    """A map in a map; an empty one where it is missing or null."""
    return submap(name, parent.get(name))


def submap(name: str, value: 'Any') -> 'dict[str, Any]':
    """A value as a map; an empty one if it is null.

    :raises HookError: when it is anything else.
    """
    value = value or {}
    if not isinstance(value, dict):
        raise HookError(f'{name} must be a map, not a {json_type(value)}.', BAD_DATA)
    return value


def read_metadata() -> 'dict[str, Any]':
    path = os.path.join(FOLDER, 'last_metadata')
    try:
        with open(path, 'rb') as file:
            metadata = json.loads(file.read().decode('utf-8'))
    except (OSError, ValueError) as error:
        raise HookError(f'{path} cannot be used: {error}.', BAD_DATA)
    if not isinstance(metadata, dict):
        raise HookError(f'{path} is not a JSON object.', BAD_DATA)
    return mapping(metadata, SECTION)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog='cfn-init',
        description=__doc__.split('\n', 1)[0],
        epilog='It reads last_metadata in $HEAT_CFN_INIT_LAST_METADATA_DIR.',
    )
    parser.add_argument(
        '-c', '--configsets', default='', metavar='NAME,...', help='the config sets to apply'
    )
    parser.add_argument(
        '--version',
        action='version',
        version='cfn-init of heat-config, which is not that of heat-cfntools',
    )
    arguments = parser.parse_args()
    try:
        metadata = read_metadata()
        if not metadata:
            say('There is nothing to do.')
            return 0
        init = Init(metadata)
        for name in configs_of(metadata, list(filter(None, arguments.configsets.split(',')))):
            init.apply(name)
    except HookError as failure:
        sys.stdout.flush()
        warn(str(failure))
        return failure.status_code
    except OSError as error:
        warn(f'{error.filename2 or error.filename or ""}: {error.strerror}'.lstrip(': '))
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
