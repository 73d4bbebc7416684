# SPDX-License-Identifier: Apache-2.0
"""One run of disk-image-create, watched, and cleaned up after."""

import getpass
import gzip
import os
import pathlib
import re
import select
import shutil
import subprocess
import tempfile
import time
import zlib
from collections.abc import Mapping
from typing import Optional

from imagebuild import ending, machine
from imagebuild.errors import Refusal
from imagebuild.lock import locked
from imagebuild.progress import Progress, clock
from imagebuild.recipe import Recipe

HERE = pathlib.Path(__file__).resolve().parent
SHIMS = HERE / 'shims'

#: What a failed build's log says, and what helps. The first that is found is printed.
HINTS = (
    (
        r'No space left on device',
        'There was no room left: build on a larger disk (TMPDIR, and --no-tmpfs if the build was '
        'in memory).',
    ),
    (
        r'CERTIFICATE_VERIFY_FAILED|SSL certificate problem|certificate verif\w+ failed',
        'A server has a certificate by an unknown authority. For a private CA set PIP_CERT and '
        'CURL_CA_BUNDLE to the file of its certificates.',
    ),
    (
        r'Could not connect|Unable to connect|Cannot connect|Connection refused|'
        r'Connection timed out|Network is unreachable|Temporary failure|Could not resolve|'
        r'Could not handshake',
        'A package server or a proxy could not be reached. The build uses http_proxy, https_proxy '
        'and no_proxy, DIB_DISTRIBUTION_MIRROR and, for pip, PIP_INDEX_URL.',
    ),
)
TAIL_LINES = 20


def image_cache(environ: Mapping[str, str]) -> pathlib.Path:
    """Return diskimage-builder's cache of packages and base images."""
    return pathlib.Path(
        environ.get('DIB_IMAGE_CACHE') or os.path.expanduser('~/.cache/image-create')
    ).absolute()


def stand_ins(progress: Progress) -> list[pathlib.Path]:
    """Return the folders of stand-ins for what this machine lacks, and say which they are."""
    folders = []
    if not machine.has_device_mapper():
        progress.say('no device-mapper in this kernel: partitions by partx instead of kpartx')
        folders.append(SHIMS / 'partitions')
    if shutil.which('sudo') is None:
        progress.say('no sudo on this machine: running as root without it')
        folders.append(SHIMS / 'sudo')
    elif folders and not machine.is_root():
        folders.append(SHIMS / 'sudo')
    return folders


def environment(
    recipe: Recipe,
    venv: pathlib.Path,
    shims: list[pathlib.Path],
    work: pathlib.Path,
    environ: Mapping[str, str],
) -> dict[str, str]:
    """Return the variables for disk-image-create: the caller's, the recipe's, and the folders."""
    # TMPDIR would be handed on into the chroot, where its folder is not.
    env = {
        name: value
        for name, value in environ.items()
        if name not in ('PYTHONPATH', 'PYTHONHOME', 'TMPDIR', 'VIRTUAL_ENV')
    }
    path = environ.get('PATH', os.defpath)
    env.update(recipe.environment)
    env.update(
        PATH=os.pathsep.join([*map(str, shims), str(venv / 'bin'), path, '/usr/sbin', '/sbin']),
        ELEMENTS_PATH=os.pathsep.join(map(str, recipe.elements_path)),
        TMP_DIR=str(work),
        DIB_IMAGE_CACHE=str(image_cache(environ)),
        # Its output is the log.
        DIB_QUIET='0',
        DIB_NO_TIMESTAMP='0',
    )
    defaults = {
        'HOME': os.path.expanduser('~'),
        'USER': getpass.getuser(),
        # diskimage-builder's own default for Debian is 2, which no release has any more.
        'DIB_PYTHON_VERSION': '3',
        # Write the tarball, and use it: each alone does nothing.
        'DIB_DEBOOTSTRAP_CACHE': '1',
        'DIB_DEBIAN_USE_DEBOOTSTRAP_CACHE': '1',
    }
    real_sudo = shutil.which('sudo', path=path)
    if real_sudo:
        defaults['HEAT_IMAGE_SUDO'] = real_sudo
    for name, value in defaults.items():
        env.setdefault(name, value)
    return env


