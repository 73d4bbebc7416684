# SPDX-License-Identifier: Apache-2.0
"""The commands that an installed package has: one row each."""

import importlib
import os
import pathlib
import sys
from argparse import ArgumentParser
from typing import NamedTuple, NoReturn

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Command(NamedTuple):
    """A command.

    :param module: its function parser() has its options: for completion, man pages, reference.
    :param script: what a checkout has in its place, below its root; none: the module is run.
    """

    module: str
    script: str = ''

    def parser(self) -> ArgumentParser:
        parser: ArgumentParser = importlib.import_module(self.module).parser()
        return parser


COMMANDS = {
    'build-agent-installer': Command('installer.build', 'build-agent-installer.sh'),
    'build-heat-image': Command('imagebuild.agent_image', 'build-heat-image.sh'),
    'build-heat-test-image': Command(
        'imagebuild.image_for_tests', 'test-image/build-heat-test-image.sh'
    ),
    'build-pip-repo': Command('gating.pip_repo', 'test-image/build-pip-repo.sh'),
    'heat-software-config': Command('heat_software_config.paths'),
    'localheat': Command('localheat.cli'),
    'run-functional-job': Command('gating.functional_job', 'test-image/run-functional-job.sh'),
    'try-template': Command('localheat.cli', 'try-template.sh'),
}


def main() -> NoReturn:
    """Be the command of this process's name, with or without ".sh"."""
    name = os.path.basename(sys.argv[0])
    command = COMMANDS[name[:-3] if name.endswith('.sh') else name]
    # For interpreters of other environments, in which it goes on; and what it calls itself.
    path = [str(ROOT), os.environ.get('PYTHONPATH')]
    os.environ.update(PYTHONPATH=os.pathsep.join(filter(None, path)), LOCALHEAT_PROGRAM=name)
    if command.script:
        os.execv(ROOT / command.script, [name, *sys.argv[1:]])
    sys.exit(importlib.import_module(command.module).main())
