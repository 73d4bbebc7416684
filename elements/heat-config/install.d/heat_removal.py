# SPDX-License-Identifier: Apache-2.0
"""Removing what hooks start and leave running, such as containers.

Heat says so by a deployment with the action DELETE.  What Heat no longer has
without having said so is stale: os-refresh-config calls each such hook as
``hook --remove-stale`` before deployments are carried out.
"""

import json
import sys

import heat_deployed
import heat_hook
from heat_hook import NOT_FOUND, Deployment, HookError, Result, Workspace, log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Iterable

    from heat_options import Option


def main(
    deploy: 'Callable[[Deployment, Workspace], Result]',
    remove_stale: 'Callable[[list[Deployment]], None]',
    tool: str,
    options: 'Iterable[Option]',
) -> None:
    """Run a hook, as heat_hook.main() does, or with ``--remove-stale`` tidy up.

    :param remove_stale: called with the deployments that Heat has; removes
        what belongs to others.
    """
    if sys.argv[1:] != ['--remove-stale']:
        heat_hook.main(deploy, tool, options)
        return
    try:
        deployments = current()
        if deployments is not None:
            remove_stale(deployments)
    except Exception as error:
        # Not by the exit status: that would keep the deployments waiting that come next.
        log(f'{tool}: could not look for what Heat no longer has: {error}')


def current() -> 'list[Deployment] | None':
    """The deployments that Heat has for this server; None when that is not known.

    A server without software configuration, and one that has not polled yet,
    has an empty file or none: that is not to say that Heat has removed them all.

    :raises ValueError: when the file holds anything else than a list.
    """
    try:
        with open(heat_deployed.METADATA, 'rb') as file:
            text = file.read().decode('utf-8')
    except FileNotFoundError:
        return None
    found = json.loads(text) if text.strip() else None
    if found is None:
        return None
    if not isinstance(found, list):
        raise ValueError(f'{heat_deployed.METADATA} must hold a list')
    return [Deployment(item) for item in found if isinstance(item, dict)]


def delete(remove: 'Callable[[], Result | None]') -> Result:
    """Carry out the action DELETE, so that a stack can be deleted if that is possible at all.

    :param remove: removes what runs.
    :returns: success with a note where the tool is gone, and with it what it ran.
    :raises HookError: when it failed; the text says how to get rid of the stack.
    """
    hint = (
        'Heat cannot delete the stack while this fails: repair the tool on the server, or delete '
        'the server first and the stack then.'
    )
    try:
        result = remove() or Result()
    except HookError as error:
        if error.status_code != NOT_FOUND:
            raise HookError(f'{error} {hint}', error.status_code)
        note = f'Nothing was removed, for the tool is not on this server: {error}\n'
        log(note.rstrip())
        return Result(stderr=note)
    if result.status_code:
        log(hint)
        result.stderr += hint + '\n'
    return result
