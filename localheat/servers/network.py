# SPDX-License-Identifier: Apache-2.0
"""The network that QEMU and slirp4netns make for a server: each has one of its own, all alike."""

CIDR = '10.0.2.0/24'
PREFIX = 24
# also what reaches the loopback of the machine on which the servers run
GATEWAY = '10.0.2.2'
DNS = '10.0.2.3'
# nobody has it, so what is sent there gets lost
NOBODY = '10.0.2.4'
METADATA = '169.254.169.254'
ADDRESSES = [f'10.0.2.{number}' for number in range(15, 255)]
