# SPDX-License-Identifier: Apache-2.0
"""Servers that boot: machines behind one small interface, and Nova's way to them."""

import os

from localheat import network, process
from localheat.errors import LocalHeatError
from localheat.servers.base import Card, Machine, Spec, console
from localheat.servers.chroot import ChrootMachine
from localheat.servers.none import NoMachine
from localheat.servers.qemu import QemuMachine

__all__ = ['KINDS', 'Card', 'Machine', 'Spec', 'check', 'console', 'machine', 'missing']

_KINDS: 'dict[str, type[Machine]]' = {
    'chroot': ChrootMachine,
    'qemu': QemuMachine,
    'none': NoMachine,
}
KINDS = tuple(_KINDS)


def machine(kind: str, spec: Spec) -> Machine:
    """Return the machine of a kind; its disk is kept in the spec's folder."""
    return _KINDS[kind](spec)


def missing(kind: str) -> 'list[tuple[str, str]]':
    """Return the programs that a kind of machine lacks here, each with its package's name."""
    lacking = [
        (program, package)
        for program, package in _KINDS[kind].PROGRAMS.items()
        if not any(map(process.find, program.split()))
    ]
    if os.geteuid() == 0 and kind != 'none':
        lacking += network.missing()
    return lacking


def check(kind: str) -> None:
    """Make sure that a kind of machine can boot here.

    :raises LocalHeatError: it cannot; with the names of what is missing
    """
    if _KINDS[kind].TAKES_ROOT and os.geteuid() != 0:
        raise LocalHeatError(
            f'Servers of the kind {kind} take root.',
            'Run this as root, or have servers of the kind qemu.',
        )
    lacking = missing(kind)
    if lacking:
        programs = ', '.join(program for program, _ in lacking)
        packages = ' '.join(sorted({package for _, package in lacking}))
        raise LocalHeatError(
            f'Servers of the kind {kind} need programs that are not installed: {programs}.',
            f'Install the packages: {packages}',
        )
