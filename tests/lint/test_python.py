# SPDX-License-Identifier: Apache-2.0
"""Python files that run on servers."""

import ast
import sys

from tests import base, interpreters, repository

load_tests = base.load_scenarios

OLDEST_PYTHON = interpreters.present().get('{}.{}'.format(*interpreters.OLDEST))
COMPILE = 'import sys; compile(open(sys.argv[1], encoding="utf-8").read(), sys.argv[1], "exec")'


class ServerPythonTest(base.TestCase):
    scenarios = repository.scenarios(repository.on_servers, repository.is_python)

    def test_it_compiles_on_the_oldest_python(self):
        if OLDEST_PYTHON:
            done = self.run_program([OLDEST_PYTHON, '-c', COMPILE, base.ROOT / self.name])
            self.assertEqual(0, done.status, done.stderr)
        else:
            ast.parse(
                (base.ROOT / self.name).read_text(encoding='utf-8'),
                self.name,
                feature_version=interpreters.OLDEST,
            )

    def test_it_imports_nothing_but_the_standard_library_and_its_neighbours(self):
        if sys.version_info < (3, 10):
            self.skipTest('Python before 3.10 cannot name its standard library')
        path = base.ROOT / self.name
        neighbours = {
            module.stem
            for folder in repository.ELEMENT_FOLDERS
            for module in base.ROOT.glob(f'{folder}/*/install.d/*.py')
        }
        neighbours |= {module.stem for module in path.parent.glob('*.py')}
        tree = ast.parse(path.read_text(encoding='utf-8'), self.name)
        # What a function imports, it imports because only some need it, and says so itself.
        modules = {
            alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names
        }
        modules |= {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
        self.assertEqual(
            set(),
            {
                module
                for module in modules
                if module.split('.')[0] not in sys.stdlib_module_names and module not in neighbours
            },
        )
