# SPDX-License-Identifier: Apache-2.0
"""Keystone, Heat and the compute stand-in as processes on loopback, with one folder of state."""

from localheat.services.cloud import Cloud

__all__ = ['Cloud']
