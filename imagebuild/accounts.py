# SPDX-License-Identifier: Apache-2.0
"""What is written beside an image: its checksum, and what it is made of."""

import hashlib
import pathlib
import subprocess
from collections.abc import Callable
from typing import Optional

from imagebuild.recipe import Recipe

ROOT = pathlib.Path(__file__).resolve().parent.parent


def write_checksum(path: pathlib.Path) -> pathlib.Path:
    """Write a file's checksum beside it, for sha256sum -c; return the path."""
    digest = hashlib.sha256()
    with path.open('rb') as stream:
        while True:
            chunk = stream.read(1 << 20)
            if not chunk:
                break
            digest.update(chunk)
    target = path.with_name(path.name + '.sha256')
    target.write_text(f'{digest.hexdigest()}  {path.name}\n')
    return target


def write_sbom(
    image: pathlib.Path, venv: pathlib.Path, say: Callable[[str], None]
) -> Optional[pathlib.Path]:
    """Write an image's SBOM beside it; return the path, None and the reason if there is none.

    :param image: the image's path without its type.
    """
    manifests = image.with_name(image.name + '.d') / 'dib-manifests'
    if not (manifests / 'heat-agent-manifest.json').exists():
        say('no SBOM: the image has no element heat-agent-release')
        return None
    done = subprocess.run(
        [venv / 'bin' / 'python', '-m', 'imagebuild.sbom', str(manifests), image.name],
        env={'PYTHONPATH': str(ROOT), 'PYTHONDONTWRITEBYTECODE': '1'},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ['it failed'])[-1]
        say(f'no SBOM: {reason}')
        return None
    target = image.with_name(image.name + '.cdx.json')
    target.write_text(done.stdout)
    return target


def write(wanted: Recipe, venv: pathlib.Path, say: Callable[[str], None]) -> list[pathlib.Path]:
    """Write all of it; return the files."""
    found = [write_checksum(path) for path in wanted.files() if path.exists()]
    sbom = write_sbom(wanted.image, venv, say)
    return [*found, *([sbom] if sbom else [])]
