# SPDX-License-Identifier: Apache-2.0
"""What ./build-heat-image.sh and test-image/build-heat-test-image.sh have in common.

Each of them holds its options and what they make of a recipe.
"""

import argparse
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Optional

from imagebuild import build, ending, machine, recipe, tools
from imagebuild.distros import Distro
from imagebuild.errors import Refusal
from imagebuild.progress import Progress, clock

ROOT = pathlib.Path(__file__).resolve().parent.parent

#: The variables that mean the same to every command, for its help.
ENVIRONMENT = f"""\
  ELEMENTS_PATH             folders of elements that come before this project's
  ARCH                      amd64 or x86_64, arm64 or aarch64; default: this machine's
  TMPDIR                    where the build works; it is removed afterwards
  DIB_RELEASE, DIB_LOCAL_IMAGE, DIB_CLOUD_IMAGES, DIB_DISTRIBUTION_MIRROR and all other variables
                            of diskimage-builder keep their meaning
  DIB_IMAGE_CACHE           packages and base images kept for the next build;
                            default: ~/.cache/image-create
  HEAT_IMAGE_VENV           the virtual environment with diskimage-builder;
                            default: ~/.cache/heat-image/venv, made at the first run
  HEAT_IMAGE_INSTALL=0      name missing system packages instead of installing them
  HEAT_IMAGE_BUILD_GIB      the space that a build must find, in GiB; default: {machine.BUILD_GIB:g}
  http_proxy, https_proxy, no_proxy, PIP_*, CURL_CA_BUNDLE, REQUESTS_CA_BUNDLE
                            hold for the build too

exit codes: 0 the image is there; 1 the build failed or was refused; 2 wrong usage;
130, 143 interrupted. Nothing is left behind in any case, except the log of a failed build.
"""


def add_options(options: argparse.ArgumentParser, default_name: str) -> None:
    """Add the options of every build.

    :param default_name: the image's, for the help.
    """
    options.add_argument(
        'elements',
        nargs='*',
        metavar='ELEMENT',
        help='further elements, of diskimage-builder or of ELEMENTS_PATH',
    )
    options.add_argument(
        '-o',
        '--output',
        metavar='NAME',
        help=f'path of the image without its type (default: {default_name})',
    )
    options.add_argument(
        '-t',
        '--types',
        metavar='TYPES',
        default='qcow2',
        help=f'image types, separated by commas: {", ".join(recipe.TYPES)} (default: qcow2)',
    )
    options.add_argument('-a', '--arch', metavar='ARCH', help='as ARCH below')
    options.add_argument(
        '-p',
        '--packages',
        metavar='NAMES',
        action='append',
        default=[],
        help='further packages of the distribution, separated by commas; repeatable',
    )
    options.add_argument(
        '--no-tmpfs',
        action='store_true',
        help='build on disk, in TMPDIR, even if it would fit into memory',
    )
    options.add_argument(
        '--dry-run', action='store_true', help='print the call of disk-image-create and stop'
    )
    options.add_argument(
        '-x',
        dest='verbosity',
        action='count',
        default=0,
        help="trace the elements' scripts in the log; twice for more",
    )


def make_recipe(
    options: argparse.Namespace,
    environ: Mapping[str, str],
    distro: Optional[Distro],
    elements: Sequence[str],
    elements_path: tuple[pathlib.Path, ...],
    name: str,
    release: Optional[str] = None,
) -> recipe.Recipe:
    """Return a recipe by the options of every build.

    :param elements: those of the image, without `vm`.
    :param name: the image's, unless the user gave one.
    :param release: of the distribution, instead of the environment's.
    :raises Refusal: something is not known or not there.
    """
    types = recipe.image_types(options.types)
    disk = [] if set(types) <= recipe.DISKLESS_TYPES else ['vm']
    arch = options.arch or environ.get('ARCH') or None
    wanted = recipe.distro_environment(distro, recipe.architecture(arch), environ, release)
    if distro:
        mirrors = machine.apt_mirrors(distro.name)
        if not any(environ.get(name) for name in mirrors):
            wanted.update(mirrors)
    return recipe.Recipe(
        image=recipe.image_path(options.output or environ.get('IMAGE_NAME') or name, types),
        elements=tuple(dict.fromkeys([*disk, *elements, *options.elements])),
        elements_path=elements_path,
        types=types,
        arch=recipe.architecture(arch) if arch else None,
        distro=distro,
        packages=tuple(name for names in options.packages for name in names.split(',')),
        environment=wanted,
    )


