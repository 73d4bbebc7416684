# SPDX-License-Identifier: Apache-2.0
"""Servers that name no network, which a current Nova refuses."""

from collections.abc import Iterator

from localheat.check.finding import Finding
from localheat.check.subject import Subject
from localheat.template import Resource


def without(server: Resource) -> bool:
    """Whether a server names no network."""
    here = server.type == 'OS::Nova::Server' and 'external_id' not in server.definition
    return here and not server.given('networks')


def none_named(subject: Subject) -> Iterator[Finding]:
    for server in subject.servers():
        if without(server):
            yield Finding.of(
                server,
                False,
                'It names no networks, and a current Nova refuses such a server.',
                'Add networks: [{network: NAME}].',
            )
