# SPDX-License-Identifier: Apache-2.0
"""The command heat-software-config: where the parts of this project lie on this machine."""

import argparse
import shlex
import sys

from heat_software_config import version

#: The folders that users name elsewhere, and the variables that "paths" prints them as.
FOLDERS = {
    'ELEMENTS_PATH': 'elements',
    'BOOT_CONFIG': 'boot-config',
    'EXAMPLE_TEMPLATES': 'example-templates',
    'TEST_IMAGE': 'test-image',
}

EPILOG = """
examples:
  export ELEMENTS_PATH=$(heat-software-config elements-path)
  eval "$(heat-software-config paths)"
  openstack stack create -e "$BOOT_CONFIG/debian_pip_env.yaml" -t stack.yaml my-stack
"""


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog='heat-software-config',
        description="Show where the parts of heat-software-config lie: diskimage-builder's "
        'elements, the environments of boot-config, the example templates.',
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    version.add_option(options)
    commands = options.add_subparsers(dest='command', metavar='COMMAND', required=True)
    for name, text in (
        ('paths', 'print all folders, as variables for a shell'),
        ('elements-path', 'print what ELEMENTS_PATH has to hold'),
    ):
        commands.add_parser(name, help=text, description=f'{text.capitalize()}.')
    return options


def main() -> int:
    command = parser().parse_args().command
    folders = {name: str(version.ROOT / folder) for name, folder in FOLDERS.items()}
    if command == 'elements-path':
        print(folders['ELEMENTS_PATH'])
    else:
        for name, folder in folders.items():
            print(f'export {name}={shlex.quote(folder)}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
