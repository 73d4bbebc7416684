# SPDX-License-Identifier: Apache-2.0
"""./try-template.sh: one template, tried on this machine.

``options``
    The command line.
``ready``
    The virtual environment and the system packages that a trial takes, and the image.
``needs``
    What a template needs of a cloud: images, services, the kind of servers.
``run``
    A trial from beginning to end.
``kept``
    What is done with a stack that was kept.
"""
