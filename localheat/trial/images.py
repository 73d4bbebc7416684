# SPDX-License-Identifier: Apache-2.0
"""The images of a trial: the user's own, or built with the hooks that the template takes, once."""

import os
import pathlib
import subprocess
from collections.abc import Iterable
from typing import Callable, Optional

from imagebuild import tools
from imagebuild.errors import Refusal
from imagebuild.lock import locked
from localheat.check import hooks
from localheat.ready import ROOT

#: What an image is made from: it is built anew when one of these is newer.
SOURCES = ('elements', 'imagebuild')
PRISTINE = 'pristine'


def folder() -> pathlib.Path:
    """Return where built images are kept."""
    named = os.environ.get('HEAT_TRY_IMAGES')
    return pathlib.Path(named or tools.cache(os.environ) / 'localheat' / 'images').absolute()


def agent(wanted: Iterable[str], say: Callable[[str], None]) -> pathlib.Path:
    """Return an image with the agent and these hooks; built, if there is none.

    :raises Refusal: it cannot be built
    """
    further = sorted(set(wanted) - hooks.STANDARD)
    name = '-'.join(['debian-heat-agent', *further])
    options = [word for hook in further for word in ('--hook', hook)]
    return _built(name, options, {}, say, _newest())


def pristine(say: Callable[[str], None]) -> pathlib.Path:
    """Return an image without agent; built, if there is none.

    :raises Refusal: it cannot be built
    """
    # diskimage-builder's debian brings nothing that configures a network
    return _built(
        PRISTINE,
        ['-p', 'netplan.io'],
        {'AGENT_ELEMENTS': ' ', 'DEPLOYMENT_BASE_ELEMENTS': ' '},
        say,
        None,
    )


def _newest() -> float:
    return max(
        path.stat().st_mtime
        for source in SOURCES
        for path in (ROOT / source).rglob('*')
        if path.is_file() and '__pycache__' not in path.parts
    )


def _built(
    name: str,
    options: 'list[str]',
    environment: 'dict[str, str]',
    say: Callable[[str], None],
    newest: Optional[float],
) -> pathlib.Path:
    image = folder() / (name + '.qcow2')

    def is_there() -> bool:
        return image.exists() and (newest is None or image.stat().st_mtime > newest)

    if not is_there():
        with locked(image.parent, say, 'HEAT_TRY_IMAGES names another one'):
            if not is_there():
                say(f'building the image {image.name}; it is kept for the next time')
                _build(image.with_suffix(''), options, environment)
    say(f'image: {image}')
    return image


def _build(output: pathlib.Path, options: 'list[str]', environment: 'dict[str, str]') -> None:
    process = subprocess.Popen(
        [ROOT / 'build-heat-image.sh', *options, '-o', output],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
    )
    try:
        status = process.wait()
    except BaseException:
        # it cleans up by itself; a terminal's Ctrl-C it has got already
        process.terminate()
        process.wait()
        raise
    if status:
        raise Refusal(f'The image could not be built; its log is {output}.log.')
