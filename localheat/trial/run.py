# SPDX-License-Identifier: Apache-2.0
"""A trial from beginning to end: from a template to its outputs."""

import argparse
import contextlib
import dataclasses
import os
import pathlib
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from heatclient import exc

from imagebuild import ending, machine, tools
from imagebuild.progress import Progress
from localheat import check, parameters, servers
from localheat.client import Stacks
from localheat.client.stacks import reason
from localheat.errors import LocalHeatError
from localheat.services import Cloud
from localheat.template import Source, Stack
from localheat.trial import needs
from localheat.trial.options import CACHE, KEPT
from localheat.trial.provide import images_of, provide
from localheat.trial.record import Record, exclusively
from localheat.trial.show import show

#: Seconds for the deletion of a stack that is not kept.
PATIENCE = 600
#: GiB for a cloud and what its servers write.
CLOUD_GIB = 1.0


@dataclasses.dataclass
class Plan:
    """What is going to be done.

    :param kind: of servers
    :param reason: why that kind, where it is not what is usual
    """

    source: Source
    values: dict[str, Any]
    subject: check.Subject
    kind: str
    reason: str


def run(options: argparse.Namespace, progress: Progress) -> int:
    """Create a stack and show how; return 0 if it is complete."""
    plan = make_plan(options, options.templates[0], progress)
    with _cloud(options, plan, progress) as (cloud, record):
        with exclusively(cloud.state.directory):
            provide(cloud, plan.subject, options, progress.say)
        name = options.stack or _name(plan.source.path)
        progress.say(f'creating the stack {name}')
        stacks = Stacks(cloud.environment)
        with _stack(stacks, plan, name, record, options):
            complete = show(stacks, name, 'CREATE', cloud.state.path('servers'), progress)
            if options.keep:
                record.add(name, plan.source.path, options.environment, plan.values)
                print(record.usage(name))
    return 0 if complete else 1


@contextlib.contextmanager
def _stack(
    stacks: Stacks, plan: Plan, name: str, record: Record, options: argparse.Namespace
) -> Iterator[None]:
    """A stack that is deleted in the end, if it is not kept and the cloud outlives it.

    :raises LocalHeatError: when Heat refuses it
    """
    try:
        made = stacks.heat.stacks.create(
            stack_name=name, timeout_mins=options.timeout, **plan.source.request(plan.values)
        )
    except exc.HTTPException as error:
        raise LocalHeatError(f'Heat refuses {plan.source.path}: {reason(error)}')
    try:
        yield
    finally:
        if not record.saved and not record.own:
            with ending.uninterrupted():
                stack = stacks.get(made['stack']['id'], plan.source.path)
                stack.delete()
                stack.wait(PATIENCE)


def make_plan(
    options: argparse.Namespace,
    path: str,
    progress: Progress,
    before: Optional[Mapping[str, Any]] = None,
) -> Plan:
    """Look at a template before anything is started.

    :param before: values of parameters that hold where no others are given
    :raises LocalHeatError: when it cannot be tried
    """
    source = Source.load(path, options.environment)
    given = parameters.of_options(options.parameter)
    chosen = parameters.choose(source, given, needs.DEFAULTS, before or {})
    chosen.require(source)
    stack = Stack.read(source, chosen.values)
    subject = check.Subject(source, stack)
    found = check.findings(subject)
    for finding in found:
        progress.say(str(finding))
    if any(finding.fails and finding.remedy in REFUSALS for finding in found):
        raise LocalHeatError('The template is refused, for the errors above.')
    needs.refuse_unserved(subject)
    for name, kind in chosen.chosen.items():
        progress.say(f'parameter {name}: {chosen.values[name]} (the {kind.replace("_", " ")})')
    kind, reason = _kind(options, subject)
    if reason:
        progress.say(f'servers boot in QEMU, for {reason}')
    return Plan(source, chosen.values, subject, kind, reason)


#: Of findings that leave nothing to try.
REFUSALS = ('Heat refuses the template.', 'Its path is relative to the file that names it.')


def _kind(options: argparse.Namespace, subject: check.Subject) -> tuple[str, str]:
    if options.boot:
        return 'qemu', ''
    if not machine.is_root():
        return 'qemu', 'a chroot takes root'
    reason = needs.why_boot(subject)
    return ('qemu', reason) if reason else ('chroot', '')


def install(kind: str, progress: Progress) -> None:
    """Install the system packages that a kind of servers takes.

    :raises Refusal: they cannot be installed; with their names
    """
    lacking = servers.missing(kind)
    if lacking:
        log = tools.cache(os.environ) / 'localheat' / 'set-up.log'
        log.parent.mkdir(parents=True, exist_ok=True)
        tools.install_packages(sorted({package for _, package in lacking}), log, progress.say)
    servers.check(kind)


@contextlib.contextmanager
def _cloud(
    options: argparse.Namespace, plan: Plan, progress: Progress
) -> Iterator[tuple[Cloud, Record]]:
    """A cloud that is gone in the end; one that somebody keeps stays."""
    install(plan.kind, progress)
    if os.path.exists(os.path.join(options.cloud, 'state.json')):
        if options.cloud != KEPT or options.keep:
            yield _existing(options)
            return
    folder = options.cloud if options.keep else _new_folder()
    machine.check_disk([('the cloud', pathlib.Path(folder), CLOUD_GIB)])
    cloud: Optional[Cloud] = None
    record = Record(os.path.abspath(folder), own=True)
    try:
        files = images_of(plan.subject, options, progress.say)
        progress.say('starting Keystone, Heat, Nova, Neutron and Glance')
        cloud = Cloud.create(
            folder,
            files,
            cache=CACHE,
            kind=plan.kind,
            services=needs.services(plan.subject),
            servers_without_networks=needs.without_networks(plan.subject),
            bound=not options.keep,
        )
        cloud.start()
        yield cloud, record
    except BaseException:
        _remove(cloud, folder)
        raise
    else:
        if not record.saved:
            _remove(cloud, folder)


def _existing(options: argparse.Namespace) -> tuple[Cloud, Record]:
    """Return the cloud that is kept.

    :raises LocalHeatError: when it keeps a stack already, and nothing says that this is another
    """
    record = Record.load(options.cloud)
    if record.own and record.stacks and not options.stack:
        name = next(iter(record.stacks))
        raise LocalHeatError(
            f'The stack {name} is kept already, in {options.cloud}.',
            'Delete it with --delete, or give this one another name with --stack.',
        )
    cloud = Cloud(options.cloud, bound=False)
    cloud.start()
    return cloud, record


def _new_folder() -> str:
    return os.path.join(tempfile.gettempdir(), 'localheat-' + secrets.token_hex(6))


def _remove(cloud: Optional[Cloud], folder: str) -> None:
    with ending.uninterrupted():
        if cloud is not None:
            cloud.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _name(path: str) -> str:
    """Return a name for a template's stack: Heat takes letters, digits, dots and dashes."""
    stem = os.path.basename(path).partition('.')[0]
    name = ''.join(letter if letter.isalnum() or letter in '_-' else '-' for letter in stem)
    return name if name[:1].isalpha() else f'try-{name}'
