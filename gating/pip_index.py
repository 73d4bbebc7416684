# SPDX-License-Identifier: Apache-2.0
"""A folder as a package index: static files (PEP 503), and their server.

simple/<project>/   a page, and the project's wheel
constraints.txt     pins the checkouts, for pip to take them in place of what an image has
contents.json       what there is, and from where; it marks the folder as one that may be rewritten
"""

import functools
import html
import http.server
import json
import os
import pathlib
import shutil
import tempfile
import threading
import urllib.parse
from collections.abc import Callable, Sequence
from typing import Any

from gating.checkout import Pip, Wheel, git
from imagebuild.errors import Refusal

ROOT = pathlib.Path(__file__).resolve().parent.parent
MARKER = 'contents.json'


def agents() -> list[str]:
    """Return the projects that the elements install on a server."""
    return sorted(
        {
            line
            for path in ROOT.glob('elements/*/heat-agent-requirements/*')
            for line in path.read_text().split()
        }
    )


def check_folder(folder: pathlib.Path) -> None:
    """Make sure that a folder can become an index.

    :raises Refusal: it holds something else.
    """
    if folder.exists() and not folder.is_dir():
        raise Refusal(f'{folder} is no folder: name another one.')
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARKER).exists():
        raise Refusal(f'{folder} holds something else: name another folder, or an empty one.')


def build(
    folder: pathlib.Path, checkouts: Sequence[pathlib.Path], pip: Pip, say: Callable[[str], None]
) -> list[Wheel]:
    """Make a folder the index of checkouts, and of the agents that are not among them.

    What it was before is replaced when all is built.

    :returns: what there is now.
    :raises Refusal: a wheel cannot be built, or the folder holds something else.
    """
    check_folder(folder)
    for checkout in checkouts:
        git(checkout, 'rev-parse', 'HEAD')
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix='.new-') as name:
        new = pathlib.Path(name)
        wheels: dict[str, Wheel] = {}

        def add(wheel: Wheel) -> None:
            if wheel.project in wheels:
                raise Refusal(
                    f'{wheel.source} and {wheels[wheel.project].source} are both '
                    f'{wheel.project}: leave one out.'
                )
            target = new / 'simple' / wheel.project
            target.mkdir(parents=True)
            wheels[wheel.project] = wheel._replace(path=wheel.path.rename(target / wheel.path.name))
            say(f'{wheel.project} {wheel.version} ({wheel.source})')

        for checkout in checkouts:
            add(pip.checkout_wheel(checkout, new))
        pins = [f'{wheel.project}=={wheel.version}\n' for wheel in wheels.values()]
        for project in agents():
            if project not in wheels:
                add(pip.wheel(project, new, 'the package index'))
        _write_pages(new / 'simple', list(wheels.values()))
        (new / 'constraints.txt').write_text(''.join(pins))
        (new / MARKER).write_text(
            json.dumps(
                [
                    {'project': wheel.project, 'version': wheel.version, 'source': wheel.source}
                    for wheel in wheels.values()
                ],
                indent=2,
            )
            + '\n'
        )
        # The marker first: whatever happens, the folder can be used again.
        for part in (MARKER, 'constraints.txt'):
            os.replace(new / part, folder / part)
        shutil.rmtree(folder / 'simple', ignore_errors=True)
        os.replace(new / 'simple', folder / 'simple')
    return list(wheels.values())


def _write_pages(simple: pathlib.Path, wheels: Sequence[Wheel]) -> None:
    for wheel in wheels:
        _write_page(simple / wheel.project, [wheel.path.name])
    _write_page(simple, [wheel.project + '/' for wheel in wheels])


def _write_page(folder: pathlib.Path, links: Sequence[str]) -> None:
    anchors = ''.join(
        f'<a href="{urllib.parse.quote(link)}">{html.escape(link.strip("/"))}</a>\n'
        for link in links
    )
    (folder / 'index.html').write_text(f'<!DOCTYPE html>\n<html><body>\n{anchors}</body></html>\n')


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Keeps a connection for pip's next request; says nothing."""

    protocol_version = 'HTTP/1.1'

    def log_message(self, *_: Any) -> None:
        pass


class Server:
    """Serves an index while it is in use as a context manager.

    :param address: to listen at.
    :param port: 0 for any that is free.
    :raises Refusal: it cannot listen there.
    """

    def __init__(self, folder: pathlib.Path, address: str = '127.0.0.1', port: int = 0) -> None:
        handler = functools.partial(_Handler, directory=str(folder))
        try:
            self._server = http.server.ThreadingHTTPServer((address, port), handler)
        except (OSError, OverflowError) as error:
            raise Refusal(f'Nothing can be served at {address}:{port}: {error}')
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    def __enter__(self) -> 'Server':
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._server.shutdown()
        self._server.server_close()

    def wait(self) -> None:
        """Serve until the process is ended."""
        self._thread.join()


def parameters(folder: pathlib.Path, host: str, port: int) -> dict[str, str]:
    """Return the parameters of boot-config for servers that reach an index at an address."""
    return {
        'pip_mirror': f'http://{host}:{port}/simple/',
        'pip_constraints': (folder / 'constraints.txt').read_text(),
    }
