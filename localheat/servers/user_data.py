# SPDX-License-Identifier: Apache-2.0
"""What Heat puts into a server's user data for the agent."""

import email
import email.message
from collections.abc import Iterator

FOLDER = '/var/lib/heat-cfntools'
# Heat's part handler, which cloud-init runs, writes each part to both folders.
FOLDERS = (FOLDER, '/var/lib/cloud/data')


def agent_files(user_data: bytes) -> dict[str, str]:
    """Return the files that cloud-init writes for the agent: contents by absolute path.

    See part_handler.py in Heat's heat/cloudinit; user data that is not MIME has none.
    """
    found: dict[str, str] = {}
    for part in email.message_from_bytes(user_data).walk():
        name = part.get_filename()
        if part.get_content_type() == 'text/x-cfninitdata' and name and '/' not in name:
            content = part.get_payload(decode=True).decode()
            for folder in FOLDERS:
                found[f'{folder}/{name}'] = content
    return found


# What Heat adds to the user's own; each of it is done here in another way, or of no use without
# the user's own.
HEATS_OWN = ('cloud-config', 'boothook.sh', 'part-handler.py', 'cfn-init-data')


def for_cloud_init(user_data: bytes) -> bool:
    """Return whether there is anything that the user wants cloud-init to do."""
    message = email.message_from_bytes(user_data)
    if not message.is_multipart():
        return bool(user_data.strip())
    return any(
        part.get_filename() not in HEATS_OWN and part.get_payload(decode=True).strip()
        for part in _parts(message)
    )


def cloud_configs(user_data: bytes) -> 'list[str]':
    """Return the cloud-configs in user data, as text; see cloud-init's documentation."""
    message = email.message_from_bytes(user_data)
    texts = [user_data]
    if message.is_multipart():
        texts = [part.get_payload(decode=True) for part in _parts(message)]
    return [
        text.decode(errors='replace')
        for text in texts
        if text.lstrip().startswith(b'#cloud-config')
    ]


def _parts(message: email.message.Message) -> 'Iterator[email.message.Message]':
    return (part for part in message.walk() if not part.is_multipart())
