# SPDX-License-Identifier: Apache-2.0
"""How the element os-refresh-config collects the scripts and templates of all elements."""

import shlex

from tests import base

CHECK = base.ELEMENTS / 'os-refresh-config' / 'extra-data.d' / '60-os-config-files'


class OsConfigFilesTest(base.TestCase):
    def check(self, **elements: 'list[str]'):
        """Run the check over elements that have these files."""
        folders = []
        for name, files in elements.items():
            folders.append(f'[{name}]={self.root / name}')
            for file in files:
                path = self.root / name / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
        self.announce('bash', 'find', 'sort', 'uniq')
        # As diskimage-builder's element-info exports it.
        return self.run_program(
            [
                'bash',
                '-c',
                (
                    'function get_image_element_array '
                    f'{{ echo {shlex.quote(" ".join(folders))}; }}; '
                    f'export -f get_image_element_array; bash {CHECK}'
                ),
            ]
        )

    def test_elements_may_share_folders(self):
        done = self.check(
            one=['os-refresh-config/configure.d/10-a', 'os-apply-config/etc/a'],
            two=['os-refresh-config/configure.d/20-b', 'os-apply-config/etc/b'],
        )
        self.assertEqual((0, '', ''), done)

    def test_two_elements_with_the_same_template_fail_the_build(self):
        done = self.check(one=['os-apply-config/etc/a'], two=['os-apply-config/etc/a'])
        self.assertEqual(1, done.status)
        self.assertIn('os-apply-config/etc/a', done.stderr)

    def test_two_elements_with_the_same_script_fail_the_build(self):
        script = 'os-refresh-config/configure.d/10-a'
        self.assertIn(script, self.check(one=[script], two=[script]).stderr)
