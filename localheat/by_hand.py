# SPDX-License-Identifier: Apache-2.0
"""Services by hand: ``start``, ``stop``, ``env``, ``status`` and ``run``."""

import argparse
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from typing import Any

from localheat import ready
from localheat.errors import LocalHeatError
from localheat.servers import KINDS
from localheat.services import Cloud
from localheat.services.accounts import OPTIONAL
from localheat.services.cloud import check_new
from localheat.services.state import State
from localheat.trial.options import CACHE


def main(arguments: 'list[str]') -> int:
    """Carry out a command.

    :returns: the exit code: 0, or 1 when it failed, or that of the command given to "run"
    """
    options = parser().parse_args(arguments)
    # so that what was begun is cleaned up
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        return options.function(options) or 0
    except LocalHeatError as error:
        print(f'localheat: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=os.environ.get('LOCALHEAT_PROGRAM') or 'python -m localheat',
        description='A real OpenStack on this machine, on loopback, with servers that boot: '
        'for trying templates and for tests.',
    )
    commands = parser.add_subparsers(required=True, metavar='COMMAND')

    start = _command(commands, 'start', _start, 'start a cloud, or continue one')
    _add_folder(start)
    _add_cloud_options(start)

    stop = _command(commands, 'stop', _stop, "stop a cloud's services and servers")
    _add_folder(stop)

    env = _command(commands, 'env', _env, "print the variables that OpenStack's clients need")
    _add_folder(env)

    status = _command(commands, 'status', _status, 'tell which services run')
    _add_folder(status)

    run = _command(commands, 'run', _run, 'run a command with a cloud that lives as long')
    _add_cloud_options(run)
    run.add_argument('command', nargs='+', metavar='COMMAND', help='preceded by --')
    return parser


def _command(commands: Any, name: str, function: Any, text: str) -> argparse.ArgumentParser:
    text_of_help = text[0].upper() + text[1:] + '.'
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text_of_help)
    parser.set_defaults(function=function)
    return parser


def _add_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('directory', help="the folder of the cloud's state, logs and servers")


def _add_cloud_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--image',
        action='append',
        default=[],
        metavar='[NAME=]FILE',
        help='an image that servers can have, qcow2 or raw; can be given several times',
    )
    parser.add_argument(
        '--kind',
        choices=KINDS,
        default='qemu',
        help='how servers boot whose flavor is not called as a kind is (default: qemu)',
    )
    parser.add_argument(
        '--service',
        action='append',
        default=[],
        choices=OPTIONAL,
        help='a further service: volumes, containers, messages; can be given several times',
    )
    parser.add_argument(
        '--cache',
        default=CACHE,
        metavar='FOLDER',
        help='where what every new cloud needs is kept (default: %(default)s)',
    )
    parser.add_argument('--debug', action='store_true', help="more in the services' logs")


def _enter() -> None:
    """Go on where the services are installed; what needs none of them came before."""
    ready.enter(lambda text: print(text, file=sys.stderr))


def _images(options: argparse.Namespace) -> dict[str, str]:
    images = {}
    for item in options.image:
        name, _, path = item.rpartition('=')
        images[name or os.path.basename(path).partition('.')[0]] = path
    return images


def _create(directory: str, options: argparse.Namespace, bound: bool) -> Cloud:
    return Cloud.create(
        directory,
        _images(options),
        options.cache,
        options.kind,
        options.service,
        bound=bound,
        debug=options.debug,
    )


def _start(options: argparse.Namespace) -> None:
    if os.path.exists(os.path.join(options.directory, 'state.json')):
        cloud = Cloud(options.directory, bound=False)
        _enter()
    else:
        check_new(options.directory, _images(options))
        _enter()
        cloud = _create(options.directory, options, bound=False)
    cloud.start()
    directory = shlex.quote(options.directory)
    print(f'The cloud is up. To use it: eval "$(python -m localheat env {directory})"')


def _stop(options: argparse.Namespace) -> None:
    Cloud(options.directory).stop()


def _env(options: argparse.Namespace) -> None:
    for name, value in State.load(os.path.abspath(options.directory)).environment().items():
        print(f'export {name}={shlex.quote(value)}')


def _status(options: argparse.Namespace) -> int:
    services = Cloud(options.directory).services.values()
    for service in services:
        print(f'{service.name:10} {"running" if service.running else "stopped"}')
    return 0 if all(service.running for service in services) else 1


def _run(options: argparse.Namespace) -> int:
    check_new('', _images(options))
    _enter()
    with tempfile.TemporaryDirectory(prefix='localheat-') as directory:
        with _create(directory, options, bound=True) as cloud:
            environment = dict(os.environ, **cloud.environment)
            return subprocess.run(options.command, env=environment).returncode
