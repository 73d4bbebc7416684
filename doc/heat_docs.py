# SPDX-License-Identifier: Apache-2.0
"""Sphinx: what the documentation takes from the code, so that it cannot say something else.

``.. command:: NAME``
    A command's usage and options, of its parser; each option is in the index.
``.. hook-options::``
    The options of all hooks, of their tables.
``.. variables::``
    The environment variables, which variables.yaml explains.
``.. base-elements::``
    Of imagebuild/distributions.json.
``.. messages::``
    What commands and agent say when something is wrong, which messages.yaml explains.

Each page of a hook gets its common mistakes (mistakes.yaml) and an example template.
"""

import argparse
import importlib.machinery
import importlib.util
import os
import pathlib
import re
import sys
import textwrap
import types
from collections.abc import Iterable, Iterator
from typing import Any, Optional

import yaml
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

DOC = pathlib.Path(__file__).resolve().parent
ROOT = DOC.parent
HOOK_PAGE = re.compile(r'elements/heat-config-([a-z-]+)/README$')


def script(path: pathlib.Path) -> types.ModuleType:
    """A program without the ending .py, as a module."""
    loader = importlib.machinery.SourceFileLoader(path.name.replace('-', '_'), str(path))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def data(name: str) -> Any:
    return yaml.safe_load((DOC / name).read_text(encoding='utf-8'))


def plain(text: str) -> str:
    """Text in which nothing is markup."""
    return re.sub(r'([\\*`_|])', r'\\\1', text)


class Generated(SphinxDirective):
    """A directive whose content is made of the code, as reStructuredText."""

    def lines(self) -> Iterable[str]:
        raise NotImplementedError

    def run(self) -> 'list[nodes.Node]':
        text = '\n'.join(self.lines())
        node = nodes.section()
        node.document = self.state.document
        lines = StringList(text.split('\n'), source=self.get_source_info()[0])
        self.state.nested_parse(lines, 0, node, match_titles=1)
        return node.children


class Command(Generated):
    required_arguments = 1

    def lines(self) -> Iterator[str]:
        from heat_software_config.commands import COMMANDS

        (name,) = self.arguments
        parser = COMMANDS[name].parser()
        parser.prog = name
        yield from self.described(parser, name)

    def described(self, parser: argparse.ArgumentParser, name: str) -> Iterator[str]:
        yield f'.. program:: {name}\n\n{plain(parser.description or "")}\n\n::\n'
        yield textwrap.indent(parser.format_usage(), '    ')
        commands: dict[str, argparse.ArgumentParser] = {}
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                commands = action.choices
            elif action.help != argparse.SUPPRESS:
                yield from self.option(parser, action)
        if parser.epilog:
            yield f'::\n\n{textwrap.indent(parser.epilog.strip(), "    ")}\n'
        for command, inner in commands.items():
            inner.prog = f'{name} {command}'
            yield f'.. rubric:: {inner.prog}\n'
            yield from self.described(inner, inner.prog)

    def option(self, parser: argparse.ArgumentParser, action: argparse.Action) -> Iterator[str]:
        formatter = parser._get_formatter()
        if action.option_strings:
            value = ''
            if action.nargs != 0:
                default = formatter._get_default_metavar_for_optional(action)
                value = ' ' + formatter._format_args(action, default)
            names = ', '.join(f'{option}{value}' for option in action.option_strings)
        else:
            names = formatter._metavar_formatter(action, action.dest)(1)[0]
        text = formatter._expand_help(action) if action.help else ''
        yield f'.. option:: {names}\n\n   {plain(text)}\n'


