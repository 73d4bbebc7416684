# SPDX-License-Identifier: Apache-2.0
"""test-image/run-functional-job.sh: Heat's functional job for software deployments, on one machine.

This part needs nothing but the standard library; it makes what the rest needs.
"""

import argparse
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Optional

from gating import checkout, pip_index
from heat_software_config import version
from imagebuild import ending, tools
from imagebuild.errors import Refusal
from imagebuild.progress import Progress, clock
from localheat.ready import LOCALHEAT

ROOT = pathlib.Path(__file__).resolve().parent.parent
#: Heat's own functional job knows it by this path in a tree of templates.
ENVIRONMENT = pathlib.Path('hot', 'software-config', 'boot-config', 'test_image_env.yaml')

LOGS = ('cloud/*.log', 'cloud/servers/*/console.log', 'index/contents.json')

EPILOG = f"""
The agents come from a package index on this machine: from the checkouts and, for the others, from
the Python package index. The scenario is {pathlib.Path(__file__).parent.name}/templates/: the hooks
script, cfn-init and puppet, over CFN_SIGNAL and POLL_SERVER_CFN. A checkout that is not installed
on the server in the end is a failure, too: nothing would have tested it.

environment:
  LOCALHEAT_VENV            the virtual environment of OpenStack's services, made at first;
                            default: ~/.cache/localheat/venv
  HEAT_TEST_IMAGES          the folder of images; default: ~/.cache/heat-image/images
  HEAT_IMAGE_INSTALL=0      name missing system packages instead of installing them
  and those of build-heat-test-image.sh, if there is no image yet

exit codes: 0 all is as it should be; 1 it is not, or could not be tried; 2 wrong usage;
130, 143 interrupted. Servers and services end with the command.

examples:
  test-image/run-functional-job.sh
  test-image/run-functional-job.sh --checkout ~/os-collect-config --log-dir /tmp/logs
  test-image/run-functional-job.sh --image fedora-heat-test.qcow2 --heat-templates ~/heat-templates
"""


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog='run-functional-job.sh',
        description='Boot a test image as a server of a real Heat, have the agent installed by '
        'test_image_env.yaml, and carry out deployments.',
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument(
        '--distro', default='debian', help="the test image's distribution (default: %(default)s)"
    )
    options.add_argument('--release', help="the distribution's release (default: the latest)")
    options.add_argument(
        '--image', metavar='FILE', type=pathlib.Path, help='a test image that there is, instead'
    )
    options.add_argument(
        '--kind',
        choices=('qemu', 'chroot'),
        default='qemu',
        help='boot it in QEMU, or run its cloud-init and its agent in a chroot, '
        'which is quicker and takes root (default: %(default)s)',
    )
    options.add_argument(
        '--checkout',
        metavar='DIR',
        type=pathlib.Path,
        action='append',
        default=[],
        help='put a git checkout of an agent, or of anything else '
        'that pip installs with it, under test; repeatable',
    )
    options.add_argument(
        '--heat-templates',
        metavar='DIR',
        type=pathlib.Path,
        help=f'use {ENVIRONMENT} of that tree instead of this one',
    )
    options.add_argument(
        '--timeout',
        metavar='MINUTES',
        type=minutes,
        default=30,
        help='for boot and deployments (default: %(default)s)',
    )
    options.add_argument(
        '--log-dir',
        metavar='DIR',
        type=pathlib.Path,
        help="keep the console's and the services' logs in a new folder",
    )
    version.add_option(options)
    return options


def environment(options: argparse.Namespace) -> pathlib.Path:
    """Return the environment file that installs the agent."""
    tree: Optional[pathlib.Path] = options.heat_templates
    # Of this tree by its own path, for a package has no links.
    return tree / ENVIRONMENT if tree else ROOT / 'boot-config' / ENVIRONMENT.name


