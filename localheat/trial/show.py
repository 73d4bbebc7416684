# SPDX-License-Identifier: Apache-2.0
"""A stack on the screen, until what was begun with it is done."""

import sys
import time
from contextlib import AbstractContextManager
from typing import Union

from keystoneauth1.exceptions import ConnectFailure
from rich.console import Console

from imagebuild.progress import Progress
from localheat.client import Stacks
from localheat.view import report
from localheat.view.model import COMPLETE, PROGRESS, Snapshot, Watch
from localheat.view.output import Output
from localheat.view.plain import Plain
from localheat.view.terminal import Terminal

STEP = 0.7


def show(stacks: Stacks, stack: str, action: str, servers: str, progress: Progress) -> bool:
    """Show a stack while it changes, and what came of it.

    :param stack: name or id
    :param action: what was begun, as Heat calls it, such as CREATE
    :param servers: the folder of the servers' folders
    :returns: whether it is complete
    """
    watch, output = Watch(stacks.heat, stack), Output(stacks.heat, servers)
    with _view(progress) as view:
        while True:
            try:
                snapshot = watch.look()
            except ConnectFailure:
                # Heat may be on its way back
                time.sleep(STEP)
                continue
            output.add_lines(snapshot)
            view.show(snapshot)
            if _is_done(snapshot, action):
                break
            time.sleep(STEP)
    if not snapshot.status or snapshot.state == COMPLETE:
        lines = report.outputs(stacks.heat, stack) if snapshot.status else iter(())
    else:
        lines = report.failure(snapshot, output)
    for line in lines:
        print(line, flush=True)
    return not snapshot.status and action == 'DELETE' or snapshot.state == COMPLETE


def _view(progress: Progress) -> 'AbstractContextManager[Union[Plain, Terminal]]':
    console = Console()
    if console.is_terminal and sys.stdout.isatty():
        return Terminal(console)
    return Plain(progress.say)


def _is_done(snapshot: Snapshot, action: str) -> bool:
    """Whether what was begun has ended; at first Heat may still show what was before."""
    if not snapshot.status:
        return True
    begun = snapshot.status.split('_', 1)[0]
    return begun in (action, 'ROLLBACK') and snapshot.state != PROGRESS
