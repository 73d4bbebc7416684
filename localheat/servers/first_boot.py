# SPDX-License-Identifier: Apache-2.0
"""The boot of a pristine image in a chroot: its own cloud-init with the server's user data.

cloud-init itself knows whether it is the first one.

Of cloud-init's modules only those run by which user data install something: write_files, runcmd,
and the scripts of each boot and of the user, beside part handlers and boot hooks. The others
configure a machine, and a chroot is none.
"""

import os
import subprocess

from localheat import files

SETTINGS = """\
datasource_list: [NoCloud]
network: {config: disabled}
cloud_init_modules: [write_files]
cloud_config_modules: [runcmd]
cloud_final_modules: [scripts_per_boot, scripts_user]
"""
STAGES = (['init'], ['modules', '--mode=config'], ['modules', '--mode=final'])


def run(root: str, name: str, user_data: str, search_path: str) -> None:
    """Run cloud-init; what it prints goes to standard output.

    :param root: folder of the root file system
    :param name: of the server
    :param user_data: as the server gets it
    :param search_path: PATH; nothing else of this machine's environment is the server's
    """
    seed = os.path.join(root, 'var/lib/cloud/seed/nocloud')
    os.makedirs(seed, exist_ok=True)
    files.write(os.path.join(seed, 'user-data'), user_data)
    files.write(os.path.join(seed, 'meta-data'), f'instance-id: {name}\n')
    files.write(os.path.join(root, 'etc/cloud/cloud.cfg.d/99-localheat.cfg'), SETTINGS)
    for stage in STAGES:
        done = subprocess.run(
            ['chroot', root, 'cloud-init', *stage],
            stdin=subprocess.DEVNULL,
            env={'PATH': search_path},
        )
        print(f'cloud-init {" ".join(stage)} ended with status {done.returncode}.', flush=True)
