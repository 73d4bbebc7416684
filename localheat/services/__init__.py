# SPDX-License-Identifier: Apache-2.0
"""The services of a cloud as processes on loopback, with one folder of state."""

from localheat.services.cloud import Cloud
from localheat.services.content import DEFAULTS

__all__ = ['DEFAULTS', 'Cloud']
