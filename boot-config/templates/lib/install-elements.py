#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Do on a running server what diskimage-builder does in an image: install elements.

Usage: install-elements.py [--hooks NAME,...] [--no-packages] ELEMENTS.json
       install-packages NAME...

ELEMENTS.json is an object:
  agent  the elements of the agent, merged: {path: content}
  hooks  the same of each hook: {name: {path: content}}
As the script of a deployment, without arguments, it installs the hook that
the environment variable `hook` names, whose merged elements are JSON in the
last line of the script itself: a variable could not hold as much.

Of each element, what matters at boot: package-installs.yaml and pkg-map (as
package-installs/<element>.yaml and pkg-map/<element>), environment.d, bin,
static and, in the order of their names, the scripts of pre-install.d and
install.d; those of post-install.d run at once.  One that fails ends it.

Environment, with diskimage-builder's meaning: DIB_DEFAULT_INSTALLTYPE,
DIB_INSTALLTYPE_<element>.  Installing twice is harmless.

The scripts find the second form on their PATH.  Python 3.6's standard library
suffices, but for PyYAML, which cloud-init and the agents bring.
"""

import argparse
import concurrent.futures
import errno
import fcntl
import glob
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

# Seconds to wait for another package manager, such as cloud-init's or a nightly upgrade's.
LOCK_PATIENCE = 300
# Files that a package manager locks while it is at work, and those that hold the number of its
# process.  apt waits for some of the first itself, but not for its lists; dnf waits for ever.
LOCKED = (
    '/var/lib/dpkg/lock-frontend',
    '/var/lib/dpkg/lock',
    '/var/lib/apt/lists/lock',
    '/var/cache/apt/archives/lock',
    '/var/lib/rpm/.rpm.lock',
)
AT_WORK = (
    '/var/cache/dnf/download_lock.pid',
    '/var/cache/dnf/metadata_lock.pid',
    '/var/lib/dnf/rpmdb_lock.pid',
)
ATTEMPTS = 3  # at what needs a mirror; pauses of 5 and 10 seconds between them
# What the agent rewrites is not taken back to its beginnings.
KEPT = re.compile(r'/etc/[^/]+\.conf$')
STATIC = {'bin': '/usr/local/bin/', 'static': '/'}
# distributions: begin, written by imagebuild/update-tables: do not edit
FAMILIES = {
    'debian': 'debian ubuntu',
    'redhat': 'fedora centos rocky almalinux rhel openeuler',
    'suse': 'opensuse',
}
# Releases that have packages of the agents.
WITH_PACKAGES = {
    'centos': '9-stream',
    'debian': 'trixie',
    'ubuntu': 'jammy noble resolute',
}
# Releases whose life has ended.
ENDED = {
    'centos': '6 7 8 8-stream',
    'debian': 'wheezy jessie stretch buster bullseye',
    'fedora': '20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42',
    'opensuse': '13.1 13.2 42.1 42.2 42.3 15.0 15.1 15.2 15.3 15.4 15.5 15.6',
    'rhel': '6 7',
    'ubuntu': 'precise trusty xenial bionic focal plucky questing',
}
# distributions: end
# A mirror that does not answer is given up soon: the attempts are counted here.
APT = [
    'apt-get',
    '-q',
    '-o',
    'DPkg::Lock::Timeout=300',
    '-o',
    'Acquire::Retries=0',
    '-o',
    'Acquire::http::Timeout=15',
    '-o',
    'Acquire::https::Timeout=15',
]
MANAGERS = {
    'debian': {
        'have': ['dpkg-query', '--show', '--showformat=${db:Status-Status}\n'],
        'refresh': [*APT, '--error-on=any', 'update'],
        'install': [*APT, '-y', '--no-install-recommends', 'install'],
    },
    'redhat': {
        'have': ['rpm', '--query', '--whatprovides'],
        'install': [
            'dnf',
            '-y',
            '--setopt=timeout=15',
            '--setopt=retries=2',
            '--setopt=install_weak_deps=False',
            'install',
        ],
    },
    'suse': {
        'have': ['rpm', '--query', '--whatprovides'],
        'refresh': ['zypper', '--non-interactive', 'refresh'],
        'install': ['zypper', '--non-interactive', 'install', '--no-recommends'],
    },
}


class Failure(Exception):
    """The elements cannot be installed; the message says why."""


class System:
    """This server's distribution, in diskimage-builder's words.

    :param release: the content of /etc/os-release.
    """

    def __init__(self, release: str) -> None:
        values = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', release, re.MULTILINE))
        self.name = re.sub('-(leap|tumbleweed)$', '', values.get('ID', '').lower())
        self.family = next(
            (family for family, names in FAMILIES.items() if self.name in names.split()), ''
        )
        if not self.family:
            raise Failure(
                f'the distribution {self.name} is not known, only '
                + ', '.join(sorted(' '.join(FAMILIES.values()).split()))
            )
        version = values.get('VERSION_ID', '')
        if self.family == 'debian':
            self.release = values.get('VERSION_CODENAME', '')
        elif self.family == 'suse':
            self.release = version if values['ID'].endswith('leap') else 'tumbleweed'
        elif self.name == 'openeuler':  # its VERSION: 24.03 (LTS-SP1)
            self.release = re.sub(r'[^\w.]+', '-', values.get('VERSION', '')).strip('-')
        else:
            self.release = version.split('.')[0] + ('-stream' if self.name == 'centos' else '')
        ended = ENDED.get(self.name, '').split()
        if self.release in ended or version.split('.')[0] in ended:
            say(
                f'warning: the life of {self.name} {self.release} has ended; '
                'its packages may be gone, and it gets no security updates'
            )

    def lacks_agents(self) -> str:
        """Why the agents may not be among the distribution's packages; empty if they are."""
        if self.release in WITH_PACKAGES.get(self.name, '').split():
            return ''
        return (
            f'; {self.name} {self.release} is not known to have packages of the agents: '
            f'{self.name}_pip_env.yaml takes them from the Python package index'
        )

    def package(self, name: str, names: 'dict[str, Any]') -> str:
        """What a package is called here.

        :param names: an element's pkg-map.
        """
        for mapping in (
            names.get('release', {}).get(self.name, {}).get(self.release, {}),
            names.get('distro', {}).get(self.name, {}),
            names.get('family', {}).get(self.family, {}),
            names.get('default', {}),
        ):
            if name in mapping:
                return mapping[name]
        return name

    def install(self, packages: 'list[str]') -> None:
        """Install packages, or files of packages, that are not there yet."""
        manager = MANAGERS[self.family]
        if not packages or self._have(manager['have'], packages):
            return
        for attempt in range(1, ATTEMPTS + 1):
            wait_for_lock()
            failed = next(
                (
                    command
                    for command in (manager.get('refresh', ['true']), manager['install'] + packages)
                    if call(command)
                ),
                None,
            )
            if failed is None:
                return
            if attempt < ATTEMPTS:
                say(f'{failed[0]} failed; another try')
                time.sleep(2.5 * 2**attempt)
        raise Failure(f'packages: {" ".join(failed)} failed')

    def _have(self, command: 'list[str]', packages: 'list[str]') -> bool:
        done = subprocess.run(command + packages, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        # dpkg knows packages, too, that were removed but for their configuration.
        states = set(done.stdout.decode().split()) if self.family == 'debian' else {'installed'}
        return done.returncode == 0 and states == {'installed'}


def wait_for_lock() -> None:
    """Wait while another package manager is at work.

    :raises Failure: when that takes too long.
    """
    os.environ['ZYPP_LOCK_TIMEOUT'] = str(LOCK_PATIENCE)  # zypper waits by itself
    give_up = time.monotonic() + LOCK_PATIENCE
    said = False
    while True:
        path = next((path for path in LOCKED + AT_WORK if is_held(path)), None)
        if path is None:
            return
        if time.monotonic() > give_up:
            raise Failure(
                f'packages: another package manager has been at work for {LOCK_PATIENCE} '
                f'seconds; it holds {path}'
            )
        if not said:
            say(f'waiting for another package manager, which holds {path}')
            said = True
        time.sleep(1)


def is_held(path: str) -> bool:
    """Whether another process holds a lock file."""
    try:
        with open(path, 'r+') as file:
            if path in AT_WORK:
                return os.path.exists(f'/proc/{int(file.read())}')
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (FileNotFoundError, ValueError):
        return False
    except OSError as error:
        # Others are no obstacle that is known here: the package manager itself will say it.
        return error.errno in (errno.EACCES, errno.EAGAIN)
    return False


def call(command: 'list[str]', **options: 'Any') -> int:
    """Run a command; its status."""
    try:
        return subprocess.call(command, stdin=subprocess.DEVNULL, **options)
    except OSError as error:
        say(f'{command[0]} cannot run: {error.strerror}')
        return 127


def packages_of(tree: 'dict[str, str]', system: System) -> 'dict[str, list[str]]':
    """The packages that elements want, by phase, by the names that they have here."""
    wanted = {}
    for path in sorted(tree):
        match = re.match(r'package-installs/(.+)\.yaml$', path)
        if not match:
            continue
        element = match.group(1)
        names = json.loads(tree.get('pkg-map/' + element, '{}'))
        for package, variants in (parse(tree[path]) or {}).items():
            for variant in variants if isinstance(variants, list) else [variants or {}]:
                name = system.package(package, names)
                if name and applies(variant, element):
                    wanted.setdefault(variant.get('phase', 'install.d'), []).extend(name.split())
    return wanted


def applies(variant: 'dict[str, Any]', element: str) -> bool:
    """Whether a line of package-installs.yaml is for this server."""
    machine = platform.machine()
    architecture = {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(machine, machine)
    conditions = variant.get('when') or []
    return not (
        # Nothing is removed from a running server.
        variant.get('uninstall')
        or str(variant.get('dib_python_version', 3)) != '3'
        or variant.get('installtype', install_type(element)) != install_type(element)
        or architecture not in str(variant.get('arch', architecture)).split(', ')
        or architecture in str(variant.get('not-arch', '')).split(', ')
        or not all(
            holds(condition)
            for condition in (conditions if isinstance(conditions, list) else [conditions])
        )
    )


def holds(condition: str) -> bool:
    """Whether `VARIABLE = value` or `VARIABLE != value` is so."""
    name, operator, value = re.match(r'\s*(\w+)\s*(!?=)\s*(.*?)\s*$', condition).groups()
    return (os.environ.get(name, '') == value) == (operator == '=')


def install_type(element: str) -> str:
    default = os.environ.get('DIB_DEFAULT_INSTALLTYPE', 'source')
    return os.environ.get('DIB_INSTALLTYPE_' + element.replace('-', '_'), default)


def parse(text: str) -> 'Any':
    """Read YAML; JSON, which is YAML, needs nothing but the standard library."""
    try:
        return json.loads(text)
    except ValueError:
        return load_yaml().safe_load(text)


def load_yaml() -> 'Any':
    """PyYAML: this Python's own, or that of the agents' environment."""
    venv = '/opt/stack/venvs/heat-agent/lib/python*/site-packages'
    sys.path.extend(glob.glob(venv))
    try:
        import yaml
    except ImportError:
        raise Failure(f'there is no PyYAML, neither for {sys.executable} nor in {venv}')
    return yaml


def write_tree(tree: 'dict[str, str]', folder: str) -> None:
    """Write merged elements; what names an interpreter is a program."""
    for path, content in tree.items():
        write(os.path.join(folder, path), content, 0o755 if content.startswith('#!') else 0o644)


def write(path: str, content: str, mode: int) -> None:
    """Write a file so that none ever sees half of it."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + '.new', 'w') as file:
        file.write(content)
    os.chmod(path + '.new', mode)
    os.replace(path + '.new', path)


def install_static(tree: 'dict[str, str]') -> None:
    """As diskimage-builder's elements install-bin and install-static do."""
    for path, content in tree.items():
        kind, _, rest = path.partition('/')
        if kind in STATIC:
            target = STATIC[kind] + rest
            if not (KEPT.search(target) and os.path.exists(target)):
                write(target, content, 0o755 if content.startswith('#!') else 0o644)


def scripts(tree: 'dict[str, str]', phase: str) -> 'list[str]':
    """The scripts of a phase, in their order."""
    found = []
    for path in tree:
        parts = path.split('/')
        if parts[0] != phase or '.' in parts[-1]:
            continue
        # <element>-<type>-install: only for that type of installation.
        choice = re.match('(.+)-([a-z]+)-install$', parts[1]) if len(parts) == 3 else None
        if len(parts) == 2 or choice and install_type(choice.group(1)) == choice.group(2):
            found.append(path)
    return sorted(found, key=os.path.basename)


def run(folder: str, script: str) -> None:
    """Run a script of merged elements.

    :raises Failure: when it fails.
    """
    say(script)
    status = call(
        [
            'bash',
            '-c',
            'for file in environment.d/*; do if [ -e "$file" ]; then . "$file"; fi; done; '
            'exec "$0"',
            os.path.join(folder, script),
        ],
        cwd=folder,
    )
    if status:
        raise Failure(f'{script} failed with status {status}')


def tell_systemd(tree: 'dict[str, str]') -> None:
    """Have systemd read the units of merged elements, and make their temporary files."""
    if os.path.isdir('/run/systemd/system'):  # as sd_booted(3)
        call(['systemctl', 'daemon-reload'])
    temporary = [
        os.path.basename(path) for path in tree if path.startswith('static/usr/lib/tmpfiles.d/')
    ]
    if temporary:
        call(['systemd-tmpfiles', '--create'] + temporary)


def this_system() -> System:
    with open('/etc/os-release') as file:
        return System(file.read())


def install(
    tree: 'dict[str, str]',
    with_packages: bool = True,
    prepare: 'Callable[[str], None] | None' = None,
) -> None:
    """Install merged elements.

    :param prepare: called with the folder in which their scripts run, before these do.
    :raises Failure: when a package or a script fails.
    """
    system = this_system()
    packages = packages_of(tree, system) if with_packages else {}
    with tempfile.TemporaryDirectory(prefix='heat-elements-') as folder:
        write_tree(tree, folder)
        command = os.path.join(folder, 'install-packages')
        # This file may lie in an archive.
        write(command, __loader__.get_data(__file__).decode('ascii'), 0o755)
        if not shutil.which('systemctl'):
            # As in an image of a container: there is nothing to enable a unit for.
            write(os.path.join(folder, 'systemctl'), '#!/bin/sh\n', 0o755)
        if prepare:
            prepare(folder)
        os.environ.update(
            PATH=f'{folder}:{os.environ["PATH"]}',
            TMP_HOOKS_PATH=folder,
            DISTRO_NAME=system.name,
            DIB_RELEASE=system.release,
        )
        system.install(packages.get('pre-install.d', []))
        for script in scripts(tree, 'pre-install.d'):
            run(folder, script)
        try:
            system.install(packages.get('install.d', []))
        except Failure as failure:
            agents = 'package-installs/os-collect-config.yaml' in tree
            packaged = agents and install_type('os-collect-config') == 'package'
            raise Failure(f'{failure}{system.lacks_agents() if packaged else ""}')
        install_static(tree)
        for script in scripts(tree, 'install.d'):
            run(folder, script)
        system.install(packages.get('post-install.d', []))
        # What is left tries and enables what is there now, and none of it waits for another.
        with concurrent.futures.ThreadPoolExecutor() as pool:
            jobs = [pool.submit(tell_systemd, tree)] + [
                pool.submit(run, folder, script) for script in scripts(tree, 'post-install.d')
            ]
        for job in jobs:
            job.result()


def say(message: str) -> None:
    print(f'install-elements: {message}', flush=True)


def chosen(elements: 'dict[str, Any]', hooks: 'list[str]') -> 'dict[str, str]':
    """The agent's elements and those of some hooks, merged."""
    tree = dict(elements['agent'])
    for name in hooks:
        if name not in elements['hooks']:
            raise Failure(f'there is no hook {name}, only ' + ', '.join(sorted(elements['hooks'])))
        tree.update(elements['hooks'][name])
    return tree


def attached(hook: str) -> 'dict[str, str]':
    """The elements of a hook, which install_hook.yaml has appended to this file."""
    with open(__file__) as file:
        tree = json.loads(file.read().rpartition('\n# elements: ')[2])
    if f'install.d/hook-{hook}.py' not in tree:
        raise Failure(f'there is no hook {hook}')
    return tree


def main() -> None:
    """Do what the command's name and arguments, or their absence, ask for."""
    os.environ['DEBIAN_FRONTEND'] = 'noninteractive'
    if os.path.basename(sys.argv[0]) == 'install-packages':
        this_system().install(sys.argv[1:])
        return
    if len(sys.argv) == 1 and 'hook' in os.environ:
        install(attached(os.environ['hook']))
        return
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--hooks', default='', metavar='NAME,...', help='hooks to install, too')
    parser.add_argument(
        '--no-packages', action='store_true', help="do without the distribution's packages"
    )
    parser.add_argument('elements', metavar='ELEMENTS.json')
    options = parser.parse_args()
    with open(options.elements) as file:
        elements = json.load(file)
    install(
        chosen(elements, [name for name in options.hooks.split(',') if name]),
        not options.no_packages,
    )


if __name__ == '__main__':
    try:
        main()
    except Failure as failure:
        sys.exit(f'install-elements: {failure}')
