# SPDX-License-Identifier: Apache-2.0
"""Stacks of a real Heat, with servers that boot the image that HEAT_IMAGE names."""