class HookOptions(Generated):
    def lines(self) -> Iterator[str]:
        write_options = script(DOC / 'write-options')
        yield '.. list-table::\n   :header-rows: 1\n   :widths: 15 20 15 10 40\n'
        yield '   * - hook\n     - option\n     - is\n     - default\n     - means'
        for readme, options in write_options.tables().items():
            hook = readme.parent.name.replace('heat-config-', '').replace('heat-config', 'all')
            page = f'/{readme.parent.relative_to(ROOT)}/README'
            for option in options:
                kind = write_options.TYPES[option.kind]
                default = '' if option.default is None else f'``{option.default}``'
                yield f'   * - :doc:`{hook} <{page}>`\n     - ``{option.name}``\n     - {kind}'
                yield f'     - {default}\n     - {option.text}'


class Variables(Generated):
    def lines(self) -> Iterator[str]:
        for group, variables in data('variables.yaml').items():
            yield f'{group}\n{"-" * len(group)}\n'
            for name, text in variables.items():
                yield f'.. envvar:: {name}\n\n{textwrap.indent(text, "   ")}\n'


class BaseElements(Generated):
    VARIABLES = ('DIB_LOCAL_IMAGE', 'DIB_CLOUD_IMAGES', 'DIB_DISTRIBUTION_MIRROR')

    def lines(self) -> Iterator[str]:
        from imagebuild import distros

        yield '.. list-table::\n   :header-rows: 1\n'
        yield from self.row(('base element', *(f'``{name}``' for name in self.VARIABLES)))
        for distro in distros.known().values():
            for element, variables in distro.mirrors.items():
                effects = ['yes' if name in variables else 'no' for name in self.VARIABLES]
                if distro.needs_local_image:
                    effects[0] = 'yes, needed'
                yield from self.row((f'``{element}``', *effects))

    def row(self, cells: Iterable[str]) -> Iterator[str]:
        for index, cell in enumerate(cells):
            yield f'   {"  -" if index else "* -"} {cell}'


class Messages(Generated):
    def lines(self) -> Iterator[str]:
        for part, messages in data('messages.yaml').items():
            yield f'{part}\n{"-" * len(part)}\n'
            for text, meaning in messages.items():
                # One paragraph, literal, with what differs from case to case as an ellipsis.
                shown = ' '.join(text.replace('{}', '…').split()).replace('`', "'")
                yield f'``{shown}``\n{textwrap.indent(meaning, "    ")}\n'


def example(hook: str) -> Optional[str]:
    """The template that is named after this hook, else the first with a config of its group."""
    named = f'example-{hook}-template.yaml'
    if (ROOT / 'example-templates' / named).exists():
        return named
    for path in sorted((ROOT / 'example-templates').glob('*.yaml')):
        if re.search(rf'(?m)^\s+group: {hook}$', path.read_text(encoding='utf-8')):
            return path.name
    return None


def complete_hook_page(app: Sphinx, name: str, source: 'list[str]') -> None:
    """Add to a hook's README what belongs on its page, and is said elsewhere already."""
    page = HOOK_PAGE.match(name)
    if not page:
        return
    hook = page.group(1)
    mistakes = ''.join(f'- {text}\n' for text in data('mistakes.yaml').get(hook, []))
    source[0] += (
        '\n\nWhat all hooks have in common\n-----------------------------\n'
        'Environment, user, folders, time limits, exit codes, secrets: :doc:`/templates/hooks`.\n'
    )
    if mistakes:
        source[0] += f'\n\nCommon mistakes\n---------------\n{mistakes}\n'
    template = example(hook)
    if template:
        source[0] += (
            '\n\nA whole template\n----------------\n'
            f'.. literalinclude:: /example-templates/{template}\n   :language: yaml\n'
        )


def setup(app: Sphinx) -> 'dict[str, Any]':
    # Some defaults lie in the home of whoever calls.
    os.environ.update(HOME='~', XDG_CACHE_HOME='')
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(ROOT))
    app.add_directive('command', Command)
    app.add_directive('hook-options', HookOptions)
    app.add_directive('variables', Variables)
    app.add_directive('messages', Messages)
    app.add_directive('base-elements', BaseElements)
    app.connect('source-read', complete_hook_page)
    return {'parallel_read_safe': True}
