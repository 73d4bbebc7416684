# SPDX-License-Identifier: Apache-2.0
"""Install the Heat agent and its hooks on this system, or below --root.

It is the __main__ of the file that build-agent-installer.sh writes; beside it
in there: install_elements.py, which boot-config runs, too; elements.json, what
it installs; about.json, with "version" and the "hooks" to install by default;
and with build-agent-installer.sh --offline a folder "wheels".

Python 3.6's standard library suffices.
"""

import argparse
import contextlib
import fcntl
import glob
import json
import os
import shutil
import sys
import tempfile
import zipfile

import install_elements
from install_elements import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

NAME = 'heat-agent-install'
ARCHIVE = os.path.dirname(os.path.abspath(__file__))
#: What is installed is known from here: an object with "version", "hooks" and "files".
FOLDER = '/var/lib/heat-agent'
MANIFEST = FOLDER + '/installed.json'
#: What others had in the places of our files; uninstalling puts it back.
REPLACED = FOLDER + '/replaced'
HOOKS = '/var/lib/heat-config/hooks'
#: The dispatcher looks here first, and packages of the former public agents have their hooks here.
PACKAGED_HOOKS = '/usr/libexec/heat-config/hooks'
VENV = '/opt/stack/venvs/heat-agent'
LINKS = '/usr/local/bin'
#: Written by a script of the elements, not copied from them.
RELEASE = '/etc/heat-agent-release'
UNITS = ('os-collect-config.service', 'heat-config-signal.timer')
KEPT = (
    ('/var/lib/heat-config/deployed', 'what was carried out'),
    ('/var/lib/heat-config/heat-config-script', 'scripts of deployments'),
    ('/var/log/heat-config', 'the logs of deployments'),
    ('/etc/os-collect-config.conf', "the agent's configuration and credentials"),
)
#: Where files of the merged elements end; bin and static: install_elements.STATIC.
PLACES = {
    'os-apply-config': '/usr/libexec/os-apply-config/templates/',
    'os-refresh-config': '/usr/libexec/os-refresh-config/',
}

FILES_OF_PIP = ('PIP_CERT', 'PIP_CONSTRAINT', 'REQUESTS_CA_BUNDLE', 'SSL_CERT_FILE')

# Mounts in a namespace of their own, which ends with the installation.
IN_ROOT = """
if [ ! -e "$1/proc/self" ]; then mount -t proc proc "$1/proc"; fi
if [ ! -c "$1/dev/null" ]; then mount --rbind /dev "$1/dev"; fi
if [ -f "$1/etc/resolv.conf" ] && [ ! -L "$1/etc/resolv.conf" ] && [ -s /etc/resolv.conf ]; then
    mount --bind /etc/resolv.conf "$1/etc/resolv.conf"
fi
root=$1
shift
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
if ! chroot "$root" python3 -c ''; then
    echo "heat-agent-install: $root has no python3 that works: install it there first" >&2
    exit 1
fi
exec chroot "$root" python3 -B "$@"
"""


def content(name: str) -> 'Any':
    """A JSON file of the archive."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        return json.loads(archive.read(name).decode('utf-8'))


def parser(about: 'dict[str, Any]') -> argparse.ArgumentParser:
    default = ','.join(['script'] + about['hooks'])
    options = argparse.ArgumentParser(
        prog=NAME,
        description='Install the agent that carries out software deployments of OpenStack Heat, '
        'and its hooks. Running it again is harmless; a newer one upgrades, and keeps what the '
        'agent has done.',
        epilog="pip's own variables (PIP_INDEX_URL, PIP_CERT ...) and http_proxy, https_proxy and "
        'no_proxy hold.',
    )
    options.add_argument(
        '--hooks', metavar='NAME,...', help=f'hooks to install, too (default: {default})'
    )
    source = options.add_mutually_exclusive_group()
    source.add_argument(
        '--packages', action='store_true', help="the agents from the distribution's packages"
    )
    source.add_argument(
        '--pip',
        action='store_true',
        help='the agents from the Python package index, into a virtual environment (default)',
    )
    options.add_argument(
        '--root', metavar='DIR', help='install into the system whose files are in this folder'
    )
    options.add_argument(
        '--no-start', action='store_true', help='do not start the agent, only enable it'
    )
    options.add_argument(
        '--dry-run', action='store_true', help='only say what would be done; needs no root'
    )
    options.add_argument('--list', action='store_true', help='list the hooks, and those installed')
    options.add_argument(
        '--uninstall',
        action='store_true',
        help='remove the agent; what it has done stays on record',
    )
    options.add_argument('--version', action='version', version=f'%(prog)s {about["version"]}')
    return options


def main() -> int:
    about = content('about.json')
    options = parser(about).parse_args()
    if os.geteuid() != 0 and not options.dry_run and not options.list:
        raise Failure('this takes root: use sudo')
    if options.root and os.path.realpath(options.root) != '/':
        return in_root(options.root, [word for word in sys.argv[1:] if word != '--no-start'])
    elements = content('elements.json')
    if options.list:
        list_hooks(elements)
        return 0
    if options.uninstall:
        with locked():
            uninstall(options.dry_run)
        return 0
    wanted = about['hooks'] if options.hooks is None else options.hooks.replace(',', ' ').split()
    hooks = sorted(set(wanted) - {'script'})
    tree = install_elements.chosen(elements, hooks)
    environment(options.packages, about)
    if options.dry_run:
        dry_run(tree, about)
        return 0
    with locked():
        install(tree, hooks, about)
    start(options.no_start)
    return 0


def environment(packages: bool, about: 'dict[str, Any]') -> None:
    """Set what the elements read, with diskimage-builder's meaning."""
    os.environ['DEBIAN_FRONTEND'] = 'noninteractive'
    os.environ['DIB_DEFAULT_INSTALLTYPE'] = 'package' if packages else 'source'
    os.environ.setdefault('LC_ALL', 'C.UTF-8')
    for name, value in (('RETRIES', '5'), ('DISABLE_PIP_VERSION_CHECK', '1'), ('QUIET', '1')):
        os.environ.setdefault('PIP_' + name, value)
    if about.get('offline') and not packages:
        os.environ['PIP_NO_INDEX'] = '1'


