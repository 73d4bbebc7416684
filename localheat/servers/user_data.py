# SPDX-License-Identifier: Apache-2.0
"""What Heat puts into a server's user data for the agent."""

import email

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
