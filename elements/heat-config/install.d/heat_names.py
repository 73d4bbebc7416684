# SPDX-License-Identifier: Apache-2.0
"""Names that are made from other names, and still differ where those differ."""

import hashlib
import re


def distinct(changed: str, original: str, limit: int = 200) -> str:
    """A name that is allowed, with a digest of the original where it is not that.

    :param changed: the original as it had to be changed to be allowed.
    :param limit: how many characters may stand before the digest.
    """
    if changed == original and len(changed) <= limit:
        return changed
    digest = hashlib.sha256(original.encode('utf-8', 'surrogatepass')).hexdigest()[:8]
    return '-'.join(filter(None, (changed[:limit].rstrip('-_.'), digest)))


def container_name(text: str, shortest: int = 1) -> str:
    """A text as a container's name, as docker and podman allow them.

    :param shortest: how many characters it must have.
    """
    allowed = re.sub('[^a-zA-Z0-9_.-]+', '-', text).lstrip('-_.')
    if 0 < len(allowed) < shortest:
        allowed += '-'
    return distinct(allowed, text)


def project_name(text: str) -> str:
    """A text as the name of a project of Compose."""
    return distinct(re.sub('[^-_a-z0-9]', '', text.lower()).lstrip('-_'), text, 100)


def pod_name(text: str) -> str:
    """A text as a pod's name: a label of DNS."""
    return distinct(re.sub('[^a-z0-9]+', '-', text.lower()).strip('-'), text, 50)
