# SPDX-License-Identifier: Apache-2.0
"""Images that tests build for themselves, where they are not there.

HEAT_TEST_IMAGES names the folder to keep them in, instead of .tox/images.
"""

import os
import pathlib
import subprocess
from collections.abc import Iterable, Mapping, Sequence

from imagebuild.lock import locked
from tests.base import ROOT

# An emulated kernel panics now and then, which a test would only see as a stack that never ends:
# it boots again.
DEFAULTS = {'DIB_BOOTLOADER_DEFAULT_CMDLINE': 'nofb nomodeset gfxpayload=text panic=10'}

FOLDER = pathlib.Path(os.environ.get('HEAT_TEST_IMAGES') or ROOT / '.tox' / 'images')


def built(
    name: str,
    *options: str,
    kind: str = 'qcow2',
    sources: Iterable[pathlib.Path] = (),
    command: str = 'build-heat-image.sh',
    **environment: str,
) -> str:
    """Return the path of an image; built if it is not there, by one process of a test run.

    :param name: of the image, which tells what is in it.
    :param options: of the command.
    :param kind: of file.
    :param sources: folders; the image is built anew if it is older than a file in them.
    :param command: what builds it, in this project.
    :param environment: variables for it.
    :raises AssertionError: when it cannot be built; with the end of what was said.
    """
    image = FOLDER / f'{name}.{kind}'
    options = (*options, '-t', kind)
    newest = max(
        (path.stat().st_mtime for folder in sources for path in folder.rglob('*')), default=0
    )

    def is_there() -> bool:
        return image.exists() and image.stat().st_mtime > newest

    if not is_there():
        with locked(FOLDER, lambda _: None, ''):
            if not is_there():  # no other process has built it meanwhile
                _build(command, image.with_suffix(''), options, environment)
    return str(image)


def pristine(release: str) -> str:
    """Debian without any element of this project."""
    # diskimage-builder's debian brings nothing that configures a network.
    return built(
        f'pristine-debian-{release}',
        '-p',
        'netplan.io',
        DIB_RELEASE=release,
        AGENT_ELEMENTS=' ',
        DEPLOYMENT_BASE_ELEMENTS=' ',
    )


def test_image(release: str) -> str:
    """Debian with all that the agents require, and no agent."""
    return built(
        f'debian-heat-test-{release}',
        '--distro',
        'debian',
        '--release',
        release,
        sources=[ROOT / 'test-image' / 'elements'],
        command='test-image/build-heat-test-image.sh',
    )


def _build(
    command: str, output: pathlib.Path, options: Sequence[str], environment: Mapping[str, str]
) -> None:
    done = subprocess.run(
        [ROOT / command, *options, '-o', output],
        env={**DEFAULTS, **os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise AssertionError(f'{output} cannot be built:\n{done.stdout[-4000:]}')
