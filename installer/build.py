# SPDX-License-Identifier: Apache-2.0
"""./build-agent-installer.sh: write heat-agent-install, the agent and its hooks in one file."""

import argparse
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile
import zipapp
from typing import Any

from heat_software_config import version
from imagebuild import ending
from imagebuild.errors import Refusal

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIB = ROOT / 'boot-config' / 'templates' / 'lib'
#: For which wheels are packed with --offline: what has one of the supported distributions.
PYTHONS = ('3.9', '3.10', '3.11', '3.12', '3.13')
#: What wheels for glibc's systems are called; pip knows an older one by the name of a newer.
PLATFORMS = ('manylinux1', 'manylinux2010', 'manylinux2014', 'manylinux_2_17', 'manylinux_2_28')

EPILOG = """
The file needs python3, version 3.6 or later, on the system that it is run on, and nothing else;
./heat-agent-install --help tells what it can do. It carries all hooks.

environment:
  PIP_INDEX_URL, PIP_CERT ...  pip's own, for --offline

examples:
  ./build-agent-installer.sh
  ./build-agent-installer.sh --hook ansible --hook podman -o /srv/www/heat-agent-install
  ./build-agent-installer.sh --offline --python 3.13
"""


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog='build-agent-installer.sh',
        description='Write one executable file that installs the Heat agent and its hooks on a '
        'system that is there already.',
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument(
        '--hook',
        metavar='NAME',
        action='append',
        default=[],
        help='a hook that the file installs without being asked, besides script; repeatable',
    )
    options.add_argument(
        '-o',
        metavar='FILE',
        dest='output',
        default='heat-agent-install',
        help='the file to write (default: %(default)s)',
    )
    options.add_argument(
        '--offline',
        action='store_true',
        help='pack the agents and all that they need, so that the file needs no network; it then '
        'installs no package of the distribution either, and the tools of hooks must be there',
    )
    options.add_argument(
        '--python',
        metavar='VERSION',
        action='append',
        default=[],
        help=f'with --offline: for which Python; repeatable (default: {" ".join(PYTHONS)})',
    )
    version.add_option(options)
    return options


def load_yaml() -> Any:
    try:
        import yaml
    except ImportError:
        raise Refusal(
            'This needs PyYAML: install python3-yaml, or make a virtual environment with it.'
        )
    return yaml


def elements() -> 'dict[str, Any]':
    """The merged elements of agent and hooks, as boot-config sends them to a server."""
    yaml = load_yaml()

    def read(place: str, value: Any) -> Any:
        if set(value) != {'get_file'}:
            return {name: read(name, item) for name, item in value.items()}
        text = (LIB / value['get_file']).read_text(encoding='utf-8')
        # A system without cloud-init need not have PyYAML; JSON is YAML, too.
        return (
            json.dumps(yaml.safe_load(text)) if place.endswith('.yaml') and is_list(place) else text
        )

    def is_list(place: str) -> bool:
        return place.startswith('package-installs/')

    outputs = yaml.safe_load((LIB / 'elements.yaml').read_text(encoding='utf-8'))['outputs']
    return {name: read(name, outputs[name]['value']) for name in ('agent', 'hooks')}


def requirements(found: 'dict[str, Any]') -> 'list[str]':
    """What the agents' elements want of the package index."""
    return sorted(
        line
        for place, text in found['agent'].items()
        if place.startswith('heat-agent-requirements/')
        for line in text.splitlines()
        if line and not line.startswith('#')
    )


def download(wanted: 'list[str]', pythons: 'list[str]', folder: pathlib.Path) -> None:
    """Put wheels of packages, and of what these need, into a folder.

    :raises Refusal: they cannot be had.
    """
    machine = platform.machine()
    for python in pythons:
        print(f'downloading the agents for Python {python} ...', flush=True)
        command = [sys.executable, '-m', 'pip', 'download', '--quiet', '--only-binary=:all:']
        for name in PLATFORMS:
            command += ['--platform', f'{name}_{machine}']
        for abi in ('cp' + python.replace('.', ''), 'abi3', 'none'):
            command += ['--abi', abi]
        command += ['--implementation', 'cp', '--python-version', python, '--dest', str(folder)]
        done = subprocess.run([*command, 'pip', *wanted], stdin=subprocess.DEVNULL)
        if done.returncode:
            raise Refusal(
                f'The agents for Python {python} could not be downloaded. pip reads '
                'PIP_INDEX_URL, https_proxy and, for a private CA, PIP_CERT.'
            )


def build(options: argparse.Namespace) -> None:
    found = elements()
    for hook in options.hook:
        if hook not in found['hooks']:
            raise Refusal(f'There is no hook {hook}, only {", ".join(sorted(found["hooks"]))}.')
    for python in options.python:
        if not re.fullmatch(r'3\.[0-9]+', python):
            raise Refusal(f'{python} is no version of Python such as 3.13.')
    output = pathlib.Path(options.output).absolute()
    if not output.parent.is_dir():
        raise Refusal(f'There is no folder {output.parent}.')
    about = {
        'version': version.version(),
        'hooks': sorted(set(options.hook) - {'script'}),
        'offline': options.offline,
    }
    with tempfile.TemporaryDirectory(prefix='heat-agent-installer-') as name:
        folder = pathlib.Path(name, 'program')
        folder.mkdir()
        for source, place in (
            (pathlib.Path(__file__).with_name('program.py'), '__main__.py'),
            (LIB / 'install-elements.py', 'install_elements.py'),
        ):
            (folder / place).write_bytes(source.read_bytes())
        (folder / 'elements.json').write_text(json.dumps(found), encoding='utf-8')
        (folder / 'about.json').write_text(json.dumps(about), encoding='utf-8')
        if options.offline:
            (folder / 'wheels').mkdir()
            download(requirements(found), options.python or list(PYTHONS), folder / 'wheels')
        # Beside its place, so that there is never half of it.
        whole = output.with_name(f'.{output.name}.{os.getpid()}')
        try:
            zipapp.create_archive(folder, whole, '/usr/bin/env python3', compressed=True)
            whole.chmod(0o755)
            whole.replace(output)
        finally:
            whole.unlink(missing_ok=True)
    size = output.stat().st_size / 1024
    print(f'{output}: {size:,.0f} KiB; on a system: {output.name} --help')


def main() -> int:
    options = parser().parse_args()
    return ending.main(lambda: build(options))


if __name__ == '__main__':
    sys.exit(main())
