# SPDX-License-Identifier: Apache-2.0
"""What this server's agent did, does and has yet to do, a row for each deployment."""

import calendar
import fcntl
import os
import time

import heat_apply_config
import heat_deployed
from heat_deployed import GROUPS_WITHOUT_HOOK, PENDING, REFUSED, Record
from heat_notify import has_failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What a deployment can be; the first three are not its end.
WAITING, RUNNING, INTERRUPTED, DONE, BROKEN = 'waiting running interrupted done failed'.split()


class Overview:
    """What Heat has for this server at present, and what was done, as read just now.

    :param is_complete: with all that was ever done, and not only what Heat
        still has or is to be told of.
    """

    def __init__(self, is_complete: bool = False) -> None:
        self._is_busy = dispatcher_is_running()
        #: What is wrong with the metadata, if anything is.
        self.problem = None
        self.wanted = []
        heat_deployed.LEDGER.load()
        try:
            deployments = heat_deployed.metadata()
        except (OSError, ValueError) as error:
            self.problem = error
        else:
            self.wanted = list(map(Record.of, filter(heat_deployed.is_deployment, deployments)))
        by_name = {record.name: record for record in self.wanted}
        names = heat_deployed.unfinished_names() | set(by_name)
        if is_complete or self.problem:
            names |= set(heat_deployed.names())
        self.records = [
            record
            for record in (Record.load(name, by_name.get(name)) for name in sorted(names))
            if record.is_taken_up()
        ]
        self.rows = self._rows()

    def _rows(self) -> 'list[dict[str, Any]]':
        """All deployments on record, oldest first, and those that wait to be taken up."""
        rows = [self._describe(record) for record in self.records]
        rows.sort(key=lambda row: row['started'] or '')
        for record in self.wanted:
            is_run = record.data.get('group') not in GROUPS_WITHOUT_HOOK
            if (is_run or heat_apply_config.is_awaited(record)) and not record.is_taken_up():
                rows.append(dict(row_of(record), state=WAITING))
        return rows

    def _describe(self, record: Record) -> 'dict[str, Any]':
        """A deployment that was taken up."""
        state = record.state
        row = row_of(record)
        row['started'] = state.get('started')
        if os.path.exists(record.log_path):
            row['log'] = record.log_path
        end = time.time()
        if record.is_finished():
            row['status'] = state.get('status_code', record.response.get('deploy_status_code'))
            failed = has_failed({'deploy_status_code': row['status']}) or error_outputs(record)
            row['state'] = BROKEN if failed else DONE
            row['signal'] = 'unknown' if record.is_legacy() else state.get('signal', PENDING)
            row['problem'] = state.get('problem')
            row['next_try'] = state.get('next_try') if row['signal'] == PENDING else None
            end = seconds_of(state.get('finished'))
        elif record.is_legacy():
            row['state'], row['signal'] = DONE, 'unknown'
        else:
            row['state'] = RUNNING if self._is_busy else INTERRUPTED
        if row['started'] and end:
            row['duration'] = max(0, int(end - seconds_of(row['started'])))
        return row

    def has_failures(self) -> bool:
        return any(row['state'] == BROKEN or row['signal'] == REFUSED for row in self.rows)

    def is_unfinished(self) -> bool:
        return any(
            row['state'] in (WAITING, RUNNING, INTERRUPTED) or row['signal'] == PENDING
            for row in self.rows
        )


def row_of(record: Record) -> 'dict[str, Any]':
    deployment = record.deployment
    return {
        'id': deployment.id or record.name,
        'name': deployment.name,
        'group': deployment.group,
        'action': deployment.action,
        'state': None,
        'status': None,
        'started': None,
        'duration': None,
        'signal': None,
        'problem': None,
        'next_try': None,
        'log': None,
    }


def error_outputs(record: Record) -> 'list[str]':
    """The outputs that make a deployment a failure by being there."""
    outputs = record.data.get('outputs')
    return [
        str(item['name'])
        for item in (outputs if isinstance(outputs, list) else [])
        if isinstance(item, dict)
        and item.get('error_output')
        and str(item.get('name')) in record.response
    ]


def dispatcher_is_running() -> bool:
    try:
        with open(os.path.join(heat_deployed.FOLDER, '.run.lock')) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        pass
    return False


def seconds_of(text: 'str | None') -> int:
    """A time of a state as seconds since 1970; 0 if there is none."""
    try:
        return calendar.timegm(time.strptime(text or '', '%Y-%m-%dT%H:%M:%SZ'))
    except ValueError:
        return 0


def span(seconds: 'int | None') -> 'str | None':
    """A duration as people read it."""
    if seconds is None:
        return None
    if seconds < 120:
        return f'{seconds} s'
    return f'{seconds // 60} min' if seconds < 7200 else f'{seconds // 3600} h'
