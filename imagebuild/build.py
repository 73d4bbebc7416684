# SPDX-License-Identifier: Apache-2.0
"""One run of disk-image-create, watched, and cleaned up after."""

import contextlib
import gzip
import os
import pathlib
import re
import select
import subprocess
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Optional

from imagebuild import call, ending, leftovers, machine
from imagebuild.errors import Refusal
from imagebuild.lock import locked
from imagebuild.progress import Progress, clock
from imagebuild.recipe import Recipe

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
        r'Could not connect|Unable to connect|Cannot connect|Failed to connect|Connection refused|'
        r'Connection timed out|Network is unreachable|Temporary failure|[Cc]ould not resolve|'
        r'Could not handshake|The requested URL returned error|Failed to download',
        'A server could not be reached, or does not have what was asked for. The build uses '
        'http_proxy, https_proxy and no_proxy{mirrors} and, for pip, PIP_INDEX_URL.',
    ),
)
TAIL_LINES = 20


def explain(log: str, mirrors: Sequence[str] = ()) -> Optional[str]:
    """Return what may help against the failure that a log shows, None if nothing is known.

    :param mirrors: the variables by which the base element finds its downloads.
    """
    for pattern, hint in HINTS:
        if re.search(pattern, log):
            return hint.format(mirrors=''.join(f', {name}' for name in mirrors))
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


@contextlib.contextmanager
def _whole_caches(cache: pathlib.Path) -> Iterator[None]:
    """Remove tarballs of the base system whose writing a build cut short: the next uses them."""
    start = time.time()
    try:
        yield
    except BaseException:
        with ending.uninterrupted():
            for tarball in cache.glob('debootstrap-*.tar.gz'):
                if tarball.stat().st_mtime >= start and not _is_whole(tarball):
                    subprocess.run(machine.as_root(['rm', '-f', str(tarball)]))
        raise


def _is_whole(tarball: pathlib.Path) -> bool:
    try:
        with gzip.open(tarball) as content:
            while content.read(1 << 20):
                pass
    except (EOFError, OSError, zlib.error):
        return False
    return True


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
    shims = call.stand_ins(may_load=True)
    for reason in shims.values():
        progress.say(reason)
    cache = call.image_cache(environ)
    # Two builds with one cache would fight over apt's lock, and fail.
    with locked(cache, progress.say, 'DIB_IMAGE_CACHE names another one'):
        path = os.pathsep.join([*map(str, shims), environ.get('PATH', os.defpath)])
        with (
            _whole_caches(cache),
            leftovers.swept(recipe.image.parent, path, environ, progress.say) as site,
        ):
            planned = call.disk_image_create(
                recipe,
                venv,
                shims,
                environ,
                image=site.staging / recipe.image.name,
                work=site.work,
                on_disk=on_disk,
                verbosity=verbosity,
            )
            process = subprocess.Popen(
                planned.words,
                env=planned.full_environment(environ),
                cwd=site.work,
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            site.watch(process.pid)
            try:
                _watch(process, log, progress)
            finally:
                progress.close()
            if process.wait():
                raise Refusal(_failure(log, progress, recipe.mirrors()))
            _publish(site.staging, recipe.image.parent)


def _failure(log: pathlib.Path, progress: Progress, mirrors: Sequence[str]) -> str:
    text = log.read_text(errors='replace')
    tail = [re.sub(r'^[\d-]+ [\d:.]+ \| ', '', line) for line in text.splitlines()]
    script = f' ({progress.script})' if progress.script else ''
    parts = ['  ' + line for line in tail[-TAIL_LINES:]]
    parts.append(
        f"The build failed after {clock(progress.elapsed)}, at '{progress.phase}'{script}."
        f' The whole log: {log}'
    )
    hint = explain(text, mirrors)
    if hint:
        parts.append(hint)
    return '\n'.join(parts)
