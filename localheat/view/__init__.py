# SPDX-License-Identifier: Apache-2.0
"""What is known about a stack, and two ways to show how it changes.

``model``
    The stack, its resources and deployments at an instant.
``output``
    What deployments and servers print while they work.
``terminal``, ``plain``
    A table that is redrawn in place, and a line for each change.
``report``
    What there is to say at the end: outputs, or why it failed.
"""
