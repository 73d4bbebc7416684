# SPDX-License-Identifier: Apache-2.0
"""Which addresses are what.

198.18.0.0/15 is set aside for tests of networks (RFC 2544): neither machines nor templates have it.
"""

import ipaddress

#: What reaches whatever listens on this machine's loopback: from servers, and from this machine.
HOST = '198.19.0.2'
#: A name server that asks those of this machine.
DNS = '198.19.0.3'
#: The network of the two.
UPLINK = '198.19.0.0/24'
METADATA = '169.254.169.254'
#: Of the network "private" that each cloud has.
PRIVATE = '10.64.0.0/24'

#: Floating IPs: a part for each cloud, by its number.
_PUBLIC = list(ipaddress.IPv4Network('198.18.0.0/16').subnets(new_prefix=26))
NUMBERS = range(len(_PUBLIC))
#: Between the router and a network, and between two networks: a part for each.
TRANSIT = ipaddress.IPv4Network('198.19.128.0/17')


def public(number: int) -> ipaddress.IPv4Network:
    """Return the floating IPs of a cloud.

    The first address is its router's, the last this machine's.
    """
    return _PUBLIC[number]
