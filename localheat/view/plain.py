# SPDX-License-Identifier: Apache-2.0
"""A line for each change, for pipes and logs."""

from collections.abc import Callable

from localheat.view.model import Snapshot


class Plain:
    """Says what has changed since it was last told.

    :param say: prints a line
    """

    def __init__(self, say: 'Callable[[str], None]'):
        self._say = say
        self._seen: dict[str, str] = {}

    def __enter__(self) -> 'Plain':
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, snapshot: Snapshot) -> None:
        for item in snapshot.items:
            self._tell(item.path, item.status, item.seconds)
            if item.line:
                self._tell(item.path + ' ', item.line)
        known = {item.path for item in snapshot.items} | {snapshot.name}
        for path in [path for path in self._seen if path.rstrip() not in known]:
            del self._seen[path]
            if not path.endswith(' '):
                self._say(f'{path}: gone')
        self._tell(snapshot.name, snapshot.status or 'gone')

    def _tell(self, what: str, status: str, seconds: 'float | None' = None) -> None:
        if self._seen.get(what) == status or status.endswith('INIT_COMPLETE'):
            return
        self._seen[what] = status
        took = f' after {seconds:.0f} s' if seconds and not status.endswith('PROGRESS') else ''
        separator = ' | ' if what.endswith(' ') else ': '
        self._say(f'{what.rstrip()}{separator}{status}{took}')
