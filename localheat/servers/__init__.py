# SPDX-License-Identifier: Apache-2.0
"""Servers that boot: machines behind one small interface."""

from localheat.servers.base import Machine, Spec
from localheat.servers.chroot import ChrootMachine
from localheat.servers.qemu import QemuMachine

__all__ = ['Machine', 'Spec', 'machine']

_KINDS = {'chroot': ChrootMachine, 'qemu': QemuMachine}


def machine(kind: str, spec: Spec) -> Machine:
    """Return the machine of a kind, "qemu" or "chroot"; its disk is kept in the spec's folder."""
    return _KINDS[kind](spec)
