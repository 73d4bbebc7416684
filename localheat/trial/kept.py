# SPDX-License-Identifier: Apache-2.0
"""What is done with a stack that was kept: update, delete, suspend, resume, look at its servers."""

import argparse
import os
import shutil

from heatclient import exc

from imagebuild import ending
from imagebuild.progress import Progress
from localheat.client import Stacks
from localheat.client.stacks import reason
from localheat.errors import LocalHeatError
from localheat.services import Cloud
from localheat.trial import run as trial
from localheat.trial import shell
from localheat.trial.provide import provide
from localheat.trial.record import Record, exclusively
from localheat.trial.show import show
from localheat.view.model import Watch


def run(options: argparse.Namespace, progress: Progress) -> int:
    """Carry out what was asked for; return 0 if it worked."""
    if not os.path.exists(os.path.join(options.cloud, 'state.json')):
        raise LocalHeatError(
            f'Nothing is kept in {options.cloud}.', 'Keep a stack with --keep TEMPLATE.'
        )
    record = Record.load(options.cloud)
    name = record.choose(options.stack)
    cloud = Cloud(options.cloud, bound=False)
    cloud.start()
    stacks = Stacks(cloud.environment)
    if options.console is not None:
        print(stacks.servers.console(_server(stacks, name, options.console), 1000))
        return 0
    if options.shell is not None:
        server = _server(stacks, name, options.shell)
        command = shell.command(cloud.state.path(f'servers/{server}'))
        os.execvp(command[0], command)
    return _act(options, cloud, stacks, record, name, progress)


def _act(
    options: argparse.Namespace,
    cloud: Cloud,
    stacks: Stacks,
    record: Record,
    name: str,
    progress: Progress,
) -> int:
    action = options.kept_action
    progress.say(f'{action} of the stack {name}')
    identifier = name
    if action == 'update':
        _begin_update(options, cloud, stacks, record, name, progress)
    else:
        try:
            # by its id, for its name is free as soon as it is deleted
            identifier = stacks.heat.stacks.get(name, resolve_outputs=False).id
            _begin(stacks, action, identifier)
        except exc.HTTPNotFound:
            if action != 'delete':
                raise LocalHeatError(f'The stack {name} is gone.', 'Delete it with --delete.')
        except exc.HTTPException as error:
            raise LocalHeatError(f'Heat refuses to {action} {name}: {reason(error)}')
    complete = show(stacks, identifier, action.upper(), cloud.state.path('servers'), progress)
    if action == 'delete' and complete:
        record.remove(name)
        if record.own and not record.stacks:
            with ending.uninterrupted():
                cloud.stop()
                shutil.rmtree(options.cloud, ignore_errors=True)
            progress.say('the services have ended, and their files are removed')
    return 0 if complete else 1


def _begin(stacks: Stacks, action: str, identifier: str) -> None:
    if action == 'delete':
        stacks.heat.stacks.delete(identifier)
    else:
        getattr(stacks.heat.actions, action)(identifier)


def _begin_update(
    options: argparse.Namespace,
    cloud: Cloud,
    stacks: Stacks,
    record: Record,
    name: str,
    progress: Progress,
) -> None:
    """Begin to update a stack; what is not given anew is as it was."""
    known = record.stacks[name]
    template = options.templates[0] if options.templates else known['template']
    options.environment = options.environment or known['environments']
    plan = trial.make_plan(options, template, progress, known['parameters'])
    with exclusively(cloud.state.directory):
        provide(cloud, plan.subject, options, progress.say)
    try:
        stacks.heat.stacks.update(name, **plan.source.request(plan.values))
    except exc.HTTPException as error:
        raise LocalHeatError(f'Heat refuses the update of {name}: {reason(error)}')
    record.add(name, template, options.environment, plan.values)


def _server(stacks: Stacks, stack: str, wanted: str) -> str:
    """Return the id of a server, by its resource's name, its own or its id.

    :raises LocalHeatError: there is none, with the names of those that there are
    """
    items = [item for item in Watch(stacks.heat, stack).look().items if item.is_server]
    names = {server['id']: server['name'] for server in stacks.servers.list()}
    for item in items:
        if wanted in (item.path, item.identifier, names.get(item.identifier)):
            return item.identifier
    there = ', '.join(item.path for item in items) or 'none'
    raise LocalHeatError(f'{stack} has no server {wanted}.', f'Its servers: {there}.')