def command(recipe: Recipe, image: pathlib.Path, on_disk: bool, verbosity: int) -> list[str]:
    """Return the call of disk-image-create that writes a recipe's image to a path."""
    call = ['disk-image-create', '-o', str(image), '-t', ','.join(recipe.types)]
    if recipe.arch:
        call += ['-a', recipe.arch]
    if recipe.packages:
        call += ['-p', ','.join(recipe.packages)]
    if on_disk:
        call.append('--no-tmpfs')
    return call + ['-x'] * verbosity + list(recipe.elements)


def explain(log: str) -> Optional[str]:
    """Return what may help against the failure that a log shows, None if nothing is known."""
    for pattern, hint in HINTS:
        if re.search(pattern, log):
            return hint
    return None


def _watch(process: 'subprocess.Popen[bytes]', log: pathlib.Path, progress: Progress) -> None:
    """Copy a build's output to its log and show how it goes, until it ends."""
    assert process.stdout is not None
    pending = b''
    with log.open('ab', buffering=0) as output:
        while True:
            ready, _, _ = select.select([process.stdout], [], [], 1)
            progress.tick()
            if not ready:
                continue
            chunk = os.read(process.stdout.fileno(), 65536)
            if not chunk:
                return
            output.write(chunk)
            *lines, pending = (pending + chunk).split(b'\n')
            for line in lines:
                progress.feed(line.decode(errors='replace'))


def _drop_broken_caches(cache: pathlib.Path, since: float) -> None:
    """Remove a tarball of the base system whose writing was cut short: the next build uses it."""
    for tarball in cache.glob('debootstrap-*.tar.gz'):
        if tarball.stat().st_mtime >= since:
            try:
                with gzip.open(tarball) as content:
                    while content.read(1 << 20):
                        pass
            except (EOFError, OSError, zlib.error):
                subprocess.run(machine.as_root(['rm', '-f', str(tarball)]))


def _publish(staging: pathlib.Path, target: pathlib.Path) -> None:
    """Move what was built to its place; an image of the same name is replaced at one stroke."""
    for path in staging.iterdir():
        if path.is_dir() and (target / path.name).exists():
            subprocess.run(machine.as_root(['rm', '-rf', str(target / path.name)]), check=True)
        os.replace(path, target / path.name)


def run(
    recipe: Recipe,
    venv: pathlib.Path,
    log: pathlib.Path,
    progress: Progress,
    environ: Mapping[str, str],
    on_disk: bool,
    verbosity: int = 0,
) -> None:
    """Build a recipe's image, or leave everything as it was.

    :param log: gets the whole output of diskimage-builder.
    :raises Refusal: the build failed; the text has the end of the log and, if known, the remedy.
    :raises ending.Interrupted: a signal ended it.
    """
    shims = stand_ins(progress)
    cache = image_cache(environ)
    # Two builds with one cache would fight over apt's lock, and fail.
    with locked(cache, progress.say, 'DIB_IMAGE_CACHE names another one'):
        start = time.time()
        work = pathlib.Path(tempfile.mkdtemp(prefix='heat-image-')).resolve()
        staging = pathlib.Path(tempfile.mkdtemp(prefix='.heat-image-', dir=recipe.image.parent))
        env = environment(recipe, venv, shims, work, environ)
        session = 0
        built = False
        try:
            process = subprocess.Popen(
                command(recipe, staging / recipe.image.name, on_disk, verbosity),
                env=env,
                cwd=work,
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            session = process.pid
            _watch(process, log, progress)
            built = process.wait() == 0
            if built:
                _publish(staging, recipe.image.parent)
        finally:
            progress.close()
            with ending.uninterrupted():
                swept = subprocess.run(
                    machine.as_root(
                        [
                            'env',
                            f'PATH={env["PATH"]}',
                            str(HERE / 'sweep'),
                            str(session),
                            str(work),
                            str(staging),
                        ]
                    ),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
                if not built:
                    _drop_broken_caches(cache, start)
            if swept.returncode != 0:
                progress.say(swept.stdout.strip())
    if not built:
        raise Refusal(_failure(log, progress))


def _failure(log: pathlib.Path, progress: Progress) -> str:
    text = log.read_text(errors='replace')
    tail = [re.sub(r'^[\d-]+ [\d:.]+ \| ', '', line) for line in text.splitlines()]
    script = f' ({progress.script})' if progress.script else ''
    parts = ['  ' + line for line in tail[-TAIL_LINES:]]
    parts.append(
        f"The build failed after {clock(progress.elapsed)}, at '{progress.phase}'{script}."
        f' The whole log: {log}'
    )
    hint = explain(text)
    if hint:
        parts.append(hint)
    return '\n'.join(parts)