def in_root(root: str, arguments: 'list[str]') -> int:
    """Run this program in another root file system; its exit status."""
    root = os.path.realpath(root)
    if not os.path.exists(os.path.join(root, 'etc/os-release')) and not os.path.exists(
        os.path.join(root, 'usr/lib/os-release')
    ):
        raise Failure(f'{root} does not hold a system: it has no etc/os-release')
    position = next(i for i, word in enumerate(arguments) if word.startswith('--root'))
    del arguments[position : position + (1 if '=' in arguments[position] else 2)]
    os.makedirs(os.path.join(root, 'var/tmp'), exist_ok=True)
    folder = tempfile.mkdtemp(prefix=NAME + '-', dir=os.path.join(root, 'var/tmp'))
    try:
        bring_files_of_pip(root, folder)
        program = shutil.copy(ARCHIVE, os.path.join(folder, NAME))
        command = ['unshare', '--mount', '--propagation', 'private', 'sh', '-euc', IN_ROOT, 'sh']
        return install_elements.call(
            command + [root, '/' + os.path.relpath(program, root)] + arguments
        )
    finally:
        shutil.rmtree(folder)


def bring_files_of_pip(root: str, folder: str) -> None:
    """Let the files that pip's variables name be found in another root file system.

    :param folder: of it, for copies of them.
    """
    for name in FILES_OF_PIP:
        path = os.environ.get(name, '')
        if os.path.isfile(path):
            copied = shutil.copy(path, os.path.join(folder, name))
            os.environ[name] = '/' + os.path.relpath(copied, root)
    links = os.environ.pop('PIP_FIND_LINKS', '').split()
    if any('://' in link for link in links):
        os.environ['PIP_FIND_LINKS'] = ' '.join(link for link in links if '://' in link)


