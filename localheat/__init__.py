# SPDX-License-Identifier: Apache-2.0
"""A real OpenStack on one machine, and servers that boot for its templates.

Imports go one way, from the first of these to the last:

``client``
    Stacks, their outputs and events, and the consoles of their servers.
``services``
    Keystone, Nova, Neutron, Glance, Heat and others from PyPI, on loopback, with SQLite.
``servers``
    What boots: an image in QEMU, or its agent alone in a chroot; and Nova's driver of them.
``network``
    The addresses of servers, and Neutron's driver.

``services`` and ``client`` need what requirements.txt names; machines need nothing but the standard
library and the programs of the machine.
"""
