# SPDX-License-Identifier: Apache-2.0
"""A real Keystone and a real Heat on one machine, and servers that boot for their templates.

``services``
    Keystone and Heat from PyPI, on loopback, with SQLite.
``compute``
    The APIs of Nova, Neutron, Glance and Cinder, as far as Heat needs them to create servers.
``servers``
    What boots: an image in QEMU, or its agent alone in a chroot.
``client``
    Stacks, their outputs and events, and the consoles of their servers.

``services`` and ``client`` need what requirements.txt names; ``compute`` and ``servers`` need
nothing but the standard library and the programs of the machine.
"""
