# SPDX-License-Identifier: Apache-2.0
"""An HTTP proxy, and a package index that only it can reach, with a certificate by a private CA."""

import http.server
import pathlib
import select
import shutil
import socket
import urllib.error
import urllib.parse
import urllib.request

from tests.integration import web

TIMEOUT = 60  # seconds


class Handler(http.server.BaseHTTPRequestHandler):
    timeout = TIMEOUT

    def relay(self, url: str) -> None:
        """Answer as somebody else does."""
        headers = {
            name: value
            for name in ('Accept', 'Range', 'User-Agent')
            for value in self.headers.get_all(name, ())[:1]
        }
        try:
            answer = urllib.request.urlopen(
                urllib.request.Request(url, headers=headers), timeout=TIMEOUT
            )
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            self.send_response(answer.status)
            for name in ('Content-Type', 'Content-Length', 'Content-Range', 'Last-Modified'):
                if answer.headers[name]:
                    self.send_header(name, answer.headers[name])
            self.end_headers()
            shutil.copyfileobj(answer, self.wfile)

    def log_message(self, *_: object) -> None:
        pass


class Index(web.Server):
    """Another index, by another name, over TLS.

    :param upstream: the other's URL.
    :param certificate: a PEM file with a key and a certificate.
    """

    def __init__(self, upstream: str, certificate: pathlib.Path) -> None:
        parts = urllib.parse.urlsplit(upstream)
        self.path = parts.path

        class Relay(Handler):
            def do_GET(self) -> None:
                self.relay(f'{parts.scheme}://{parts.netloc}{self.path}')

        super().__init__(Relay, certificate)


class Proxy(web.Server):
    """A proxy that knows hosts which are known to nobody else.

    :param hosts: their addresses by their names.
    """

    def __init__(self, hosts: 'dict[str, tuple[str, int]]') -> None:
        #: What it was asked for: methods and targets.
        self.asked: list[tuple[str, str]] = []
        asked = self.asked

        class Relay(Handler):
            def do_GET(self) -> None:
                asked.append((self.command, self.path))
                self.relay(self.path)

            def do_CONNECT(self) -> None:
                asked.append((self.command, self.path))
                host, _, port = self.path.rpartition(':')
                address = hosts.get(host, (host, int(port)))
                try:
                    other = socket.create_connection(address, TIMEOUT)
                except OSError as error:
                    self.send_error(502, str(error))
                    return
                with other:
                    self.send_response(200)
                    self.end_headers()
                    tunnel(self.connection, other)
                self.close_connection = True

        super().__init__(Relay)


def tunnel(one: socket.socket, other: socket.socket) -> None:
    """Pass on what comes from either until one of them ends."""
    peers = {one: other, other: one}
    while True:
        ready, _, _ = select.select(list(peers), [], [], TIMEOUT)
        if not ready:
            return
        for source in ready:
            try:
                data = source.recv(65536)
                peers[source].sendall(data)
            except OSError:
                return
            if not data:
                return
