# SPDX-License-Identifier: Apache-2.0
"""The documentation explains all that the code has, and nothing else."""

import re

import yaml

from tests import base, modules, repository


class VariablesTest(base.TestCase):
    #: The list of files is git's.
    guard_processes = False

    NAME = re.compile(r'\b(?:HEAT|LOCALHEAT)_[A-Z_]*[A-Z]\b')
    #: Of Heat's API, or no variables of the environment.
    OTHERS = {'HEAT_CFNTOOLS', 'HEAT_SIGNAL'}

    def test_the_reference_explains_each_that_code_reads_and_no_other(self):
        read = set()
        for name in repository.files():
            if name.startswith(('doc/', 'releasenotes/', 'tests/', 'benchmarks/')):
                continue
            # READMEs name those that code puts together.
            if name.endswith(('.ini', '.rst')) or any(
                kind(name) for kind in (repository.is_python, repository.is_shell)
            ):
                read.update(self.NAME.findall((base.ROOT / name).read_text(encoding='utf-8')))
        groups = yaml.safe_load((base.ROOT / 'doc/variables.yaml').read_text(encoding='utf-8'))
        explained = {name for variables in groups.values() for name in variables}
        missing = sorted(read - self.OTHERS - explained)
        self.assertEqual([], missing, 'explain these in doc/variables.yaml')
        gone = sorted(name for name in explained - read if self.NAME.fullmatch(name))
        self.assertEqual([], gone, 'no code reads these: remove them from doc/variables.yaml')


class MessagesTest(base.TestCase):
    #: The list of files is git's.
    guard_processes = False

    def test_each_message_of_the_code_is_explained_and_no_other(self):
        differences = modules.load(base.ROOT / 'doc/collect-messages').differences()
        self.assertEqual([], differences, 'see doc/collect-messages')