def minutes(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of minutes")
    return int(text)


def check(options: argparse.Namespace) -> None:
    """Make sure that what was named is there, before anything is installed.

    :raises Refusal: it is not.
    """
    if not environment(options).is_file():
        raise Refusal(f'--heat-templates: there is no {environment(options)}.')
    if options.image and not options.image.is_file():
        raise Refusal(f'--image: there is no file {options.image}.')
    for path in options.checkout:
        checkout.git(path, 'rev-parse', 'HEAD')
    if (
        options.log_dir
        and options.log_dir.exists()
        and (not options.log_dir.is_dir() or any(options.log_dir.iterdir()))
    ):
        raise Refusal(f'--log-dir: {options.log_dir} holds something else: name a new folder.')
    if options.kind == 'chroot' and os.geteuid() != 0:
        raise Refusal('A chroot takes root. Without it, use --kind qemu.')


def set_up(venv: pathlib.Path) -> None:
    """Install what the rest needs.

    :raises Refusal: it cannot be installed.
    """
    log = venv.parent / 'set-up.log'
    venv.parent.mkdir(parents=True, exist_ok=True)
    tools.set_up_venv(venv, log, print, LOCALHEAT)
    tools.set_up_packages(venv, ('integration',), log, print)


def find_image(options: argparse.Namespace) -> pathlib.Path:
    """Return the test image; built, if it is not there.

    :raises Refusal: it cannot be built.
    """
    image: Optional[pathlib.Path] = options.image
    if image:
        return image
    folder = pathlib.Path(
        os.environ.get('HEAT_TEST_IMAGES') or tools.cache(os.environ) / 'heat-image' / 'images'
    ).absolute()
    release = ['--release', options.release] if options.release else []
    name = '-'.join([options.distro, 'heat-test', *release[1:]])
    image = folder / (name + '.qcow2')
    if not image.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [
            ROOT / 'test-image' / 'build-heat-test-image.sh',
            '--distro',
            options.distro,
            *release,
            '-o',
            folder / name,
        ]
        with contextlib.ExitStack() as stack:
            process = stack.enter_context(subprocess.Popen(command))
            stack.callback(process.terminate)
            if process.wait():
                raise Refusal('The test image could not be built.')
    return image


@contextlib.contextmanager
def work_folder(options: argparse.Namespace) -> Iterator[pathlib.Path]:
    """A folder for the time of the run; its logs are kept if that was asked for."""
    with tempfile.TemporaryDirectory(prefix='heat-job-') as name:
        folder = pathlib.Path(name)
        try:
            yield folder
        finally:
            if options.log_dir:
                options.log_dir.mkdir(parents=True, exist_ok=True)
                for pattern in LOGS:
                    for path in folder.glob(pattern):
                        shutil.copy(path, options.log_dir)


def run(options: argparse.Namespace, venv: pathlib.Path) -> bool:
    """Carry the command out.

    :returns: whether all is as it should be.
    :raises Refusal: it could not be tried.
    """
    from gating import scenario
    from localheat.network import addresses

    progress = Progress(sys.stdout)
    image = find_image(options)
    progress.say(f'image: {image}')
    with work_folder(options) as folder:
        index = folder / 'index'
        wheels = pip_index.build(
            index, options.checkout, checkout.Pip(venv, os.environ), progress.say
        )
        with pip_index.Server(index) as server:
            failures = scenario.run(
                scenario.Setting(
                    image=image.absolute(),
                    kind=options.kind,
                    environment=environment(options),
                    parameters=pip_index.parameters(index, addresses.HOST, server.port),
                    under_test=wheels[: len(options.checkout)],
                    limit=60 * options.timeout,
                ),
                folder / 'cloud',
                progress.say,
            )
    for failure in failures:
        print(f'\n{failure}')
    logs = f' Logs: {options.log_dir}' if options.log_dir else ''
    print(f'{"FAILED" if failures else "PASSED"} in {clock(progress.elapsed)} minutes.{logs}')
    return not failures


def main() -> int:
    """Carry the command out, by the Python of its virtual environment; return its exit status."""
    options = parser().parse_args()
    venv = tools.venv_path(os.environ, LOCALHEAT)
    check(options)
    if not (venv.exists() and os.path.samefile(sys.prefix, venv)):
        set_up(venv)
        python = str(venv / 'bin' / 'python')
        os.execv(python, [python, '-m', 'gating.functional_job', *sys.argv[1:]])
    return 0 if run(options, venv) else 1


if __name__ == '__main__':
    sys.exit(ending.main(main))
