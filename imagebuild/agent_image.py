# SPDX-License-Identifier: Apache-2.0
"""./build-heat-image.sh: build a cloud image with the Heat agent."""

import argparse
import os
import sys
from collections.abc import Mapping

from imagebuild import command, distros, recipe

ELEMENTS = command.ROOT / 'elements'

EPILOG = f"""
environment:
  BASE_ELEMENTS             the distribution's elements, instead of --distro
  AGENT_ELEMENTS            default: os-collect-config os-apply-config os-refresh-config
  DEPLOYMENT_BASE_ELEMENTS  default: heat-config heat-config-script
  DEPLOYMENT_TOOL           elements of further hooks, as --hook gives them
  IMAGE_NAME                the image's name, as -o gives it
{command.ENVIRONMENT}
examples:
  ./build-heat-image.sh
  ./build-heat-image.sh --distro ubuntu --hook ansible --hook puppet -o my-image
  ./build-heat-image.sh --distro debian --release bookworm --arch arm64
  BASE_ELEMENTS="fedora selinux-permissive" ./build-heat-image.sh
"""


def releases() -> str:
    """The distributions and releases of which there are images, the usual one first."""
    return '; '.join(
        f'{distro.name}: '
        + ', '.join(
            sorted(
                (name for name, release in distro.releases.items() if not release.no_image),
                key=lambda name: name != distro.default,
            )
        )
        for distro in distros.known().values()
    )


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog='build-heat-image.sh',
        usage='%(prog)s [OPTION]... [ELEMENT]...',
        description='Build a cloud image whose agent carries out Heat software deployments. '
        'Without options: Debian, the script hook, a bootable qcow2.',
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument(
        '--distro', metavar='NAME', help=f'{", ".join(distros.known())} (default: debian)'
    )
    options.add_argument(
        '--release', metavar='NAME', help=f'its release, as DIB_RELEASE ({releases()})'
    )
    options.add_argument(
        '--hook',
        metavar='NAME',
        action='append',
        default=[],
        help=f'add a hook: {", ".join(recipe.hooks([ELEMENTS]))}; repeatable',
    )
    command.add_options(options, default_name='DISTRO-heat-agent')
    return options


def recipe_for(options: argparse.Namespace, environ: Mapping[str, str]) -> recipe.Recipe:
    """Return the recipe that options and environment ask for.

    :raises Refusal: something is not known or not there.
    """
    elements_path = recipe.elements_path([ELEMENTS], environ)
    distro, base = recipe.for_distro(options.distro, environ.get('BASE_ELEMENTS') or None)
    elements = [
        *base,
        *environ.get(
            'AGENT_ELEMENTS', 'os-collect-config os-apply-config os-refresh-config'
        ).split(),
        *environ.get('DEPLOYMENT_BASE_ELEMENTS', 'heat-config heat-config-script').split(),
        *environ.get('DEPLOYMENT_TOOL', '').split(),
        *recipe.hook_elements(options.hook, elements_path),
    ]
    return command.image_recipe(
        options,
        environ,
        distro,
        elements,
        elements_path,
        name=f'{distro.name if distro else base[0]}-heat-agent',
    )


def run() -> None:
    options = parser().parse_args()
    command.build_image(recipe_for(options, os.environ), options, os.environ)


if __name__ == '__main__':
    sys.exit(command.main(run))
