# SPDX-License-Identifier: Apache-2.0
"""User data in a chroot: carried out by the image's own cloud-init, as far as a chroot can.

cloud-init itself knows whether a boot is the first one.
"""

import base64
import json
import os
import subprocess
from typing import Any

from localheat import files
from localheat.servers import user_data

STAGES = (['init'], ['modules', '--mode=config'], ['modules', '--mode=final'])
#: Modules that configure a machine or its systemd, which a chroot has not; with what asks for them.
LEFT_OUT = {
    'disk_setup': ('disk_setup', 'fs_setup'),
    'fan': ('fan',),
    'growpart': ('growpart',),
    'grub_dpkg': ('grub_dpkg', 'grub-dpkg'),
    'install_hotplug': (),
    'keyboard': ('keyboard',),
    'landscape': ('landscape',),
    'lxd': ('lxd',),
    'mounts': ('mounts', 'swap'),
    'ntp': ('ntp',),
    'power_state_change': ('power_state',),
    'reset_rmc': (),
    'resizefs': ('resize_rootfs',),
    'rsyslog': ('rsyslog',),
    'snap': ('snap',),
    'ubuntu_autoinstall': ('autoinstall',),
    'ubuntu_drivers': ('drivers',),
    'ubuntu_pro': ('ubuntu_pro', 'ubuntu_advantage'),
    'wireguard': ('wireguard',),
}
#: Where the image does not say which modules there are.
MODULES = {
    'init': ['bootcmd', 'write_files', 'set_hostname', 'ca_certs', 'users_groups'],
    'config': ['set_passwords', 'runcmd'],
    'final': ['package_update_upgrade_install', 'scripts_per_boot', 'scripts_user'],
}


def run(root: str, plan: 'dict[str, Any]', search_path: str) -> None:
    """Run cloud-init; what it prints, and what was left out, goes to standard output.

    :param root: folder of the root file system
    :param plan: of the machine; see ``chroot.ChrootMachine``
    :param search_path: PATH; nothing else of this machine's environment is the server's
    """
    if not any(os.path.exists(f'{root}/{name}/bin/cloud-init') for name in ('usr', 'usr/local')):
        print('The image has no cloud-init: the user data are not carried out.', flush=True)
        return
    seed = os.path.join(root, 'var/lib/cloud/seed/nocloud')
    os.makedirs(seed, exist_ok=True)
    data = base64.b64decode(plan['user_data'])
    with open(os.path.join(seed, 'user-data'), 'wb') as stream:
        stream.write(data)
    os.chmod(os.path.join(seed, 'user-data'), 0o600)
    files.write(os.path.join(seed, 'meta-data'), json.dumps(_meta_data(plan)))
    path = os.path.join(root, 'etc/cloud/cloud.cfg.d/99-localheat.cfg')
    files.write(path, json.dumps(settings(root)))
    for line in omissions(data):
        print(line, flush=True)
    for arguments in STAGES:
        done = subprocess.run(
            ['chroot', root, 'cloud-init', *arguments],
            stdin=subprocess.DEVNULL,
            env={'PATH': search_path},
        )
        print(f'cloud-init {" ".join(arguments)} ended with status {done.returncode}.', flush=True)


def omissions(data: bytes) -> 'list[str]':
    """Return what of the user's own is not done in a chroot, in words for its console."""
    import yaml

    wanted: set[str] = set()
    for text in user_data.cloud_configs(data):
        try:
            config = yaml.safe_load(text)
        except yaml.YAMLError:
            # cloud-init says what is wrong with it
            continue
        if isinstance(config, dict):
            wanted.update(map(str, config))
    lines = [
        f"Left out in a chroot: {key} (cloud-init's module {module})."
        for module, keys in LEFT_OUT.items()
        for key in keys
        if key in wanted
    ]
    if b'systemctl' in data:
        lines.append('There is no systemd in a chroot: systemctl starts nothing but the agent.')
    return lines


def _meta_data(plan: 'dict[str, Any]') -> 'dict[str, Any]':
    return {
        'instance-id': os.path.basename(plan['directory']),
        'local-hostname': plan['name'],
        'public-keys': plan['keys'],
    }


def settings(root: str) -> 'dict[str, Any]':
    """Return cloud-init's configuration for a chroot."""
    import yaml

    found: dict[str, Any] = {
        'datasource_list': ['NoCloud'],
        'network': {'config': 'disabled'},
    }
    try:
        with open(os.path.join(root, 'etc/cloud/cloud.cfg')) as stream:
            image = yaml.safe_load(stream) or {}
    except (OSError, yaml.YAMLError):
        image = {}
    for stage, modules in MODULES.items():
        name = f'cloud_{stage}_modules'
        found[name] = [
            module for module in image.get(name, modules) if _plain(module) not in LEFT_OUT
        ]
    return found


def _plain(module: Any) -> str:
    """Return a module's name; it can stand in a list with how often it is to run."""
    name = module[0] if isinstance(module, list) else module
    return str(name).replace('-', '_')
