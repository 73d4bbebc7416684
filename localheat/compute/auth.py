# SPDX-License-Identifier: Apache-2.0
"""Whose token it is. Servers run with the rights of this process, so not everybody may boot one."""

import json
import time
import urllib.error
import urllib.request
from typing import Optional


class Tokens:
    """Tokens of a Keystone, remembered for a while.

    :param url: Keystone's URL, with /v3
    """

    LIFETIME = 300.0

    def __init__(self, url: str):
        self._url = url
        self._known: dict[str, tuple[float, str]] = {}

    def project(self, token: str) -> Optional[str]:
        """Return the id of the project that a valid token is for, None when it is not valid."""
        if not token:
            return None
        now = time.monotonic()
        known = self._known.get(token)
        if known and known[0] > now:
            return known[1]
        headers = {'X-Auth-Token': token, 'X-Subject-Token': token}
        request = urllib.request.Request(self._url + '/auth/tokens', headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                project = json.load(answer)['token'].get('project', {}).get('id', '')
        except urllib.error.HTTPError:
            return None
        self._known = {key: value for key, value in self._known.items() if value[0] > now}
        self._known[token] = (now + self.LIFETIME, project)
        return project
