# SPDX-License-Identifier: Apache-2.0
"""A session with Keystone, from OpenStack's environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keystoneauth1 import session


def connect(environment: Mapping[str, str]) -> session.Session:
    """Return a session of the user whom OS_* variables name; see ``Cloud.environment``."""
    from keystoneauth1 import session
    from keystoneauth1.identity import v3

    names = (
        'auth_url',
        'username',
        'password',
        'project_name',
        'user_domain_id',
        'project_domain_id',
    )
    auth = v3.Password(**{name: environment['OS_' + name.upper()] for name in names})
    return session.Session(auth=auth)
