# SPDX-License-Identifier: Apache-2.0
"""A private CA, and certificates by it, made by openssl(1)."""

import pathlib
import subprocess


class Authority:
    """A certificate authority that nobody knows.

    :param folder: for its files; it need not exist.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        #: The PEM file to trust.
        self.certificate = folder / 'ca.pem'
        self._key = folder / 'ca.key'
        self._make(
            '/CN=private CA',
            self._key,
            self.certificate,
            '-addext',
            'keyUsage=critical,keyCertSign',
        )

    def issue(self, name: str) -> pathlib.Path:
        """Return a PEM file with a key and a certificate.

        :param name: of whom they are, as a subjectAltName: DNS:host or IP:address.
        """
        both, certificate = self._folder / 'server.pem', self._folder / 'server.crt'
        self._make(
            '/CN=server',
            both,
            certificate,
            '-CA',
            self.certificate,
            '-CAkey',
            self._key,
            '-addext',
            'basicConstraints=critical,CA:FALSE',
            '-addext',
            f'subjectAltName={name}',
        )
        with both.open('a') as file:
            file.write(certificate.read_text())
        return both

    @staticmethod
    def _make(subject: str, key: pathlib.Path, certificate: pathlib.Path, *options: object) -> None:
        subprocess.run(
            [
                'openssl',
                'req',
                '-x509',
                '-newkey',
                'ec',
                '-pkeyopt',
                'ec_paramgen_curve:P-256',
                '-nodes',
                '-days',
                '2',
                '-subj',
                subject,
                '-keyout',
                key,
                '-out',
                certificate,
                *options,
            ],
            check=True,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
