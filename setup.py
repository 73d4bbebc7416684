# SPDX-License-Identifier: Apache-2.0
"""Packages of this project: a wheel has the tree of a checkout, as far as users need it.

All that lies in it finds the rest by its own place, installed or not. Wheels keep no links: a
script that goes by several names is there once for each.
"""

import os
import pathlib
import sys

import setuptools
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = pathlib.Path(__file__).resolve().parent
#: Below site-packages. No module can have this name.
TREE = 'heat-software-config'
#: What of a checkout users need.
FOLDERS = (
    'boot-config',
    'elements',
    'example-templates',
    'examples',
    'gating',
    'heat_software_config',
    'imagebuild',
    'installer',
    'localheat',
    'test-image',
)
FILES = (
    'LICENSE',
    'bindep.txt',
    'build-agent-installer.sh',
    'build-heat-image.sh',
    'try-template.sh',
)


def links() -> 'list[str]':
    """The links of this tree, which setuptools would follow or leave out."""
    found = []
    for folder, folders, names in os.walk(HERE):
        folders[:] = [name for name in folders if name not in ('.git', '.tox', 'build', 'dist')]
        for name in folders + names:
            path = pathlib.Path(folder, name)
            if path.is_symlink():
                found.append(str(path.relative_to(HERE)))
    return sorted(found)


class BuildTree(build_py):
    """Puts the tree below site-packages, and beside it what lets Python import from it."""

    def run(self) -> None:
        if self.editable_mode:
            super().run()
            return
        egg_info = self.get_finalized_command('egg_info')
        self.run_command('egg_info')
        tree = pathlib.Path(self.build_lib, TREE)
        for name in sorted({*egg_info.filelist.files, *links()}):
            if name not in FILES and not name.startswith(tuple(f'{each}/' for each in FOLDERS)):
                continue
            if os.path.isfile(name):
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                self.copy_file(name, str(tree / name))
        version = tree / 'heat_software_config' / 'VERSION'
        version.write_text(f'{self.distribution.get_version()}\n', encoding='utf-8')
        pathlib.Path(self.build_lib, f'{TREE}.pth').write_text(f'{TREE}\n', encoding='ascii')
        self.distribution.data_files = self._generated(tree)

    def _generated(self, tree: pathlib.Path) -> 'list[tuple[str, list[str]]]':
        sys.path.insert(0, str(tree))
        # Only now is it known what there is to import.
        from heat_software_config import generate

        folder = pathlib.Path(self.get_finalized_command('build').build_temp, 'generated')
        return sorted(generate.write(folder).items())

    def get_outputs(self, include_bytecode: bool = True) -> 'list[str]':
        return [str(path) for path in pathlib.Path(self.build_lib).rglob('*') if path.is_file()]


class Source(sdist):
    """Has the links of a checkout, and its version, which git is not there to tell."""

    def make_release_tree(self, base_dir: str, files: 'list[str]') -> None:
        known = set(files)
        linked = links()
        inside = tuple(f'{name}/' for name in linked)
        super().make_release_tree(
            base_dir, [name for name in files if name not in linked and not name.startswith(inside)]
        )
        for name in linked:
            if name in known or (HERE / name).is_dir():
                path = pathlib.Path(base_dir, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.symlink_to(os.readlink(HERE / name))
        version = pathlib.Path(base_dir, 'heat_software_config', 'VERSION')
        version.write_text(f'{self.distribution.get_version()}\n', encoding='utf-8')


setuptools.setup(cmdclass={'build_py': BuildTree, 'sdist': Source})
