# SPDX-License-Identifier: Apache-2.0
"""The programs of boot-config, and a cloud for them that answers what a test wants."""

import contextlib
import json
import pathlib
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from unittest import mock

import yaml

from tests import base, modules

BOOT_CONFIG = base.ROOT / 'boot-config'
TEMPLATES = BOOT_CONFIG / 'templates'
LIB = TEMPLATES / 'lib'
BOOT = LIB / 'heat_agent_boot.py'
STEPS = LIB / 'heat_agent_steps.py'
REPORT = LIB / 'heat_agent_report.py'
INSTALL = LIB / 'install-elements.py'


def module(path: pathlib.Path) -> Any:
    """A fresh copy of a program, as a module; what it imports of its neighbours is fresh, too."""
    with mock.patch.dict(sys.modules), mock.patch('sys.path', [str(path.parent), *sys.path]):
        sys.modules.pop(BOOT.stem, None)
        return modules.load(path)


def elements() -> 'dict[str, Any]':
    """What a server gets of elements.yaml: the merged elements, with the content of files."""

    def read(value: Any) -> Any:
        if set(value) == {'get_file'}:
            return (TEMPLATES / 'lib' / value['get_file']).read_text()
        return {name: read(item) for name, item in value.items()}

    outputs = yaml.safe_load((TEMPLATES / 'lib' / 'elements.yaml').read_text())['outputs']
    return {name: read(output['value']) for name, output in outputs.items()}


class Cloud(BaseHTTPRequestHandler):
    """Answers as its server's `answers` say, and keeps what was asked in `requests`.

    An answer is a status and a body. A list of statuses is for one request after the other; bytes
    in place of a status are sent as they are; a redirection's body is where it leads.
    """

    def answer(self) -> None:
        length = int(self.headers.get('Content-Length') or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.server.requests.append((self.command, self.path, body, dict(self.headers)))
        status, content = self.server.answers.get(
            (self.command, self.path.partition('?')[0]), (404, '')
        )
        if isinstance(status, list):
            status = status.pop(0)
        if isinstance(status, bytes):  # as it is; the connection ends there
            self.wfile.write(status)
            return
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header('Location', content)
        self.send_header('X-Subject-Token', 'a token')
        self.end_headers()
        self.wfile.write((content if isinstance(content, str) else json.dumps(content)).encode())

    do_GET = do_POST = do_PUT = answer

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def cloud(answers: 'dict[tuple[str, str], tuple[Any, Any]]') -> 'Iterator[HTTPServer]':
    server = HTTPServer(('127.0.0.1', 0), Cloud)
    server.answers, server.requests = answers, []
    server.url = f'http://127.0.0.1:{server.server_port}'
    thread = threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def keystone(url: str, service: str = 'orchestration') -> 'dict[str, Any]':
    """Keystone's answer; its catalogue has a service in two regions."""
    return {
        'token': {
            'catalog': [
                {
                    'type': service,
                    'endpoints': [
                        {
                            'interface': interface,
                            'region_id': region,
                            'url': f'{url}/{region}/{interface}',
                        }
                        for region in ('one', 'two')
                        for interface in ('admin', 'public')
                    ],
                }
            ]
        }
    }
