# SPDX-License-Identifier: Apache-2.0
"""Reboots that a deployment's script asks for, by heat-config-reboot, to go on after them."""

import os

from heat_deployed import FOLDER, Record
from heat_files import open_regular, sync_folder
from heat_process import FAILED, HookError, Result, run

MOST_REBOOTS = 10
BOOT_ID = '/proc/sys/kernel/random/boot_id'


class Rebooting(Exception):
    """The machine goes down because a hook asked for it."""


def has_happened(record: Record) -> bool:
    """Whether the machine was booted since the hook asked for it."""
    with open_regular(record.reboot_path) as asked, open(BOOT_ID, 'rb') as now:
        return bool(asked.read() != now.read())


def reboot(record: Record) -> None:
    """Reboot, for a hook that is to run again after that.

    :raises Rebooting: when the machine goes down.
    :raises HookError: when it does not.
    """
    if record.state.get('reboots', 0) >= MOST_REBOOTS:
        raise HookError(f'The hook asked for more than {MOST_REBOOTS} reboots.')
    # Should the agent be ended before the machine is.
    record.update(rebooting=True)
    command = (os.environ.get('HEAT_CONFIG_REBOOT') or 'systemctl reboot').split()
    try:
        result = run(command)
    except HookError as error:
        result = Result(error.status_code, stderr=str(error))
    if result.status_code:
        raise HookError(
            f'The hook asked for a reboot, and {" ".join(command)} failed.\n{result.stderr}',
            result.status_code or FAILED,
        )
    raise Rebooting(f'{record.deployment.name}: rebooting; its hook runs again after that')


def is_due(record: Record) -> bool:
    """Whether the hook had ended well when the agent was ended."""
    return bool(record.state.get('rebooting'))


def count(record: Record) -> None:
    """Keep that the hook runs again."""
    record.update(reboots=record.state.get('reboots', 0) + 1, rebooting=False)
    # It must have gone for good before the hook runs: once for each boot.
    os.unlink(record.reboot_path)
    sync_folder(FOLDER)
