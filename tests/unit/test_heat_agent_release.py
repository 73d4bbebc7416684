# SPDX-License-Identifier: Apache-2.0
"""The element heat-agent-release: what it writes down, and what it removes."""

import json
import pathlib
import shutil

from tests import base

ELEMENT = base.ELEMENTS / 'heat-agent-release'
WRITE = ELEMENT / 'post-install.d' / '95-heat-agent-release'
CLEAN_UP = ELEMENT / 'cleanup.d' / '60-heat-agent-release'


class WriteTest(base.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.program = WRITE
        self.system = self.root / 'system'
        packages = self.system / 'opt/stack/venvs/heat-agent/lib/python3.13/site-packages'
        for name in ('os_collect_config-14.1.0.dist-info', 'requests-2.32.3.dist-info'):
            (packages / name).mkdir(parents=True)
        (self.system / 'usr/lib/python3/dist-packages/os_apply_config-13.1.0.egg-info').mkdir(
            parents=True
        )
        hooks = self.system / 'var/lib/heat-config/hooks'
        hooks.mkdir(parents=True)
        for name, mode in (('script', 0o755), ('ansible', 0o755), ('heat_hook.py', 0o644)):
            (hooks / name).touch(mode)

    def write(self, **env: str) -> pathlib.Path:
        done = self.run_program(
            [self.program],
            env={'HEAT_AGENT_ROOT': str(self.system), 'SOURCE_DATE_EPOCH': '0', **env},
        )
        self.assertEqual((0, '', ''), done)
        return self.system / 'etc' / 'heat-agent-release'

    def test_a_server_says_what_it_has(self):
        self.announce('env')
        self.assertEqual(
            'NAME=heat-software-config\nVERSION=unknown\nBUILD_DATE=1970-01-01T00:00:00Z\n'
            "HOOKS='ansible script'\nAGENTS='os-apply-config=13.1.0 os-collect-config=14.1.0'\n",
            self.write().read_text(),
        )

    def test_an_image_says_what_the_build_has_found_out(self):
        self.announce('env')
        sent = self.root / 'hooks' / 'heat-agent-release'
        sent.mkdir(parents=True)
        (sent / 'elements.json').write_text(
            json.dumps({'version': '1.2-3-gabc', 'elements': {'vm': 'diskimage-builder 3.43.0'}})
        )
        self.program = self.root / 'hooks' / 'post-install.d' / WRITE.name
        self.program.parent.mkdir()
        shutil.copy(WRITE, self.program)
        release = self.write()
        self.assertIn('VERSION=1.2-3-gabc\n', release.read_text())
        manifest = json.loads((self.system / 'usr/share/heat-agent/manifest.json').read_text())
        self.assertEqual({'vm': 'diskimage-builder 3.43.0'}, manifest['elements'])
        self.assertEqual(['ansible', 'script'], manifest['hooks'])
        self.assertEqual('14.1.0', manifest['agents']['os-collect-config'])

    def test_programs_on_the_server_tell_its_version(self):
        self.announce('env')
        release = self.write()
        release.write_text(release.read_text().replace('unknown', '1.2.3'))
        for name in ('notify', 'rebuild-deployed', 'status'):
            program = base.ELEMENTS / 'heat-config' / 'bin' / f'heat-config-{name}'
            done = self.run_program(
                [program, '--version'], env={'HEAT_AGENT_RELEASE': str(release)}
            )
            self.assertEqual((0, f'heat-config-{name} 1.2.3\n', ''), done)


class CleanUpTest(base.TestCase):
    #: bash, find and sed.
    guard_processes = False

    def test_users_and_passwords_are_removed_from_addresses(self):
        sudo = self.sandbox.bin / 'sudo'
        sudo.write_text('#!/bin/sh\nexec "$@"\n')
        sudo.chmod(0o755)
        image = self.root / 'image'
        texts = {
            'etc/dib-manifests/dib_environment': (
                'declare -x DIB_DISTRIBUTION_MIRROR="http://{}mirror.example/debian"\n'
                'declare -x DIB_DEBIAN_MIRROR="http://{}other.example/" # a@b\n'
            ),
            'etc/apt/sources.list.d/default.list': 'deb http://{}m.example/debian trixie main\n',
        }
        for name, text in texts.items():
            (image / name).parent.mkdir(parents=True)
            (image / name).write_text(text.replace('{}', 'me:geheim@'))
        done = self.run_program([CLEAN_UP], env={'TMP_MOUNT_PATH': str(image)})
        self.assertEqual(0, done.status, done.stderr)
        for name, text in texts.items():
            self.assertEqual(text.replace('{}', ''), (image / name).read_text())
