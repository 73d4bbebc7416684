# SPDX-License-Identifier: Apache-2.0
"""The network in which servers live."""

import random

from localheat import process
from localheat.network import addresses

#: What it takes: packages by the programs that they provide.
PROGRAMS = {
    'ip': 'iproute2',
    'nsenter': 'util-linux',
    'sysctl': 'procps',
    'nft': 'nftables',
    'slirp4netns': 'slirp4netns',
}


def missing() -> 'list[tuple[str, str]]':
    """Return the programs that are not there, each with its package's name."""
    return [item for item in PROGRAMS.items() if not process.find(item[0])]


def free_number() -> int:
    """Return the number of a cloud whose floating IPs nobody has."""
    taken = process.run(['ip', '-4', 'route', 'show', 'table', 'all'], 'iproute2')
    free = [number for number in addresses.NUMBERS if str(addresses.public(number)) not in taken]
    return random.choice(free)
