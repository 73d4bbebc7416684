# SPDX-License-Identifier: Apache-2.0
"""The network that QEMU and slirp4netns make for a server: each has one of its own, all alike."""

CIDR = '10.0.2.0/24'
PREFIX = 24
# also what reaches the loopback of the machine on which the servers run
GATEWAY = '10.0.2.2'
DNS = '10.0.2.3'
FIRST, LAST = '10.0.2.15', '10.0.2.254'
METADATA = '169.254.169.254'
PUBLIC_CIDR = '172.24.4.0/24'