@contextlib.contextmanager
def locked() -> 'Iterator[None]':
    """Let no two of this program be at work."""
    os.makedirs(FOLDER, mode=0o700, exist_ok=True)
    with open(FOLDER + '/lock', 'w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Failure('another heat-agent-install is at work on this system')
        yield


def manifest() -> 'dict[str, Any]':
    """What is installed, as far as this program has installed it."""
    try:
        with open(MANIFEST) as file:
            return json.load(file)
    except (OSError, ValueError):
        return {'version': None, 'hooks': [], 'files': []}


def targets(tree: 'dict[str, str]') -> 'list[str]':
    """The files that an installation of merged elements puts into the system."""
    found = set()
    for path in tree:
        kind, _, rest = path.partition('/')
        place = install_elements.STATIC.get(kind) or PLACES.get(kind)
        kept = kind == 'static' and install_elements.KEPT.search(place + rest)
        if place and not kept:
            found.add(place + rest)
        elif kind == 'install.d' and rest.startswith('heat_'):
            found.add(f'{HOOKS}/{rest}')
        elif kind == 'install.d' and rest.startswith('hook-'):
            found.add(f'{HOOKS}/{rest[len("hook-") : -len(".py")]}')
    return sorted(found)


def install(tree: 'dict[str, str]', hooks: 'list[str]', about: 'dict[str, Any]') -> None:
    before = manifest()
    files = targets(tree)
    if before['version'] is None:
        say(f'installing version {about["version"]}')
    else:
        say(f'version {before["version"]} is installed; installing {about["version"]}')
    # At first, so that what an interruption leaves can be uninstalled, too.
    keep_replaced(files, before['files'])
    write_manifest(dict(before, files=sorted(set(before['files'] + files))))
    install_elements.install(tree, not about.get('offline'), unpack_wheels)
    remove(sorted(set(before['files']) - set(files)))
    write_manifest({'version': about['version'], 'hooks': ['script'] + hooks, 'files': files})
    say(f'version {about["version"]} is installed, with the hooks ' + ', '.join(['script'] + hooks))


def write_manifest(value: 'dict[str, Any]') -> None:
    install_elements.write(MANIFEST, json.dumps(value, indent=1, sort_keys=True), 0o644)


def keep_replaced(files: 'list[str]', ours: 'list[str]') -> None:
    """Put aside what others have in the places of our files, and hooks that would go before ours.

    :param files: those that are to be installed.
    :param ours: those that an earlier installation has brought.
    """
    for path in sorted(set(files) - set(ours)):
        if os.path.lexists(path):
            copy(path, REPLACED + path)
    for path in files:
        if path.startswith(HOOKS + '/'):
            packaged = os.path.join(PACKAGED_HOOKS, os.path.basename(path))
            if os.path.lexists(packaged) and os.path.realpath(packaged) != path:
                say(f'{packaged} is put aside, in {REPLACED}')
                copy(packaged, REPLACED + packaged)
                os.unlink(packaged)


def copy(path: str, target: str) -> None:
    """Copy a file or a link, with its mode, unless an earlier one was kept."""
    if not os.path.lexists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy2(path, target, follow_symlinks=False)


def unpack_wheels(folder: str) -> None:
    """Put the wheels of an installer that needs no network where the agents' element finds them."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        for name in archive.namelist():
            if name.startswith('wheels/'):
                archive.extract(name, folder)
    if os.path.isdir(folder + '/wheels'):
        os.rename(folder + '/wheels', folder + '/heat-agent-wheels')
        os.environ['PIP_FIND_LINKS'] = folder + '/heat-agent-wheels'


def start(only_enabled: bool) -> None:
    """Have the agent run, or say when it will."""
    if not os.path.isdir('/run/systemd/system'):
        say('systemd does not run here: the agent starts with the next boot')
    elif only_enabled:
        say('the agent starts with the next boot, or with: systemctl start ' + ' '.join(UNITS))
    else:
        # What a hook is at work with goes on, for the unit ends the agent alone.
        if install_elements.call(['systemctl', 'restart'] + list(UNITS)):
            raise Failure(
                'the agent is installed, but does not start: see journalctl -u ' + UNITS[0]
            )
        say('the agent runs')


def uninstall(only_said: bool) -> None:
    """Remove the agent; leave what it has done, and say where."""
    installed = manifest()
    if not installed['files']:
        say('there is nothing to uninstall: no heat-agent-install has installed anything here')
        return
    links = [
        path
        for path in sorted(glob.glob(LINKS + '/*'))
        if os.path.islink(path)
        and os.readlink(path).startswith((VENV + '/', HOOKS + '/'))
        and path not in installed['files']
    ]
    if only_said:
        for path in installed['files'] + links + [RELEASE, VENV]:
            say(f'would remove {path}')
        return
    if shutil.which('systemctl'):
        running = os.path.isdir('/run/systemd/system')
        for unit in UNITS:
            install_elements.call(['systemctl', 'disable'] + ['--now'] * running + [unit])
    remove(installed['files'] + links + [RELEASE])
    shutil.rmtree(VENV, ignore_errors=True)
    shutil.rmtree(HOOKS + '/__pycache__', ignore_errors=True)
    for folder, _, names in os.walk(REPLACED):
        for name in names:
            path = os.path.join(folder, name)
            target = path[len(REPLACED) :]
            say(f'{target} is what it was before')
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy2(path, target, follow_symlinks=False)
    shutil.rmtree(REPLACED, ignore_errors=True)
    os.unlink(MANIFEST)
    if os.path.isdir('/run/systemd/system'):
        install_elements.call(['systemctl', 'daemon-reload'])
    say('the agent is removed; the packages of the distribution stay')
    for path, what in KEPT:
        if os.path.exists(path):
            say(f'left in {path}: {what}')


def remove(paths: 'list[str]') -> None:
    """Remove files, and the folders that are empty then."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        folder = os.path.dirname(path)
        while folder.startswith(('/usr/libexec/', '/var/lib/heat-config/hooks')):
            try:
                os.rmdir(folder)
            except OSError:
                break
            folder = os.path.dirname(folder)


def dry_run(tree: 'dict[str, str]', about: 'dict[str, Any]') -> None:
    """Say what an installation would do."""
    system = install_elements.this_system()
    say(f'this is {system.name} {system.release}')
    packages = {} if about.get('offline') else install_elements.packages_of(tree, system)
    for phase in ('pre-install.d', 'install.d', 'post-install.d'):
        for package in packages.get(phase, ()):
            say(f'would install the package {package}')
    for path in targets(tree):
        say(f'would write {path}')
    for phase in ('pre-install.d', 'install.d', 'post-install.d'):
        for script in install_elements.scripts(tree, phase):
            say(f'would run {script}')


def list_hooks(elements: 'dict[str, Any]') -> None:
    """Print the hooks' names, and whether they are installed."""
    for name in sorted(elements['hooks']):
        path = f'{HOOKS}/{name}'
        print(name + ('  (installed)' if os.path.exists(path) else ''))


def say(message: str) -> None:
    print(f'{NAME}: {message}', flush=True)


if __name__ == '__main__':
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f'{NAME}: {failure}')
    except OSError as error:
        sys.exit(f'{NAME}: {error.filename or ""}: {error.strerror}')
    except KeyboardInterrupt:
        sys.exit(f'{NAME}: interrupted; running it again goes on from where it was')
