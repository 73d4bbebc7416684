# SPDX-License-Identifier: Apache-2.0
"""A template with its environments and all files that they name, as they go to Heat."""

import dataclasses
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from typing import Any, Callable

from heatclient import exc
from heatclient.common import template_utils

from localheat.errors import LocalHeatError

#: What heatclient says of a file that it cannot read.
UNREADABLE = re.compile(r'Could not fetch contents for (\S+)')


@dataclasses.dataclass
class Source:
    """What a stack is made from.

    :param path: of the template's file
    :param template: its content; what it names are URLs
    :param files: contents by URL
    :param environment: all environments, merged
    :param missing: files that are named and that there are not, in the order they were met; they
        are empty in ``files``
    """

    path: str
    template: dict[str, Any]
    files: dict[str, str]
    environment: dict[str, Any]
    missing: list[str] = dataclasses.field(default_factory=list)

    @classmethod
    def load(cls, path: str, environments: Sequence[str] = ()) -> 'Source':
        """Read a template and its environments.

        :raises LocalHeatError: when one of them cannot be read
        """
        for name in (path, *environments):
            if '://' not in name and not os.path.isfile(name):
                raise LocalHeatError(f'There is no file {name}.')
        missing: list[str] = []
        files: dict[str, Any] = {}

        def read_template(path: str) -> Any:
            # what was read before a file was missed is there already
            return template_utils.get_template_contents(path, files=files)[1]

        template = _completed(path, read_template, files, missing)
        environment: dict[str, Any] = {}
        for name in environments:
            more, parsed = _completed(
                name, template_utils.process_environment_and_files, files, missing
            )
            files.update(more)
            environment = template_utils.deep_update(environment, parsed)
        if not isinstance(template, dict):
            raise LocalHeatError(f'{path}: it is not a template, but a {type(template).__name__}.')
        return cls(
            path,
            template,
            {url: _text(content) for url, content in files.items()},
            environment,
            missing,
        )

    def request(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Return what Heat's API takes."""
        return {
            'template': self.template,
            'files': self.files,
            'environment': self.environment,
            'parameters': parameters,
        }


def _completed(
    path: str, read: Callable[[str], Any], files: dict[str, Any], missing: list[str]
) -> Any:
    """Read something that names files; those that are not there become empty."""
    while True:
        try:
            return read(path)
        except exc.CommandError as error:
            unreadable = UNREADABLE.search(str(error))
            url = unreadable.group(1) if unreadable else ''
            if not url or url in files or url.endswith(('.yaml', '.template')):
                what = f'it names {shown(url)}, which cannot be read.' if url else _one_line(error)
                raise LocalHeatError(f'{path}: {what}')
            files[url] = ''
            missing.append(shown(url))
        except urllib.error.URLError as error:
            raise LocalHeatError(f'{path}: it cannot be read: {error.reason}')
        except (ValueError, TypeError, AttributeError, OSError) as error:
            raise LocalHeatError(f'{path}: {_one_line(error)}')


def _one_line(error: Exception) -> str:
    return re.sub(r'\s+', ' ', str(error)).strip()


def _text(content: Any) -> str:
    return content.decode() if isinstance(content, bytes) else content


def shown(url: str) -> str:
    """Return a URL as a person would write it: a path relative to here, where it is a file."""
    if not url.startswith('file://'):
        return url
    path = urllib.request.url2pathname(urllib.parse.urlparse(url).path)
    relative = os.path.relpath(path)
    return path if relative.startswith('../..') else relative
