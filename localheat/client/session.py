# SPDX-License-Identifier: Apache-2.0
"""A session with Keystone, from OpenStack's environment variables."""

from collections.abc import Mapping

from keystoneauth1 import session
from keystoneauth1.identity import v3


def connect(environment: Mapping[str, str]) -> session.Session:
    """Return a session of the user whom OS_* variables name; see ``Cloud.environment``."""
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
