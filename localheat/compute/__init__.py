# SPDX-License-Identifier: Apache-2.0
"""A stand-in for Nova, Neutron, Glance and Cinder: what Heat needs to create servers that boot."""
