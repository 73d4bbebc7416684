# SPDX-License-Identifier: Apache-2.0
"""A template as Heat itself reads it, without a cloud: its files, parameters and resources."""

from localheat.template.source import Source
from localheat.template.tree import Resource, Stack

__all__ = ['Resource', 'Source', 'Stack']
