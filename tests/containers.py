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
import subprocess
import tarfile
import time

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
        self.env = {
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
