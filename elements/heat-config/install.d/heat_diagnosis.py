# SPDX-License-Identifier: Apache-2.0
"""Why a stack waits: all that may keep it waiting, in sentences."""

import os
import re
import subprocess
import time

import heat_http
import heat_invocation
import heat_notify
from heat_deployed import GROUPS_WITHOUT_HOOK, METADATA, PENDING, REFUSED
from heat_overview import BROKEN, DONE, INTERRUPTED, RUNNING, WAITING, Overview, span
from heat_process import HookError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

AGENT = 'os-collect-config'
CLOCK_LIMIT = 60  # seconds that the clock may differ from a server's
POLL_LIMIT = 600  # seconds after which the agent should have polled again
PROBE_TIMEOUT = 10  # seconds


class Finding:
    """One sentence of the answer to: why does my stack wait?

    :param is_fine: False for what may be the reason.
    """

    def __init__(self, is_fine: bool, text: str) -> None:
        self.is_fine = is_fine
        self.text = text


def findings(overview: Overview, path: str) -> 'Iterator[Finding]':
    """All that could keep a stack waiting.

    :param path: the agent's configuration.
    """
    config = read_config(path)
    yield agent_finding()
    yield from poll_findings(config)
    yield from metadata_findings(overview)
    for row in overview.rows:
        yield from deployment_findings(row)
    yield from server_findings(config, overview)


def read_config(path: str) -> 'Any':
    import configparser

    config = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        config.read(path)
    except (configparser.Error, OSError, UnicodeDecodeError):
        config.clear()
    return config


def agent_finding(processes: str = '/proc') -> Finding:
    """Whether the agent is running."""
    for pid in filter(str.isdigit, os.listdir(processes)):
        try:
            with open(os.path.join(processes, pid, 'cmdline'), 'rb') as file:
                words = file.read().decode('utf-8', 'replace').split('\0')[:3]
        except OSError:
            continue
        if AGENT in map(os.path.basename, words):
            return Finding(True, f'The agent, {AGENT}, is running.')
    answer = output_of('systemctl', 'is-active', AGENT)
    state = f' (systemd calls it {answer.strip()})' if answer.strip() else ''
    return Finding(
        False,
        f'The agent, {AGENT}, is not running{state}. Start it with "systemctl '
        f'restart {AGENT}"; "journalctl -u {AGENT}" tells why it stopped.',
    )


def output_of(*command: str) -> str:
    """What a command prints; nothing if it cannot run."""
    try:
        return subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=10,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ).stdout.decode('utf-8', 'replace')
    except (OSError, subprocess.TimeoutExpired):
        return ''


def poll_findings(config: 'Any') -> 'Iterator[Finding]':
    """When the agent last got metadata, and whether it could do something with it."""
    folder = config.get('DEFAULT', 'cachedir', fallback='/var/lib/os-collect-config')
    collectors = config.get('DEFAULT', 'collectors', fallback='').split()
    polled = [
        name
        for name in ('heat', 'cfn', 'request', 'zaqar')
        if name in collectors or config.has_section(name)
    ]
    for name in polled:
        path = os.path.join(folder, name + '.json')
        try:  # the agent writes it whenever it was answered
            age = int(time.time() - os.path.getmtime(path))
        except OSError:
            yield Finding(
                False, f'The agent never got metadata by its collector {name}.' + last_complaint()
            )
            continue
        if age > POLL_LIMIT:
            yield Finding(
                False,
                f'The agent last got metadata by its collector {name} '
                f'{span(age)} ago.' + last_complaint(),
            )
        else:
            yield Finding(
                True,
                f'The agent last got metadata by its collector {name} {span(max(0, age))} ago.',
            )
        if read(path) != read(path + '.last'):
            yield Finding(
                False,
                f'The metadata of the collector {name} is new, and '
                'os-refresh-config has not succeeded with it yet.',
            )
    if not polled:
        yield Finding(
            False,
            'The agent was not told where to ask Heat for metadata: its '
            'configuration names no collector but those of the machine itself.',
        )


def read(path: str) -> bytes:
    try:
        with open(path, 'rb') as file:
            return file.read()
    except OSError:
        return b''


def last_complaint() -> str:
    """The last warning in the agent's journal, without what may be secret."""
    lines = [
        line
        for line in output_of('journalctl', '-u', AGENT, '-n', '200', '-o', 'cat').splitlines()
        if re.search(r'\b(WARNING|ERROR|CRITICAL)\b|Unavailable', line)
    ]
    if not lines:
        return ''
    return ' It said: ' + re.sub(r'[?]\S*', '?...', lines[-1])


