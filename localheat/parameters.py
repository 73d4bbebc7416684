# SPDX-License-Identifier: Apache-2.0
"""Values for a template's parameters: those given, and sensible ones for what names the cloud's."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Optional

from localheat.errors import LocalHeatError
from localheat.template import Source, Stack, kinds, library

#: Stands for a value while it is found out where it goes.
UNKNOWN_VALUE = '(value of '
MARK = UNKNOWN_VALUE + '{})'


@dataclasses.dataclass
class Parameters:
    """What a stack is created with.

    :param values: for Heat, beside those of the environments
    :param chosen: kinds of those that were chosen here, by the parameter's name
    :param unknown: names of those that have no value, and what they are for
    """

    values: dict[str, Any]
    chosen: dict[str, str]
    unknown: dict[str, str]

    def require(self, source: Source) -> None:
        """Make sure that every parameter has a value.

        :raises LocalHeatError: one has not; the message names all of them
        """
        if self.unknown:
            lines = [f'{source.path} needs values for these parameters:']
            lines += [f'  {name}{text and ": " + text}' for name, text in self.unknown.items()]
            options = ' '.join(f'-P {name}=VALUE' for name in self.unknown)
            raise LocalHeatError('\n'.join(lines), f'Give them with: {options}')


def of_options(options: 'list[str]') -> dict[str, str]:
    """Return the values that options of the form NAME=VALUE give.

    :raises LocalHeatError: one has another form
    """
    values = {}
    for option in options:
        name, sign, value = option.partition('=')
        if not sign or not name:
            raise LocalHeatError(f"-P {option}: a parameter's value is given as NAME=VALUE.")
        values[name] = value
    return values


def choose(
    source: Source,
    given: Mapping[str, Any],
    defaults: Mapping[str, str],
    before: Optional[Mapping[str, Any]] = None,
) -> Parameters:
    """Find a value for each parameter of a template.

    :param given: values by name
    :param defaults: what there is in the cloud, by kind
    :param before: values that hold where no others are given; other parameters may be among them
    :raises LocalHeatError: when Heat cannot read the template, or it has no such parameter
    """
    schemata = _schemata(source)
    for name in given:
        if name not in schemata:
            known = ', '.join(sorted(schemata)) or 'none'
            raise LocalHeatError(
                f'{source.path} has no parameter {name}.', f'The parameters that it has: {known}.'
            )
    kept = {name: value for name, value in (before or {}).items() if name in schemata}
    given = {**kept, **given}
    in_environment = {
        **(source.environment.get('parameter_defaults') or {}),
        **(source.environment.get('parameters') or {}),
    }
    missing = {
        name: schema
        for name, schema in schemata.items()
        if name not in given and name not in in_environment and schema.default is None
    }
    used: dict[str, str] = {}
    if missing:
        marked = {name: _placeholder(name, schema) for name, schema in missing.items()}
        for use in kinds.uses(Stack.read(source, {**given, **marked})):
            for name in missing:
                if MARK.format(name) == use.name:
                    used.setdefault(name, use.kind)
                    if use.kind == kinds.PUBLIC_NETWORK:
                        used[name] = use.kind
    result = Parameters(dict(given), {}, {})
    for name, schema in missing.items():
        kind = used.get(name) or kinds.of_schema(schema)
        if kind is not None and kind in defaults:
            result.chosen[name] = kind
            result.values[name] = _allowed(schema, defaults[kind])
        else:
            result.unknown[name] = (schema.description or '').strip()
    return result


def placeholders(source: Source, parameters: Parameters) -> dict[str, Any]:
    """Return values for what is unknown, by which a template can be looked at all the same."""
    schemata = _schemata(source)
    return {
        name: _example(schemata[name]) or _placeholder(name, schemata[name])
        for name in parameters.unknown
    }


def _schemata(source: Source) -> dict[str, Any]:
    library.initialise()
    from heat.engine import template

    try:
        parsed = template.Template(source.template, files=source.files)
        return dict(parsed.param_schemata())
    except Exception as error:
        # whatever Heat raises: the template is at fault
        raise LocalHeatError(f'{source.path}: {error}')


def _placeholder(name: str, schema: Any) -> Any:
    if schema.type == schema.NUMBER:
        return 1
    if schema.type == schema.BOOLEAN:
        return False
    return {} if schema.type == schema.MAP else MARK.format(name)


def _constraint(schema: Any, kind: str) -> Optional[Any]:
    return next((item for item in schema.constraints if type(item).__name__ == kind), None)


def _allowed(schema: Any, value: str) -> Any:
    """Return a value, or one of those that alone are allowed."""
    allowed = _constraint(schema, 'AllowedValues')
    values = getattr(allowed, 'allowed', None)
    return values[0] if isinstance(values, list) and values and value not in values else value


def _example(schema: Any) -> Any:
    """Return a value that the constraints allow, None where anything does."""
    allowed = _constraint(schema, 'AllowedValues')
    if allowed is not None and isinstance(allowed.allowed, list):
        return allowed.allowed[0]
    length, span = _constraint(schema, 'Length'), _constraint(schema, 'Range')
    if length is not None:
        return 'x' * int(length.min or length.max or 1)
    if span is not None:
        return span.min if span.min is not None else span.max
    return None
