# SPDX-License-Identifier: Apache-2.0
"""What ./build-heat-image.sh and test-image/build-heat-test-image.sh have in common.

Each of them holds its options and what they make of a recipe.
"""

import argparse
import dataclasses
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Optional

from heat_software_config import version
from imagebuild import accounts, build, call, distros, emulation, ending, machine, recipe, tools
from imagebuild.distros import Distro
from imagebuild.errors import Refusal
from imagebuild.progress import Progress, clock

ROOT = pathlib.Path(__file__).resolve().parent.parent

#: The variables that mean the same to every command, for its help.
ENVIRONMENT = f"""\
  ELEMENTS_PATH             folders of elements that come before this project's
  ARCH                      amd64 or x86_64, arm64 or aarch64; default: this machine's. Another
                            one takes QEMU, which is set up if that is allowed
  TMPDIR                    where the build works; it is removed afterwards
  DIB_RELEASE, DIB_LOCAL_IMAGE, DIB_CLOUD_IMAGES, DIB_DISTRIBUTION_MIRROR and all other variables
                            of diskimage-builder keep their meaning
  DIB_IMAGE_CACHE           packages and base images kept for the next build;
                            default: ~/.cache/image-create
  HEAT_IMAGE_VENV           the virtual environment with diskimage-builder;
                            default: ~/.cache/heat-image/venv, made at the first run
  HEAT_IMAGE_INSTALL=0      name missing system packages instead of installing them, and set up
                            nothing on this machine
  HEAT_IMAGE_BUILD_GIB      the space that a build must find, in GiB; default: {machine.BUILD_GIB:g}
  http_proxy, https_proxy, no_proxy, PIP_*, CURL_CA_BUNDLE, REQUESTS_CA_BUNDLE
                            hold for the build too

exit codes: 0 the image is there; 1 the build failed or was refused; 2 wrong usage;
130, 143 interrupted. Nothing is left behind in any case, except the log of a failed build; what a
machine leaves that goes down meanwhile, the next build removes.
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
    options.add_argument(
        '-a', '--arch', metavar='ARCH', help='amd64 or arm64; as ARCH below, which it goes before'
    )
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
        '--dry-run',
        action='store_true',
        help='check all that a build checks, print its call of disk-image-create, and stop',
    )
    options.add_argument(
        '-x',
        dest='verbosity',
        action='count',
        default=0,
        help="trace the elements' scripts in the log; twice for more",
    )
    version.add_option(options)


def image_recipe(
    options: argparse.Namespace,
    environ: Mapping[str, str],
    distro: Optional[Distro],
    elements: Sequence[str],
    elements_path: tuple[pathlib.Path, ...],
    name: str,
) -> recipe.Recipe:
    """Return a recipe by the options of every build.

    :param elements: those of the image, without `vm`.
    :param name: the image's, unless the user gave one.
    :raises Refusal: something is not known or not there.
    """
    types = recipe.image_types(options.types)
    named = options.arch or environ.get('ARCH') or None
    arch = recipe.architecture(named)
    elements = [*elements, *options.elements]
    if not set(types) <= recipe.DISKLESS_TYPES:
        if arch == 'arm64' and not any(name.startswith('block-device-') for name in elements):
            elements.insert(0, 'block-device-efi')  # arm64 has no other firmware
        elements.insert(0, 'vm')
    elements = list(dict.fromkeys(elements))
    variables: dict[str, str] = {}
    if distro:
        release, known = distros.find_release(distro, options.release or environ.get('DIB_RELEASE'))
        recipe.check_release(distro, release, known, arch, elements)
        recipe.check_local_image(distro, elements, environ)
        variables = recipe.distro_variables(distro, release, arch, environ)
        recipe.check_base_image(distro, release, elements, {**environ, **variables})
        mirrors = machine.apt_mirrors(distro.name)
        if not any(environ.get(mirror) for mirror in mirrors):
            variables.update(mirrors)
    elif options.release:
        raise Refusal(
            'What --release means is not known for these BASE_ELEMENTS: set DIB_RELEASE to what '
            'they read.'
        )
    return recipe.Recipe(
        image=recipe.image_path(options.output or environ.get('IMAGE_NAME') or name, types),
        elements=tuple(elements),
        elements_path=elements_path,
        types=types,
        arch=arch if named else None,
        distro=distro,
        packages=tuple(name for names in options.packages for name in names.split(',')),
        variables=variables,
    )


def check_elements(wanted: recipe.Recipe, venv: pathlib.Path) -> bool:
    """Make sure that every element is there, ours or diskimage-builder's.

    :return: whether that could be told, which takes diskimage-builder.
    :raises Refusal: one is not.
    """
    builtin = list(venv.glob('lib/python3*/site-packages/diskimage_builder/elements'))
    for name in wanted.elements:
        # All elements of hooks are on ELEMENTS_PATH.
        if not builtin and not name.startswith(recipe.HOOK_PREFIX):
            continue
        if recipe.find_element(name, [*wanted.elements_path, *builtin]) is None:
            folders = ', '.join(map(str, wanted.elements_path))
            raise Refusal(
                f"There is no element '{name}', neither in diskimage-builder nor in "
                f'{folders}. For one of your own, put the folder that holds it on '
                f'ELEMENTS_PATH.'
            )
    return bool(builtin)


def size(path: pathlib.Path) -> str:
    return f'{path.stat().st_size / 1024**2:.0f} MiB'


def summary(
    wanted: recipe.Recipe, log: pathlib.Path, written: Sequence[pathlib.Path], elapsed: float
) -> str:
    """Return what was built and what to do with it.

    :param written: what lies beside the image.
    """
    lines = [f'Built in {clock(elapsed)} minutes:']
    lines += [f'  {path}  {size(path)}' for path in wanted.files() if path.exists()]
    lines += [f'  {path}' for path in written]
    lines += [f'Elements: {" ".join(wanted.elements)}', f'Log: {log}']
    for path in wanted.files():
        if path.suffix in ('.qcow2', '.raw'):
            # So that a cloud with both kinds of machines starts it on the right one.
            kind = '--property architecture=aarch64 ' if wanted.arch == 'arm64' else ''
            lines += [
                'Next:',
                f'  openstack image create --disk-format {path.suffix[1:]} '
                f'--container-format bare {kind}\\\n      --file {shlex.quote(str(path))} '
                f'{shlex.quote(wanted.image.name)}',
            ]
            break
    return '\n'.join(lines)


def check(wanted: recipe.Recipe, options: argparse.Namespace, environ: Mapping[str, str]) -> bool:
    """Make sure that an image can be built here, as far as can be told without beginning.

    :return: whether it is to be built on disk, not in memory.
    :raises Refusal: it cannot.
    """
    recipe.check_image(wanted.image)
    folder = pathlib.Path(tempfile.gettempdir())
    recipe.check_blanks(folder, 'TMPDIR')
    machine.check_rights(ask=not options.dry_run)
    needed = machine.needed_gib(environ)
    on_disk = (
        options.no_tmpfs
        or environ.get('DIB_NO_TMPFS', '0') != '0'
        or machine.free_memory_gib() < needed
    )
    machine.check_disk(
        [
            *([('the build', folder, needed)] if on_disk else []),
            ('the image', wanted.image.parent, machine.IMAGE_GIB),
            ('the cache', call.image_cache(environ), machine.IMAGE_GIB),
        ]
    )
    return bool(on_disk)


def profiles(wanted: recipe.Recipe) -> list[str]:
    """Return what bindep.txt calls the packages that a build takes."""
    found = list(wanted.distro.profiles if wanted.distro else ('build',))
    if wanted.arch and not emulation.is_native(wanted.arch):
        found.append('build-foreign')
    return found


def print_call(
    wanted: recipe.Recipe, options: argparse.Namespace, environ: Mapping[str, str]
) -> None:
    """Check all that a build checks, and print its call of disk-image-create.

    :raises Refusal: it would not be built.
    """
    on_disk = check(wanted, options, environ)
    venv = tools.venv_path(environ)
    variables = dict(wanted.variables)
    to_install: list[str] = []
    if check_elements(wanted, venv):
        variables.update(tools.pip_variables(venv, environ))
        to_install = tools.check_packages(venv, profiles(wanted))
    else:
        print(
            f'diskimage-builder is not in {venv} yet, and so its elements were not looked up: '
            'a build installs it, and so does pip.',
            file=sys.stderr,
        )
    if wanted.arch and not to_install:
        emulation.check(wanted.arch)
    planned = call.disk_image_create(
        dataclasses.replace(wanted, variables=variables),
        venv,
        call.stand_ins(may_load=False),
        environ,
        image=wanted.image,
        work=pathlib.Path(tempfile.gettempdir()),
        on_disk=on_disk,
        verbosity=options.verbosity,
    )
    print(planned.for_shell(environ))


def build_image(
    wanted: recipe.Recipe,
    options: argparse.Namespace,
    environ: Mapping[str, str],
) -> None:
    """Build an image, or print how with --dry-run.

    :raises Refusal: it cannot be built, or that failed.
    :raises ending.Interrupted: a signal ended it.
    """
    if wanted.distro:
        warning = distros.warning(wanted.distro, wanted.variables['DIB_RELEASE'])
        if warning:
            print(warning, file=sys.stderr)
    if options.dry_run:
        print_call(wanted, options, environ)
        return
    venv = tools.venv_path(environ)
    check_elements(wanted, venv)
    on_disk = check(wanted, options, environ)

    progress = Progress(sys.stdout)
    log = wanted.image.with_name(wanted.image.name + '.log')
    log.write_text('')
    progress.say(f'building {wanted.image}: {" ".join(wanted.elements)}')
    tools.set_up_venv(venv, log, progress.say)
    tools.set_up_packages(venv, profiles(wanted), log, progress.say)
    if wanted.arch:
        emulation.set_up(wanted.arch, progress.say)
    check_elements(wanted, venv)
    if on_disk and not options.no_tmpfs:
        progress.say(
            f'building on disk, in {tempfile.gettempdir()}: '
            f'there are not {machine.needed_gib(environ):g} GiB of memory free'
        )
    wanted = dataclasses.replace(
        wanted, variables={**wanted.variables, **tools.pip_variables(venv, environ)}
    )
    build.run(wanted, venv, log, progress, environ, on_disk, options.verbosity)
    written = accounts.write(wanted, venv, progress.say)
    print(summary(wanted, log, written, progress.elapsed))


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
            **wanted.variables,
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
