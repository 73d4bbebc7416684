# SPDX-License-Identifier: Apache-2.0
"""test-image/build-heat-test-image.sh: build an image for tests, to which pip brings the agent."""

import argparse
import os
import sys
from collections.abc import Mapping

from imagebuild import command, distros, recipe
from imagebuild.errors import Refusal

ELEMENTS = (command.ROOT / 'test-image' / 'elements', command.ROOT / 'elements')
SUFFIX = '-heat-test'

EPILOG = f"""
environment:
  DISTRO                    the distribution, as --distro gives it
  DIB_RELEASE               its release, as --release gives it
  IMAGE_NAME                the image's name, as -o gives it
{command.ENVIRONMENT}
examples:
  test-image/build-heat-test-image.sh --distro debian -o heat-test
  DISTRO=fedora-heat-test DIB_RELEASE=42 test-image/build-heat-test-image.sh
"""


def known() -> str:
    """The distributions and releases of which there are test images."""
    return '; '.join(
        f'{distro.name}: {", ".join(distro.pythons)}'
        for distro in distros.DISTROS.values()
        if distro.pythons
    )


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog='build-heat-test-image.sh',
        usage='%(prog)s [OPTION]... [ELEMENT]...',
        description='Build a cloud image that has all that the agent needs of a distribution, and '
        'no agent: boot-config/test_image_env.yaml brings that from the Python '
        'package index.',
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument(
        '--distro',
        metavar='NAME',
        help='the distribution, with or without -heat-test (default: fedora)',
    )
    options.add_argument('--release', metavar='NAME', help=f'its release ({known()})')
    options.add_argument(
        '--list-packages',
        action='store_true',
        help="print what packages the image's elements install, and stop",
    )
    command.add_options(options, default_name='DISTRO-heat-test-image')
    return options


def system(options: argparse.Namespace, environ: Mapping[str, str]) -> tuple[distros.Distro, str]:
    """Return the distribution and its release.

    :raises Refusal: there is no test image of these.
    """
    name = options.distro or environ.get('DISTRO') or 'fedora'
    if name.endswith(SUFFIX):
        name = name[: -len(SUFFIX)]
    if name == 'centos7':
        raise Refusal(
            'CentOS 7 came to its end in June 2024; its mirrors are gone, and '
            'diskimage-builder does not build it any more. Use --distro centos, with '
            '--release 9-stream or 10-stream.'
        )
    distro = distros.DISTROS.get(name)
    if distro is None or not distro.pythons:
        raise Refusal(f"There is no test image of '{name}'. Known are {known()}.")
    release = options.release or environ.get('DIB_RELEASE') or distro.release
    if release not in distro.pythons:
        raise Refusal(f"There is no test image of {name} '{release}'. Known are {known()}.")
    return distro, release


def make_recipe(options: argparse.Namespace, environ: Mapping[str, str]) -> recipe.Recipe:
    """Return the recipe that options and environment ask for.

    :raises Refusal: something is not known or not there.
    """
    distro, release = system(options, environ)
    return command.make_recipe(
        options,
        environ,
        distro,
        [*distro.elements, distro.name + SUFFIX],
        recipe.elements_path(ELEMENTS, environ),
        f'{distro.name}{SUFFIX}-image',
        release,
    )


def run() -> None:
    options = parser().parse_args()
    wanted = make_recipe(options, os.environ)
    if options.list_packages:
        print(*command.list_packages(wanted, os.environ), sep='\n')
    else:
        command.build_image(wanted, options, os.environ)


if __name__ == '__main__':
    sys.exit(command.main(run))
