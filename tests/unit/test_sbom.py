# SPDX-License-Identifier: Apache-2.0
"""What lies beside an image: its checksum, and its SBOM."""

import hashlib
import json
import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from imagebuild import accounts, sbom
from tests import base

MANIFEST = {
    'version': '1.2.3',
    'python': {'requests': '2.32.3'},
    'system': {'id': 'debian', 'release': 'trixie'},
}
DPKG = """{"packages": [
{"package": "apt","arch": "amd64","version": "3.0.4+deb13u1","status": "ii "    },
{"package": "gone","arch": "all","version": "1","status": "rc "    }
]}
"""


class SbomTest(base.TestCase):
    guard_processes = False

    def setUp(self) -> None:
        super().setUp()
        self.manifests = self.root / 'image.d' / 'dib-manifests'
        self.manifests.mkdir(parents=True)
        self.said: list[str] = []

    def write(self, system: str = 'debian') -> None:
        manifest = {**MANIFEST, 'system': {'id': system, 'release': '44'}}
        (self.manifests / 'heat-agent-manifest.json').write_text(json.dumps(manifest))

    def purls(self) -> 'set[str]':
        text = sbom.document(self.manifests, 'image')
        self.assertIsNone(JsonStrictValidator(SchemaVersion.V1_5).validate_str(text))
        return {component['purl'] for component in json.loads(text)['components']}

    def test_it_is_valid_and_names_what_dpkg_and_pip_have_installed(self):
        self.write()
        (self.manifests / 'dib-manifest-dpkg-image').write_text(DPKG)
        self.assertEqual(
            {'pkg:deb/debian/apt@3.0.4%2Bdeb13u1?arch=amd64&distro=44', 'pkg:pypi/requests@2.32.3'},
            self.purls(),
        )

    def test_it_names_what_rpm_has_installed(self):
        self.write('fedora')
        (self.manifests / 'heat-agent-rpm.json').write_text(
            '{"name": "bash", "version": "5.3-1.fc44", "arch": "x86_64"}\n'
        )
        self.assertIn('pkg:rpm/fedora/bash@5.3-1.fc44?arch=x86_64', self.purls())

    def sbom(self):
        folder = self.root / 'venv' / 'bin'
        folder.mkdir(parents=True)
        # An environment's python may not be linked to from elsewhere.
        (folder / 'python').write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        (folder / 'python').chmod(0o755)
        return accounts.write_sbom(self.root / 'image', self.root / 'venv', self.said.append)

    def test_a_build_writes_it_beside_the_image(self):
        self.write()
        self.assertEqual(self.root / 'image.cdx.json', self.sbom())
        self.assertEqual(
            'image',
            json.loads((self.root / 'image.cdx.json').read_text())['metadata']['component']['name'],
        )
        self.assertEqual([], self.said)

    def test_an_image_without_a_manifest_has_none(self):
        self.assertIsNone(self.sbom())
        self.assertIn('heat-agent-release', self.said[0])

    def test_what_is_wrong_with_the_manifest_is_said(self):
        (self.manifests / 'heat-agent-manifest.json').write_text('{')
        self.assertIsNone(self.sbom())
        self.assertIn('no SBOM: ', self.said[0])
        self.assertFalse((self.root / 'image.cdx.json').exists())


class ChecksumTest(base.TestCase):
    def test_sha256sum_accepts_it(self):
        image = self.root / 'image.qcow2'
        image.write_bytes(b'x' * 3_000_000)
        written = accounts.write_checksum(image)
        self.assertEqual(
            f'{hashlib.sha256(image.read_bytes()).hexdigest()}  image.qcow2\n', written.read_text()
        )
        self.announce('sha256sum')
        done = self.run_program(['sha256sum', '--check', written.name], cwd=self.root)
        self.assertEqual((0, 'image.qcow2: OK\n', ''), done)
