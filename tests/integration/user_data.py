# SPDX-License-Identifier: Apache-2.0
"""The user data that boot-config's environments lead to, and how large they are.

    python -m tests.integration.user_data

prints the table in boot-config's README.
"""

import base64
import contextlib
import json
import pathlib
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from localheat.cli import CACHE
from localheat.client import Stacks
from localheat.services import Cloud
from tests.base import ROOT

BOOT_CONFIG = ROOT / 'boot-config'
ENVIRONMENTS = sorted(path.name for path in BOOT_CONFIG.glob('*_env.yaml'))
#: In bytes, of base64: what Nova takes, and the half of it that is ours.
NOVA_LIMIT = 65535
LIMIT = NOVA_LIMIT // 2

TEMPLATE = """\
heat_template_version: 2018-08-31
resources:
  boot_config:
    type: Heat::InstallConfigAgent
outputs:
  config: {value: {get_attr: [boot_config, config]}}
"""
#: As Heat describes a server with POLL_SERVER_HEAT, which takes most.
METADATA = {
    'deployments': [],
    'os-collect-config': {
        'collectors': ['ec2', 'heat', 'local'],
        'heat': {
            'auth_url': 'https://identity.example.org/identity/v3',
            'password': 32 * 'p',
            'project_id': 32 * '1',
            'region_name': 'RegionOne',
            'resource_name': 'server',
            'stack_id': f'a-stack-with-a-name/{uuid.UUID(int=0)}',
            'user_id': 32 * '2',
        },
    },
}


@contextlib.contextmanager
def new_cloud() -> 'Iterator[Cloud]':
    """A cloud in which nothing boots."""
    with tempfile.TemporaryDirectory(prefix='localheat-') as directory:
        with Cloud.create(directory, cache=CACHE, kind='none') as cloud:
            yield cloud


def path(environment: str) -> str:
    return str(BOOT_CONFIG / environment)


def variants() -> 'dict[str, list[str]]':
    """The environments that say the same in other names: by the first, all of them."""
    found: dict[str, list[str]] = {}
    for name in ENVIRONMENTS:
        found.setdefault(json.dumps(yaml.safe_load((BOOT_CONFIG / name).read_text())), []).append(
            name
        )
    return {names[0]: names for names in found.values()}


def render(stacks: Stacks, environments: 'Sequence[str]', parameters: 'dict[str, Any]') -> bytes:
    """The user data as Nova gets them, not encoded.

    :param environments: paths of files.
    :param parameters: of Heat::InstallConfigAgent.
    """
    with tempfile.TemporaryDirectory() as folder:
        template = pathlib.Path(folder, 'template.yaml')
        template.write_text(TEMPLATE)
        more = pathlib.Path(folder, 'parameters.yaml')
        more.write_text(json.dumps({'parameter_defaults': parameters}))
        stack = stacks.create(
            'user-data-' + uuid.uuid4().hex[:12],
            str(template),
            environments=[*environments, str(more)],
        )
        stack.wait(120)
    try:
        config = stack.outputs()['config']
        text = stacks.heat.software_configs.get(config).config if config else ''
    finally:
        stack.delete()
        stack.wait(120)
    return build(text)


def build(text: str) -> bytes:
    """What Heat makes of a config for a server of the format SOFTWARE_CONFIG."""
    from oslo_service import backend

    backend.init_backend(backend.BackendType.THREADING)
    from heat.engine.clients.os.nova import NovaClientPlugin

    data = NovaClientPlugin.build_userdata(
        mock_plugin(NovaClientPlugin), METADATA, text, None, 'SOFTWARE_CONFIG'
    )
    return data if isinstance(data, bytes) else data.encode()


def mock_plugin(plugin: Any) -> Any:
    """A plugin that nobody has connected; building user data does not take that."""
    return object.__new__(plugin)


def main() -> None:
    with new_cloud() as cloud:
        stacks = Stacks(cloud.environment)
        rows = []
        for first, names in variants().items():
            size = len(base64.b64encode(render(stacks, [path(first)], {})))
            rows += [(name, size) for name in names]
    bar = '=' * 30 + '  ' + '=' * 10 + '  ' + '=' * 14
    print(bar)
    print(f"{'environment':30}  {'bytes':10}  of Nova's limit")
    print(bar)
    for name, size in sorted(rows):
        print(f'{f"``{name}``":30}  {f"{size:,}":>10}  {100 * size // NOVA_LIMIT:>13}%')
    print(bar)


if __name__ == '__main__':
    sys.exit(main())