def check_elements(wanted: recipe.Recipe, venv: pathlib.Path) -> None:
    """Make sure that every element is there, ours or diskimage-builder's.

    :raises Refusal: one is not.
    """
    builtin = list(venv.glob('lib/python3*/site-packages/diskimage_builder/elements'))
    for name in wanted.elements:
        if recipe.find_element(name, [*wanted.elements_path, *builtin]) is None:
            folders = ', '.join(map(str, wanted.elements_path))
            raise Refusal(
                f"There is no element '{name}', neither in diskimage-builder nor in "
                f'{folders}. For one of your own, put the folder that holds it on '
                f'ELEMENTS_PATH.'
            )


def size(path: pathlib.Path) -> str:
    return f'{path.stat().st_size / 1024**2:.0f} MiB'


def summary(wanted: recipe.Recipe, log: pathlib.Path, elapsed: float) -> str:
    """Return what was built and what to do with it."""
    lines = [f'Built in {clock(elapsed)} minutes:']
    lines += [f'  {path}  {size(path)}' for path in wanted.files() if path.exists()]
    lines += [f'Elements: {" ".join(wanted.elements)}', f'Log: {log}']
    for path in wanted.files():
        if path.suffix in ('.qcow2', '.raw'):
            lines += [
                'Next:',
                f'  openstack image create --disk-format {path.suffix[1:]} '
                f'--container-format bare \\\n      --file {shlex.quote(str(path))} '
                f'{shlex.quote(wanted.image.name)}',
            ]
            break
    return '\n'.join(lines)


def build_image(
    wanted: recipe.Recipe,
    options: argparse.Namespace,
    environ: Mapping[str, str],
) -> None:
    """Build an image, or print how with --dry-run.

    :raises Refusal: it cannot be built, or that failed.
    :raises ending.Interrupted: a signal ended it.
    """
    recipe.check_image(wanted.image)
    venv = tools.venv_path(environ)
    log = wanted.image.with_name(wanted.image.name + '.log')
    recipe.check_blanks(pathlib.Path(tempfile.gettempdir()), 'TMPDIR')
    needed = machine.needed_gib(environ)
    on_disk = (
        options.no_tmpfs
        or environ.get('DIB_NO_TMPFS', '0') != '0'
        or machine.free_memory_gib() < needed
    )
    if (venv / 'bin' / 'disk-image-create').exists():
        check_elements(wanted, venv)
    if options.dry_run:
        for name, value in sorted(
            {
                **wanted.environment,
                'ELEMENTS_PATH': os.pathsep.join(map(str, wanted.elements_path)),
            }.items()
        ):
            print(f'{name}={shlex.quote(value)} \\')
        print(shlex.join(build.command(wanted, wanted.image, on_disk, options.verbosity)))
        return
    machine.check_rights()
    machine.check_disk(
        [
            *([('the build', pathlib.Path(tempfile.gettempdir()), needed)] if on_disk else []),
            ('the image', wanted.image.parent, machine.IMAGE_GIB),
            ('the cache', build.image_cache(environ), machine.IMAGE_GIB),
        ]
    )

    progress = Progress(sys.stdout)
    log.write_text('')
    progress.say(f'building {wanted.image}: {" ".join(wanted.elements)}')
    tools.set_up_venv(venv, log, progress.say)
    tools.set_up_packages(
        venv, wanted.distro.profiles if wanted.distro else ('build',), log, progress.say
    )
    check_elements(wanted, venv)
    if on_disk and not options.no_tmpfs:
        progress.say(
            f'building on disk, in {tempfile.gettempdir()}: '
            f'there are not {needed:g} GiB of memory free'
        )
    wanted.environment.update(tools.pip_environment(venv, environ))
    build.run(wanted, venv, log, progress, environ, on_disk, options.verbosity)
    print(summary(wanted, log, progress.elapsed))


def list_packages(wanted: recipe.Recipe, environ: Mapping[str, str]) -> list[str]:
    """Return the names that the package manager gets for an image, as diskimage-builder has them.

    :raises Refusal: diskimage-builder cannot be had, or fails over an element.
    """
    venv = tools.venv_path(environ)
    tools.set_up_venv(venv, venv.with_name('set-up.log'), Progress(sys.stderr).say)
    check_elements(wanted, venv)
    done = subprocess.run(
        [venv / 'bin' / 'python', '-m', 'imagebuild.resolve', *wanted.elements],
        env={
            **environ,
            **wanted.environment,
            'PYTHONPATH': str(ROOT),
            'ARCH': recipe.architecture(wanted.arch or environ.get('ARCH')),
            'ELEMENTS_PATH': os.pathsep.join(map(str, wanted.elements_path)),
        },
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise Refusal(f'diskimage-builder cannot resolve the packages: {done.stderr.strip()}')
    return sorted({*done.stdout.split(), *wanted.packages})


def main(run: Callable[[], None]) -> int:
    """Run a command that builds; return its exit status."""
    return ending.main(run, 'Interrupted. The build has been removed; its log is kept.')
