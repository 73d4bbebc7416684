# SPDX-License-Identifier: Apache-2.0
"""Stacks and servers of a cloud, from the outside."""

from localheat.client.servers import Servers
from localheat.client.stacks import Stack, StackFailed, Stacks

__all__ = ['Servers', 'Stack', 'StackFailed', 'Stacks']
