# SPDX-License-Identifier: Apache-2.0
"""The hook cfn-init with our cfn-init and the system's own tools.

They change this machine, but in an overlay that is thrown away; what they did is read in there.
"""

import functools
import http.server
import io
import os
import pathlib
import shutil
import tarfile
import threading

from tests import base, deployments, hooks

#: Mounts an overlay over the whole system and runs a command in it.
INSIDE = """
set -eu
top=$1; shift
mount -t tmpfs tmpfs "$top"
mkdir "$top/upper" "$top/work" "$top/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$top/upper,workdir=$top/work" "$top/root"
mount --rbind /dev "$top/root/dev"
mount -t proc proc "$top/root/proc"
exec chroot "$top/root" "$@"
"""
#: Holds a lock of dpkg for some seconds, as unattended upgrades do.
HOLD = """
python3 -c 'import fcntl, sys, time
file = open(sys.argv[1], "w")
fcntl.lockf(file, fcntl.LOCK_EX)
time.sleep(6)' {path} &
sleep 1
"""
#: Runs the hook, then shows what it did.
LOOK = """
$HOLD
"$0" >response; cat response; echo
getent group heat-test; getent passwd heat-user
dpkg-query --show --showformat='${Status}\n' hello
ls -l /opt/heat-test/bin /etc/heat-test.conf; cat /etc/heat-test.conf
"""


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


class CfnInitTest(hooks.HookTestCase):
    group = 'cfn-init'
    guard_processes = False

    def setUp(self):
        super().setUp()
        if os.geteuid():
            self.skipTest('packages and users need root')
        for program in ('apt-get', 'useradd', 'unshare'):
            if not shutil.which(program):
                self.skipTest(f'{program} not installed')
        self.top = self.root / 'top'
        self.top.mkdir()
        if self.inside('true').status:
            self.skipTest('no overlay can be mounted over this system')
        shutil.copy(base.ELEMENTS / 'heat-config-cfn-init/bin/cfn-init', self.sandbox.bin)
        self.sandbox.env['HEAT_CFN_INIT_LAST_METADATA_DIR'] = '/var/cache/heat-cfntools'

    def inside(self, *command, **options):
        return self.run_program(
            ['unshare', '--mount', 'sh', '-c', INSIDE, 'inside', self.top, *command], **options
        )

    def serve(self, folder: pathlib.Path) -> str:
        """The URL of a folder, while the test runs."""
        server = http.server.ThreadingHTTPServer(
            ('127.0.0.1', 0), functools.partial(Handler, directory=str(folder))
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f'http://127.0.0.1:{server.server_port}'

    def run_config(self, *parts, before=''):
        """Run the hook in the overlay; what it answers, then what it did, is printed."""
        sections = {f'part{number}': part for number, part in enumerate(parts)}
        sections['configSets'] = {'default': list(sections)}
        return self.inside(
            'sh',
            '-c',
            LOOK.replace('$HOLD', before),
            self.hook,
            timeout=300,
            stdin=deployments.load('cfn-init', config=sections),
        )

    def test_a_server_is_what_its_config_says(self):
        site = self.root / 'site'
        site.mkdir()
        with tarfile.open(site / 'tool.tar.gz', 'w:gz') as archive:
            member = tarfile.TarInfo('bin/tool')
            member.size, member.mode = 10, 0o755
            archive.addfile(member, io.BytesIO(b'#!/bin/sh\n'))
        url = self.serve(site)
        done = self.run_config(
            {
                'packages': {'apt': {'hello': []}},
                'groups': {'heat-test': {'gid': '4711'}},
                'users': {'heat-user': {'uid': '4712', 'groups': ['heat-test'], 'homeDir': '/opt'}},
                'sources': {'/opt/heat-test': f'{url}/tool.tar.gz'},
                'files': {
                    '/etc/heat-test.conf': {
                        'content': 'a = 1\n',
                        'mode': '000640',
                        'owner': 'heat-user',
                        'group': 'heat-test',
                    }
                },
            },
            {
                'commands': {
                    'look': {
                        'command': 'hello > $heat_outputs_path.result',
                        'test': 'test -x /opt/heat-test/bin/tool',
                    }
                }
            },
        )
        self.assertIn('"deploy_status_code": 0', done.stdout, done.stdout + done.stderr)
        self.assertIn('"result": "Hello, world!\\n"', done.stdout)
        self.assertIn('heat-test:x:4711:heat-user\n', done.stdout)
        self.assertIn('heat-user:x:4712:', done.stdout)
        self.assertIn(':/opt:/sbin/nologin\n', done.stdout)
        self.assertIn('install ok installed\n', done.stdout)
        self.assertRegex(done.stdout, r'-rwxr-xr-x 1 \w+ +\w+ +10 .* tool\n')
        self.assertRegex(done.stdout, r'-rw-r----- 1 heat-user heat-test +6 .*heat-test.conf\n')
        self.assertTrue(done.stdout.endswith('a = 1\n'))

    def test_it_waits_for_the_locks_of_dpkg_and_apt(self):
        for path in ('/var/lib/dpkg/lock-frontend', '/var/lib/dpkg/lock'):
            done = self.run_config(
                {'packages': {'apt': {'hello': []}}}, before=HOLD.format(path=path)
            )
            self.assertIn('"deploy_status_code": 0', done.stdout, done.stdout + done.stderr)
            self.assertIn('another program holds the lock of apt-get', done.stdout)
            self.assertIn('install ok installed\n', done.stdout)

    def test_files_in_a_users_folder_follow_no_link_of_that_user(self):
        before = (
            'umask 077; echo secret > /srv/secret; mkdir -p /srv/theirs; '
            'ln -s /srv/secret /srv/theirs/file; chown -hR nobody /srv/theirs\n'
        )
        done = self.run_config(
            {'files': {'/srv/theirs/file': {'content': 'x', 'owner': 'nobody'}}}, before=before
        )
        self.assertIn('is a link that belongs to the user with the id', done.stdout)
        self.assertIn('"deploy_status_code": 1', done.stdout)

    def test_a_package_that_is_not_there_fails_with_apts_own_error(self):
        done = self.run_config({'packages': {'apt': {'no-such-package-at-all': []}}})
        self.assertIn('"deploy_status_code": 100', done.stdout)
        self.assertIn('Unable to locate package no-such-package-at-all', done.stdout)
