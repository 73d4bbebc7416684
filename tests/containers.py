# SPDX-License-Identifier: Apache-2.0
"""Real container engines for functional tests, each with a storage of its own.

Their settings are those that also work in a container and without a cgroup manager: no networks but
the host's, and file systems that are plain copies.
"""

import io
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tarfile
import time
from typing import Any

import fixtures
import testtools

IMAGE = 'localhost/tiny:1'
#: Seconds for a daemon to answer, or to end.
PATIENCE = 60
# What `sleep` is found by.
PATH = '--change=ENV PATH=/bin'


def require(*programs: str) -> None:
    """Skip the test where it cannot be run."""
    if os.geteuid():
        raise testtools.TestCase.skipException('containers that a server runs need root')
    missing = [name for name in programs if not shutil.which(name)]
    if missing:
        raise testtools.TestCase.skipException(f'{" and ".join(missing)} not installed')


def tiny_image() -> bytes:
    """A root file system, as a tar archive, of one static program."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode='w') as archive:
        for name in ('bin', 'out', 'tmp', 'etc', 'proc', 'sys', 'dev'):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(folder)
        archive.add(os.path.realpath(shutil.which('busybox')), 'bin/busybox')
        for name in ('cat', 'echo', 'false', 'sh', 'sleep', 'true'):
            link = tarfile.TarInfo(f'bin/{name}')
            link.type, link.linkname = tarfile.SYMTYPE, 'busybox'
            archive.addfile(link)
    return packed.getvalue()


#: A container's config with all that can be seen from outside, which sleeps then.
KEYS = {
    'entrypoint': ['sh', '-c'],
    'command': [
        'echo "$GREETING" > /out/words; echo "$HTTP_PROXY" >> /out/words; '
        'cat /run/secrets/password >> /out/words; exec sleep 600'
    ],
    'environment': {'GREETING': 'hello  there\n$x "y"', 'HTTP_PROXY': 'http://u:p w#"\'@h '},
    'secrets': {'password': 'the_password'},
    'healthcheck': {'test': ['CMD', 'test', '-e', '/out'], 'interval': 3600, 'retries': 2},
    'cap_add': ['NET_ADMIN'],
    'cap_drop': ['CHOWN', 'MKNOD'],
    # Without nproc podman sets one that this machine may not allow.
    'ulimits': {'nofile': {'soft': 100, 'hard': 200}, 'nproc': {'soft': 999, 'hard': 1000}},
    'labels': {'colour': 'blue'},
    'log_driver': 'none',
    'pull': 'never',
}
INPUTS = {'the_password': 'geheim'}
SECRETS = ('hello  there', 'u:p w', 'geheim')
WORDS = 'hello  there\n$x "y"\nhttp://u:p w#"\'@h \ngeheim'


def assert_has_keys(
    test: testtools.TestCase, container: 'dict[str, Any]', out: pathlib.Path
) -> None:
    """Find that a container is as KEYS says, by what its engine tells of it."""
    host = container['HostConfig']
    test.assertIn('NET_ADMIN', ' '.join(host['CapAdd']))
    test.assertEqual(
        ['CHOWN', 'MKNOD'], sorted(name.replace('CAP_', '') for name in host['CapDrop'])
    )
    limits = {item['Name'].lower().replace('rlimit_', ''): item for item in host['Ulimits']}
    test.assertEqual((100, 200), (limits['nofile']['Soft'], limits['nofile']['Hard']))
    test.assertEqual('none', host['LogConfig']['Type'])
    test.assertEqual('blue', container['Config']['Labels']['colour'])
    check = container['Config']['Healthcheck']
    test.assertEqual(['CMD-SHELL', 'test -e /out'], check['Test'])
    test.assertEqual((3600 * 10**9, 2), (check['Interval'], check['Retries']))
    deadline = time.monotonic() + PATIENCE
    while (out / 'words').read_text() != WORDS and time.monotonic() < deadline:
        time.sleep(0.1)
    test.assertEqual(WORDS, (out / 'words').read_text())


class Engine(fixtures.Fixture):
    """A container engine.

    :param root: a folder of the test's own.
    """

    program = ''

    def __init__(self, root: pathlib.Path) -> None:
        super().__init__()
        self.root = root
        #: What a command of the engine needs in its environment.
        self.env: dict[str, str] = {}

    def ask(self, *arguments: str, stdin: bytes = b'', check: bool = True) -> str:
        """What a command of the engine prints."""
        done = subprocess.run(
            [self.program, *arguments],
            input=stdin,
            capture_output=True,
            env=dict(os.environ, **self.env),
            timeout=PATIENCE,
        )
        if check and done.returncode:
            raise AssertionError(
                f'{self.program} {" ".join(arguments)}: {done.stderr.decode("utf-8", "replace")}'
            )
        return done.stdout.decode()

    def running(self) -> 'list[str]':
        """The names of the containers that run."""
        return sorted(self.ask('ps', '--format', '{{.Names}}').split())

    def all(self) -> 'list[str]':
        """The names of all containers."""
        return sorted(self.ask('ps', '--all', '--format', '{{.Names}}').split())


class Podman(Engine):
    program = 'podman'

    def _setUp(self) -> None:
        require('podman', 'busybox')
        store = self.root / 'store'
        store.mkdir()
        (store / 'storage.conf').write_text(
            f'[storage]\ndriver = "vfs"\ngraphroot = "{store}/graph"\nrunroot = "{store}/run"\n'
        )
        (store / 'containers.conf').write_text(
            '[engine]\n'
            'cgroup_manager = "cgroupfs"\nevents_logger = "file"\nlock_type = "file"\n'
            f'runtime = "{"runc" if shutil.which("runc") else "crun"}"\n'
            f'tmp_dir = "{store}/tmp"\n'
            '[containers]\n'
            'netns = "host"\nlog_driver = "k8s-file"\n'
            'default_ulimits = ["nofile=20000:20000", "nproc=1000:1000"]\n'
        )
        (store / 'registries.conf').write_text(
            '[[registry]]\nlocation = "127.0.0.1"\ninsecure = true\n'
        )
        self.env = {
            'CONTAINERS_REGISTRIES_CONF': str(store / 'registries.conf'),
            'CONTAINERS_CONF': str(store / 'containers.conf'),
            'CONTAINERS_STORAGE_CONF': str(store / 'storage.conf'),
        }
        self.addCleanup(self.ask, 'rm', '--all', '--force', '--time=0', check=False)
        self.addCleanup(self.ask, 'pod', 'rm', '--all', '--force', '--time=0', check=False)
        # The first process of a container ignores signals that it does not expect.
        self.ask('import', PATH, '--change=STOPSIGNAL SIGKILL', '-', IMAGE, stdin=tiny_image())


class Docker(Engine):
    program = 'docker'

    def _setUp(self) -> None:
        require('docker', 'dockerd', 'busybox')
        store = self.root / 'docker'
        store.mkdir()
        self.env = {'DOCKER_HOST': f'unix://{store}/socket', 'DOCKER_CONFIG': str(store / 'config')}
        log = open(store / 'log', 'wb')
        self.addCleanup(log.close)
        daemon = subprocess.Popen(
            [
                'dockerd',
                f'--host={self.env["DOCKER_HOST"]}',
                f'--data-root={store}/data',
                f'--exec-root={store}/exec',
                f'--pidfile={store}/pid',
                '--storage-driver=vfs',
                '--iptables=false',
                '--ip6tables=false',
                '--bridge=none',
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        self.addCleanup(self._end, daemon)
        deadline = time.monotonic() + PATIENCE
        while not self.ask('version', '--format={{.Server.Version}}', check=False).strip():
            if daemon.poll() is not None or time.monotonic() > deadline:
                tail = (store / 'log').read_text(errors='replace')[-1000:]
                raise testtools.TestCase.skipException(f'dockerd does not run here: {tail}')
            time.sleep(0.2)
        self.ask('import', PATH, '-', IMAGE, stdin=tiny_image())

    def _end(self, daemon: 'subprocess.Popen[bytes]') -> None:
        ids = self.ask('ps', '--all', '--quiet', check=False).split()
        if ids:
            self.ask('rm', '--force', *ids, check=False)
        daemon.send_signal(signal.SIGTERM)
        try:
            daemon.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
        # It leaves this behind, and the folder could not be removed.
        subprocess.run(
            ['umount', self.root / 'docker/exec/netns/default'],
            check=False,
            stderr=subprocess.DEVNULL,
        )


class Registry(fixtures.Fixture):
    """A registry on loopback that wants a password.

    :param root: a folder of the test's own.
    """

    USER, PASSWORD = 'somebody', 'hush hush'
    #: What htpasswd makes of the password.
    HASH = '$2b$05$abcdefghijklmnopqrstuu1DXodogeSB3B7JNulSv.pdUxyJA088W'

    def __init__(self, root: pathlib.Path) -> None:
        super().__init__()
        self.root = root / 'registry'
        self.inputs = {'registry_user': self.USER, 'registry_password': self.PASSWORD}

    def _setUp(self) -> None:
        require('docker-registry')
        self.root.mkdir()
        (self.root / 'users').write_text(f'{self.USER}:{self.HASH}\n')
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            self.name = f'127.0.0.1:{free.getsockname()[1]}'
        (self.root / 'config.yml').write_text(
            'version: 0.1\n'
            f'storage: {{filesystem: {{rootdirectory: {self.root}/data}}}}\n'
            f'http: {{addr: "{self.name}"}}\n'
            f'auth: {{htpasswd: {{realm: tests, path: {self.root}/users}}}}\n'
        )
        self.option = {self.name: {'username': 'registry_user', 'password': 'registry_password'}}
        log = open(self.root / 'log', 'wb')
        self.addCleanup(log.close)
        daemon = subprocess.Popen(
            ['docker-registry', 'serve', self.root / 'config.yml'],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.kill)
        host, port = self.name.split(':')
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection((host, int(port)), 1).close()
                return
            except OSError:
                if daemon.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError((self.root / 'log').read_text()[-1000:]) from None
                time.sleep(0.1)

    def push(self, engine: Engine) -> str:
        """Put an engine's test image into the registry; return the name it has there."""
        image = f'{self.name}/tiny:1'
        engine.ask('tag', IMAGE, image)
        engine.ask(
            'login',
            f'--username={self.USER}',
            '--password-stdin',
            self.name,
            stdin=self.PASSWORD.encode(),
        )
        engine.ask('push', image)
        engine.ask('logout', self.name)
        engine.ask('rmi', image)
        return image
