# SPDX-License-Identifier: Apache-2.0
"""YAML files, found by their suffix."""

from yamllint import linter
from yamllint.config import YamlLintConfig

from tests import base, repository

load_tests = base.load_scenarios


class YamlTest(base.TestCase):
    scenarios = repository.scenarios(repository.is_yaml)

    def test_yamllint_has_nothing_to_say(self):
        config = YamlLintConfig(file=str(base.ROOT / '.yamllint'))
        problems = linter.run((base.ROOT / self.name).read_text(encoding='utf-8'), config)
        generated = repository.is_generated(self.name)
        self.assertEqual(
            [],
            [
                f'{self.name}:{problem}'
                for problem in problems
                if not (generated and problem.rule == 'line-length')
            ],
        )
