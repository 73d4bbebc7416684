# SPDX-License-Identifier: Apache-2.0
"""Which server this is: a copy of another's disk has that one's state, which is none of its own."""

import os
import time

from heat_deployed import FOLDER, OLD_FOLDER, lock
from heat_files import make_folder, open_regular, write_file
from heat_log import say

# cloud-init's; the second is there as soon as it is this boot's.
INSTANCE_ID = os.environ.get('HEAT_CONFIG_INSTANCE_ID') or '/var/lib/cloud/data/instance-id'
CLOUD_INIT = os.environ.get('HEAT_CONFIG_CLOUD_INIT') or '/run/cloud-init'
LONGEST_WAIT = 600  # seconds after the boot
#: Whose state it is.
OWNER = os.path.join(FOLDER, '.instance')
#: As cloud-init calls a server of which it could not find out.
NOBODY = ('', 'iid-datasource-none', 'nocloud')


def is_known() -> bool:
    """Whether it is known by now, in this boot, which server this is, or never will be."""
    return (
        not os.path.exists(os.path.join(CLOUD_INIT, 'enabled'))
        or os.path.exists(os.path.join(CLOUD_INIT, '.instance-id'))
        or os.path.exists(os.path.join(CLOUD_INIT, 'result.json'))  # older ones have only that
        or time.monotonic() > LONGEST_WAIT
    )


def current() -> str:
    """This server's id, '' where that is not known."""
    instance = _read(INSTANCE_ID)
    return '' if instance in NOBODY else instance


def put_others_state_aside() -> None:
    """Begin anew where the state is that of another server, of whose disk this one's is a copy.

    The caller holds the lock ``run``.

    :raises OSError: when that cannot be done.
    """
    instance = current()
    owner = _read(OWNER)
    if not instance or instance == owner:
        return
    if owner:
        with lock('signal'):
            target = put_aside(owner)
        say(
            f'this server is {instance}, a copy of {owner}, whose deployments and signals are '
            f'not its own: they were moved to {target}'
        )
    try:
        write_file(OWNER, instance + '\n', durable=True)
    except OSError as error:  # a full disk, which the next run may find emptied
        say(f'{OWNER}: {error.strerror}')


def put_aside(owner: str) -> str:
    """Move all state into a folder of its own.

    :returns: the folder.
    """
    target = os.path.join(FOLDER, '.instances', owner.replace('/', '_'))
    make_folder(target)
    kept = {'.instances', '.instance', '.run.lock', '.signal.lock'}
    for folder in (FOLDER, OLD_FOLDER):
        if os.path.isdir(folder):
            for name in set(os.listdir(folder)) - kept:
                _move(os.path.join(folder, name), target)
    return target


def _move(path: str, folder: str) -> None:
    import shutil  # few servers are copies

    name = os.path.basename(path)
    number = 0
    while os.path.lexists(os.path.join(folder, name)):
        number += 1
        name = f'{os.path.basename(path)}.{number}'
    shutil.move(path, os.path.join(folder, name))


def _read(path: str) -> str:
    try:
        with open_regular(path) as file:
            text: bytes = file.read(4096)
        return text.decode('utf-8', 'replace').strip()
    except OSError:
        return ''
