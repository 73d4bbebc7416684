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
  DISTRO=fedora-heat-test DIB_RELEASE=44 test-image/build-heat-test-image.sh
"""


def known() -> str:
    """The distributions and releases of which there are test images."""
    return '; '.join(
        f'{distro.name}: {", ".join(release.name for release in distro.with_test_images())}'
        for distro in distros.known().values()
        if distro.with_test_images()
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


def distribution(options: argparse.Namespace, environ: Mapping[str, str]) -> distros.Distro:
    """Return the distribution, of whose release there is a test image.

    :raises Refusal: there is none.
    """
    name = options.distro or environ.get('DISTRO') or 'fedora'
    if name.endswith(SUFFIX):
        name = name[: -len(SUFFIX)]
    wanted = options.release or environ.get('DIB_RELEASE')
    reason = ''
    try:
        distro = distros.by_name(name)
        wanted, release = distros.find_release(distro, wanted)
        if release and release.test_image:
            return distro
        if not distro.with_test_images():
            wanted = None
    except Refusal as refusal:
        reason = f' {refusal}'
    what = f"'{name}'" if wanted is None else f"{name} '{wanted}'"
    raise Refusal(f'There is no test image of {what}.{reason} Test images: {known()}.')


def recipe_for(options: argparse.Namespace, environ: Mapping[str, str]) -> recipe.Recipe:
    """Return the recipe that options and environment ask for.

    :raises Refusal: something is not known or not there.
    """
    distro = distribution(options, environ)
    return command.image_recipe(
        options,
        environ,
        distro,
        [*distro.elements, distro.name + SUFFIX],
        recipe.elements_path(ELEMENTS, environ),
        f'{distro.name}{SUFFIX}-image',
    )


def run() -> None:
    options = parser().parse_args()
    wanted = recipe_for(options, os.environ)
    if options.list_packages:
        print(*command.list_packages(wanted, os.environ), sep='\n')
    else:
        command.build_image(wanted, options, os.environ)


if __name__ == '__main__':
    sys.exit(command.main(run))
