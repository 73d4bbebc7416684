# SPDX-License-Identifier: Apache-2.0
"""The network in which servers live."""
