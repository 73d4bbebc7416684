# SPDX-License-Identifier: Apache-2.0
"""test-image/build-pip-repo.sh: a package index of git checkouts, for servers to install from."""

import argparse
import json
import os
import pathlib
import socket
import sys

from gating import pip_index
from gating.checkout import Pip
from heat_software_config import version
from imagebuild import ending, tools
from imagebuild.errors import Refusal

EPILOG = """
In the index are the checkouts and, from the package index, the agents that are not among them
(%s), so that a test image needs no other.
Changes that are not committed count, but for files that git ignores.

Versions: pbr derives them from the checkout's tags; where there are none, as in a shallow clone,
it becomes the one after the latest release. PBR_VERSION sets another one. Projects without pbr keep
the version that they name. The lines that --serve prints have pip take just these versions; of a
project that an image has in the very same version, pip keeps the image's.

environment:
  HEAT_IMAGE_VENV           the virtual environment whose pip is used, made at the first run;
                            default: ~/.cache/heat-image/venv
  PIP_*, https_proxy ...    where pip finds what it needs for building, and the other agents

exit codes: 0 the index is there; 1 it is not, and what was in DIR is as it was; 2 wrong usage.

examples:
  test-image/build-pip-repo.sh /tmp/index ~/os-collect-config ~/os-refresh-config
  test-image/build-pip-repo.sh /tmp/index --serve 8080
"""


def port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"'{text}' is no port; without one, give --serve last")
    return int(text)


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog='build-pip-repo.sh',
        usage='%(prog)s DIR CHECKOUT... [--serve [PORT]]\n       %(prog)s DIR --serve [PORT]',
        description='Build wheels of git checkouts into a package index (PEP 503) in DIR, for '
        "boot-config's pip_mirror.",
        epilog=EPILOG % ', '.join(pip_index.agents()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument(
        'dir',
        metavar='DIR',
        type=pathlib.Path,
        help='the folder of the index; one that this command made is replaced',
    )
    options.add_argument(
        'checkouts',
        metavar='CHECKOUT',
        nargs='*',
        type=pathlib.Path,
        help='git checkout of a Python project; without one, DIR is served as it is',
    )
    options.add_argument(
        '--serve',
        metavar='PORT',
        nargs='?',
        type=port,
        const=0,
        help='serve it until interrupted; default: a port that is free',
    )
    options.add_argument(
        '--bind',
        metavar='ADDRESS',
        default='127.0.0.1',
        help='where to serve; 0.0.0.0 is for all who reach this machine (default: %(default)s)',
    )
    version.add_option(options)
    return options


def serve(folder: pathlib.Path, address: str, number: int) -> None:
    """Serve an index, and say how to use it, until interrupted."""
    with pip_index.Server(folder, address, number) as server:
        host = socket.getfqdn() if address in ('', '0.0.0.0') else address
        print('Serving. In an environment, or beside one by -e:\n\nparameter_defaults:')
        for name, value in pip_index.parameters(folder, host, server.port).items():
            print(f'  {name}: {json.dumps(value)}')
        if host == '127.0.0.1':
            print("\nServers of localheat reach this machine's loopback at 198.19.0.2.")
        sys.stdout.flush()
        server.wait()


def run() -> None:
    """Carry the command out.

    :raises Refusal: it cannot be, or failed.
    """
    options = parser().parse_args()
    pip_index.check_folder(options.dir)
    if options.checkouts:
        venv = tools.venv_path(os.environ)
        options.dir.parent.mkdir(parents=True, exist_ok=True)
        log = pathlib.Path(f'{options.dir.absolute()}.log')
        tools.set_up_venv(venv, log, print)
        pip_index.build(options.dir, options.checkouts, Pip(venv, os.environ), print)
        print(f'The index is in {options.dir}.')
    elif options.serve is None:
        raise Refusal('There is nothing to do: name checkouts, or add --serve.')
    elif not (options.dir / pip_index.MARKER).exists():
        raise Refusal(f'{options.dir} is no index yet: name checkouts.')
    if options.serve is not None:
        serve(options.dir, options.bind, options.serve)


if __name__ == '__main__':
    sys.exit(ending.main(run))
