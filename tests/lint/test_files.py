# SPDX-License-Identifier: Apache-2.0
"""Rules that hold for every file, whatever its kind."""

import os
import re

from tests import base, repository

load_tests = base.load_scenarios

SPDX = 'SPDX-License-Identifier: Apache-2.0'
SPDX_SUFFIXES = (
    '.bash',
    '.cfg',
    '.ini',
    '.py',
    '.rst',
    '.service',
    '.sh',
    '.timer',
    '.toml',
    '.txt',
    '.yaml',
    '.yml',
)
LINE_LENGTH = 100
# Data as somebody else wrote it.
VERBATIM = re.compile(r'LICENSE$|tests/fixtures/.*\.json$|localheat/constraints.txt$')
SENT = re.compile(r'(^|/)(templates|config-scripts)/')
MACHINE_PATH = re.compile(r'(?<![\w.$}~])/(?:home|root|work|Users)/\w.*')


def is_text(name: str) -> bool:
    return b'\0' not in (base.ROOT / name).read_bytes() and not VERBATIM.match(name)


def has_comments(name: str) -> bool:
    return (
        is_text(name)
        and (base.ROOT / name).stat().st_size > 0
        and (name.endswith(SPDX_SUFFIXES) or bool(repository.interpreter(name)))
    )


class ServerTextTest(base.TestCase):
    scenarios = repository.scenarios(repository.on_servers)

    def test_it_is_ascii(self):
        # User data with one other character reaches the server as base64 text.
        for number, line in enumerate((base.ROOT / self.name).read_bytes().splitlines(), 1):
            if not line.isascii():
                self.fail(f'{self.name}:{number}: not ASCII: {line!r}')


class TextTest(base.TestCase):
    scenarios = repository.scenarios(is_text)

    def test_its_lines_are_short_and_end_as_they_should(self):
        text = (base.ROOT / self.name).read_text(encoding='utf-8')
        complaints = []
        if text and not text.endswith('\n'):
            complaints.append('the last line has no end')
        for number, line in enumerate(text.splitlines(), 1):
            if line != line.rstrip():
                complaints.append(f'line {number} ends with blanks')
            if len(line) > LINE_LENGTH and not repository.is_generated(self.name):
                complaints.append(f'line {number} has {len(line)} characters')
        self.assertEqual([], complaints)

    def test_it_names_no_folder_of_somebodys_machine(self):
        text = (base.ROOT / self.name).read_text(encoding='utf-8')
        self.assertEqual([], MACHINE_PATH.findall(text))


class LicenseTest(base.TestCase):
    scenarios = repository.scenarios(has_comments)

    def test_it_names_its_license_at_its_head(self):
        head = (base.ROOT / self.name).read_text(encoding='utf-8').splitlines()[:3]
        if not any(line.endswith(SPDX) for line in head):
            self.fail(f'its first three lines lack "{SPDX}"')


class ModeTest(base.TestCase):
    scenarios = repository.scenarios()

    def test_it_is_executable_if_it_names_an_interpreter_and_only_then(self):
        executable = os.access(base.ROOT / self.name, os.X_OK)
        if executable and not repository.interpreter(self.name):
            self.fail('is executable, but has no "#!" line: chmod -x, or add one')
        # What a template sends to a server is written there with a mode of its own.
        sent = SENT.search(self.name)
        if repository.interpreter(self.name) and not executable and not sent:
            self.fail('has a "#!" line, but is not executable: chmod +x, or remove it')


class LinkTest(base.TestCase):
    scenarios = [(name, {'path': base.ROOT / name}) for name in repository.links()]

    def test_it_leads_to_something_in_the_checkout(self):
        target = os.readlink(self.path)
        if os.path.isabs(target):
            self.fail(f'leads to the absolute path {target}')
        if not self.path.exists():
            self.fail(f'leads to {target}, which does not exist')
        self.assertIn(base.ROOT.resolve(), self.path.resolve().parents)


class DocumentTest(base.TestCase):
    scenarios = repository.scenarios(lambda name: name.endswith('.rst'))

    def test_its_links_to_files_lead_to_something(self):
        text = (base.ROOT / self.name).read_text(encoding='utf-8')
        targets = [
            target
            for target in re.findall(r'`[^`<>]+<([^`<>]+)>`__?', text)
            if not re.match(r'\w+:|#', target) and not target.endswith('_')
        ]
        folder = (base.ROOT / self.name).parent
        self.assertEqual([], [target for target in targets if not (folder / target).exists()])
