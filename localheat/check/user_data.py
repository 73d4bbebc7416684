# SPDX-License-Identifier: Apache-2.0
"""User data that are too large for Nova, or that do not reach the server as they were written."""

import base64
import json
from collections.abc import Iterator
from typing import Any, Optional

from localheat.check import hooks
from localheat.check.finding import Finding
from localheat.check.subject import Subject
from localheat.template import Resource

#: Bytes of base64 that Nova takes.
LIMIT = 65535
#: The share of it from which on a little more may be too much.
NEAR = 0.9
#: What Heat adds for the agent: parts that carry the first metadata.
METADATA = {
    'deployments': [],
    'os-collect-config': {
        'collectors': ['ec2', 'heat', 'local'],
        'heat': {
            'auth_url': 'https://identity.example.org/identity/v3',
            'password': 'p' * 32,
            'project_id': 'p' * 32,
            'region_name': 'RegionOne',
            'resource_name': 'server',
            'stack_id': 'a-stack-with-a-name/' + 'i' * 36,
            'user_id': 'u' * 32,
        },
    },
}


def too_large(subject: Subject) -> Iterator[Finding]:
    for server in subject.servers():
        size = encoded_size(server)
        if size > LIMIT * NEAR:
            yield Finding.of(
                server,
                size > LIMIT,
                f'Its user data take {size:,} bytes of base64, and Nova takes {LIMIT:,}.',
                'Move what they do into a deployment, to which that limit does not apply.',
            )


def not_ascii(subject: Subject) -> Iterator[Finding]:
    for server in subject.servers():
        for resource, text in _texts(server):
            found = next((character for character in text if ord(character) > 127), None)
            if found is None:
                continue
            # Heat encodes such a part of a MultipartMime, and wraps it again without decoding it.
            whole = server.referred('user_data')
            nested = whole is not None and whole.type == 'OS::Heat::MultipartMime'
            yield Finding.of(
                resource,
                nested,
                f'The user data hold {found!r}, which is not ASCII'
                + (', so that the server gets base64 text in their place.' if nested else '.'),
                'Write it as an escape sequence, or move it into a deployment.',
            )


def encoded_size(server: Resource) -> int:
    """Return the size of what Nova gets, in bytes of base64; 0 without user data."""
    text = rendered(server)
    format_ = server.properties.get('user_data_format') or 'HEAT_CFNTOOLS'
    if not text and format_ == 'RAW':
        return 0
    from heat.engine.clients.os.nova import NovaClientPlugin

    # one that is not connected to anything; building user data does not take that
    plugin = object.__new__(NovaClientPlugin)
    try:
        built = NovaClientPlugin.build_userdata(plugin, METADATA, text, None, format_)
    except Exception:
        # what it takes for that is not known before the stack is there
        built = text
    return len(base64.b64encode(built if isinstance(built, bytes) else str(built).encode()))


def rendered(server: Resource) -> str:
    """Return a server's own user data, as far as they are known."""
    return '\n'.join(text for _, text in _texts(server))


def _texts(server: Resource) -> Iterator[tuple[Resource, str]]:
    """Return the pieces of a server's user data, with the resources that hold them."""
    value = server.properties.get('user_data')
    if isinstance(value, str) and server.stack.find(value) is None:
        yield server, value
    for part in hooks.user_data_parts(server):
        for resource in [part, *(part.nested.walk() if part.nested else ())]:
            text = _text(resource)
            if text:
                yield resource, text


def _text(resource: Resource) -> Optional[str]:
    content: Any = None
    if resource.type == 'OS::Heat::CloudConfig':
        content = resource.properties.get('cloud_config')
    elif resource.type == 'OS::Heat::SoftwareConfig':
        content = resource.properties.get('config')
    if content is None or isinstance(content, str):
        return content
    return json.dumps(content, default=str, ensure_ascii=False)
