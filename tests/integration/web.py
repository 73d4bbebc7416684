# SPDX-License-Identifier: Apache-2.0
"""Web servers on loopback, which servers of the cloud reach."""

import functools
import pathlib
import ssl
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Optional

from localheat.network import addresses


class Server:
    """A web server.

    :param handler: of its requests.
    :param certificate: a PEM file with a key and a certificate, for HTTPS.
    """

    def __init__(self, handler: Any, certificate: Optional[pathlib.Path] = None) -> None:
        self._server = ThreadingHTTPServer(('127.0.0.1', 0), handler)
        self.port = self._server.server_port
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The URL as servers reach it."""
        return f'http://{addresses.HOST}:{self.port}/'

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Folder(Server):
    """The files of a folder."""

    def __init__(self, path: pathlib.Path) -> None:
        super().__init__(functools.partial(Files, directory=str(path)))


class Files(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass
