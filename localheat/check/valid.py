# SPDX-License-Identifier: Apache-2.0
"""What Heat itself refuses."""

import json
import re
from collections.abc import Iterator
from typing import Optional

from localheat.check.finding import Finding
from localheat.check.subject import Subject
from localheat.parameters import UNKNOWN_VALUE
from localheat.template import Resource
from localheat.template.tree import message

REMEDY = 'Heat refuses the template.'
#: A value that a property cannot have.
VALUE = 'Property error: '
#: Before the message proper Heat says where, in a path of its own.
PLACE = re.compile(r'^(Property error: )?[Rr]esources[\w.<>:/-]*?: ')


def refused_by_heat(subject: Subject) -> Iterator[Finding]:
    """Each resource by itself, for Heat stops at the first mistake; then the whole."""
    said = set()
    for resource in subject.stack.walk():
        error = _invalid(resource)
        if error and not (error.startswith(VALUE) and _mentions(resource, subject.unknown)):
            said.add(error)
            yield Finding.of(resource, True, error, REMEDY)
    heat = subject.stack.heat
    heat.strict_validate = not subject.unknown
    try:
        heat.validate(validate_res_tmpl_only=True)
    except AssertionError:
        # as in _invalid; Heat does not come so far in a stack without servers
        pass
    except Exception as error:
        # whatever Heat raises is why it refuses the template
        text = _plain(message(error))
        if UNKNOWN_VALUE not in text and not any(part in text or text in part for part in said):
            yield Finding(True, subject.source.path, '', text, REMEDY)


def _invalid(resource: Resource) -> Optional[str]:
    item = resource.heat
    if 'external_id' in resource.definition:
        # it is there already, and its properties are whatever it has
        return None
    try:
        item.validate_template()
        try:
            item.properties.validate()
            if resource.type.startswith('OS::Heat::') and resource.nested is None:
                # these ask nobody else
                item.validate()
        except AssertionError:
            # an attribute of what is not there yet, so values cannot be looked at
            item.properties.validate(with_value=False)
    except AssertionError:
        return None
    except Exception as error:
        text = _plain(message(error))
        # A nested template tells by itself, and in its own file, what is wrong in it. What Heat
        # would ask another service is not answered here.
        nested = resource.nested is not None and f'resources.{resource.name}<' in message(error)
        return None if nested or 'localhost' in text or UNKNOWN_VALUE in text else text
    return None


def _mentions(resource: Resource, parameters: frozenset[str]) -> bool:
    """Whether a resource has a parameter in it whose value is not known."""
    text = json.dumps(resource.definition, default=str)
    return any(f'"get_param": "{name}"' in text for name in parameters) or bool(
        parameters and '"get_param": [' in text
    )


def _plain(text: str) -> str:
    text = PLACE.sub('', text)
    return text if text.endswith('.') else text + '.'
