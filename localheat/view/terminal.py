# SPDX-License-Identifier: Apache-2.0
"""A table of all resources that is redrawn in place."""

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from localheat.view.model import COMPLETE, FAILED, PROGRESS, Item, Snapshot

STYLES = {COMPLETE: 'green', FAILED: 'bold red', PROGRESS: 'yellow'}


class Terminal:
    """Shows a stack while it changes; what was shown last stays.

    :param console: of the library "rich"
    """

    def __init__(self, console: Console):
        self._console = console
        self._live = Live(console=console, auto_refresh=False, vertical_overflow='crop')

    def __enter__(self) -> 'Terminal':
        self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.stop()

    def show(self, snapshot: Snapshot) -> None:
        self._live.update(table(snapshot, self._console.height - 5), refresh=True)


def table(snapshot: Snapshot, rows: int) -> Table:
    """Return the table of a stack.

    :param rows: that there is room for; what is complete gives way
    """
    shown = Table(box=None, pad_edge=False, expand=True)
    shown.add_column('resource', no_wrap=True, ratio=2)
    shown.add_column('state', no_wrap=True, width=20)
    shown.add_column('time', justify='right', no_wrap=True, width=6)
    shown.add_column('last line', no_wrap=True, ratio=4, overflow='ellipsis')
    items = [item for item in snapshot.items if item.status != 'INIT_COMPLETE']
    waiting = len(snapshot.items) - len(items)
    hidden = 0
    if len(items) > rows:
        busy = [item for item in items if item.state != COMPLETE]
        hidden = len(items) - len(busy)
        items = busy[:rows]
        hidden += len(busy) - len(items)
    for item in items:
        shown.add_row(*_row(item))
    more = [f'{waiting} waiting'] * bool(waiting) + [f'{hidden} more'] * bool(hidden)
    shown.add_row(
        Text(snapshot.name or 'stack', style='bold'),
        _state(snapshot.status or 'DELETE_COMPLETE'),
        '',
        Text(', '.join(more), style='dim'),
    )
    return shown


def _row(item: Item) -> tuple[Text, Text, str, Text]:
    words = item.line if item.state == PROGRESS else ''
    if item.state == FAILED:
        words = item.reason
    return (
        Text(item.path, style='bold' if item.is_deployment else ''),
        _state(item.status),
        f'{item.seconds:.0f} s' if item.seconds is not None else '',
        Text(words, style='red' if item.state == FAILED else 'dim'),
    )


def _state(status: str) -> Text:
    return Text(status, style=STYLES.get(status.split('_', 1)[-1], ''))