def metadata_findings(overview: Overview) -> 'Iterator[Finding]':
    """Whether there are deployments, and a hook for each."""
    if isinstance(overview.problem, FileNotFoundError):
        yield Finding(
            False,
            f'There is no {METADATA}: the agent has not brought '
            'metadata with deployments since the server was booted.',
        )
    elif overview.problem:
        yield Finding(False, f'{METADATA} cannot be used: {overview.problem}')
    groups = set()
    for record in overview.wanted:
        try:
            heat_invocation.choose_config(record)
            groups.add(record.deployment.group)
        except HookError:
            pass  # its signal says so
    for group in sorted(groups - set(GROUPS_WITHOUT_HOOK) - {'component'}):
        try:
            heat_invocation.find_hook(group)
        except HookError as error:
            yield Finding(False, str(error))
        else:
            yield Finding(True, f'There is a hook for the group {group}.')


def deployment_findings(row: 'dict[str, Any]') -> 'Iterator[Finding]':
    name = f'{row["name"]} ({row["id"]})'
    log = f' Its log is {row["log"]}.' if row['log'] else ''
    if row['state'] == WAITING:
        yield Finding(False, f'{name} waits: Heat sent it, and the agent has not begun with it.')
    elif row['state'] == RUNNING:
        yield Finding(False, f'{name} has been running for {span(row["duration"])}.{log}')
    elif row['state'] == INTERRUPTED:
        yield Finding(
            False,
            f'{name} was interrupted; Heat is told so at the next run, within '
            'a minute, or sooner by "systemctl start heat-config-signal".',
        )
    elif row['state'] == BROKEN:
        yield Finding(False, f'{name} failed with status {row["status"]}.{log}')
    if row['signal'] == PENDING:
        again = ''
        if row['next_try']:
            again = ' It is tried again in ' + span(max(0, int(row['next_try'] - time.time())))
        yield Finding(
            False,
            f'Heat has not got the result of {name}: '
            f'{row["problem"] or "it was not sent yet"}.{again}',
        )
    elif row['signal'] == REFUSED:
        yield Finding(
            False, f'The result of {name} was refused, and will not be sent again: {row["problem"]}'
        )


def server_findings(config: 'Any', overview: Overview) -> 'Iterator[Finding]':
    """Whether what the agent talks to can be reached, and has the same time."""
    addresses = {}
    for section, option, what in (
        ('cfn', 'metadata_url', "Heat's CloudFormation API"),
        ('heat', 'auth_url', 'Keystone'),
        ('zaqar', 'auth_url', 'Keystone'),
        ('request', 'metadata_url', 'The server of metadata'),
    ):
        addresses.setdefault(origin(config.get(section, option, fallback='')), what)
    inputs = {
        record.deployment.id: heat_notify.texts_of(record.deployment.all_inputs)
        for record in [*overview.records, *overview.wanted]
    }
    for row in overview.rows:
        if row['signal'] == PENDING or row['state'] not in (DONE, BROKEN):
            for name, what in (
                ('deploy_signal_id', 'What signals are sent to'),
                ('deploy_auth_url', 'Keystone'),
            ):
                addresses.setdefault(origin(inputs.get(row['id'], {}).get(name, '')), what)
    addresses.pop('', None)
    for address, what in sorted(addresses.items()):
        problem, date = probe(address)
        if problem:
            yield Finding(False, f'{what} cannot be reached at {address}: {problem}')
            continue
        yield Finding(True, f'{what} can be reached at {address}.')
        difference = int(time.time() - date) if date else 0
        if abs(difference) > CLOCK_LIMIT:
            yield Finding(
                False,
                f'The clock of this server is {span(abs(difference))} '
                f'{"ahead of" if difference > 0 else "behind"} that of {address}: '
                'certificates, tokens and signed URLs may be refused.',
            )


def origin(url: str) -> str:
    """A URL's server: all of it that is no secret."""
    match = re.match(r'(https?://)(?:[^/?#@]*@)?([^/?#@]+)', url)
    return match.group(1) + match.group(2) if match else ''


def probe(address: str) -> 'tuple[str, float]':
    """Ask a server for anything.

    :returns: what is wrong, if it does not answer; its time, if it tells it.
    """
    import email.utils
    import urllib.error

    by = heat_http.proxy_for(address)
    by = f' (by the proxy {heat_http.without_password(by)})' if by else ''
    try:
        with heat_http.deadline(PROBE_TIMEOUT):
            with heat_http.opener().open(address + '/', timeout=PROBE_TIMEOUT) as answer:
                headers = answer.headers
    except urllib.error.HTTPError as error:  # it is there, and that is what was asked
        headers = error.headers
    except urllib.error.URLError as error:
        return f'{error.reason}{by}', 0
    except Exception as error:  # of the many that a broken answer can raise
        return f'{type(error).__name__}: {error}{by}', 0
    date = email.utils.parsedate_tz(headers.get('Date') or '')
    return '', email.utils.mktime_tz(date) if date else 0
