# SPDX-License-Identifier: Apache-2.0
"""Programs of the project as modules, for tests of their functions and tables."""

import importlib.machinery
import importlib.util
import pathlib
import re
import types


def load(path: pathlib.Path) -> types.ModuleType:
    """A file of Python, whatever its suffix, as a module."""
    loader = importlib.machinery.SourceFileLoader(re.sub(r'\W', '_', path.stem), str(path))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module
