# SPDX-License-Identifier: Apache-2.0
"""Outputs that are declared and that nothing in the config ever writes."""

import json
import re
from collections.abc import Iterator

from localheat.check.finding import Finding
from localheat.check.subject import Config, Subject

#: Where a config of a group writes an output.
GROUPS = {
    'script': '$heat_outputs_path.{}',
    'puppet': '${{heat_outputs_path}}.{}',
    'ansible': '{{{{ heat_outputs_path }}}}.{}',
}
PATH = 'heat_outputs_path'


def never_written(subject: Subject) -> Iterator[Finding]:
    for config in subject.deployed():
        if config.group not in GROUPS:
            continue
        for item in config.listed('outputs'):
            name = str(item.get('name'))
            if not _writes(config, name):
                yield Finding.of(
                    config.resource,
                    False,
                    f'The output {name} is declared, and nothing writes it: it will be null.',
                    f'Write it to the file {GROUPS[config.group].format(name)}.',
                )


def _writes(config: Config, name: str) -> bool:
    """Whether a config may write an output; one that computes the files' names may."""
    text = config.text or json.dumps(config.content, default=str)
    if PATH not in text:
        return False
    if re.search(r'heat_outputs_path[\s"\'{}()]*\.[\s"\'{}()]*' + re.escape(name) + r'\b', text):
        return True
    # "${heat_outputs_path}.$name", os.environ['heat_outputs_path'] + '.' + name, a loop's item
    fixed = re.findall(r'heat_outputs_path["\'{}() ]*\.[\w-]+', text)
    return len(fixed) < len(re.findall(PATH, text))
