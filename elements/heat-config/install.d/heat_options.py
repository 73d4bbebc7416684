# SPDX-License-Identifier: Apache-2.0
"""What a hook's options are: their names, types and defaults, in one table.

A hook declares them, and gets their values with these types::

    OPTIONS = (
        Option('tags', 'list', 'Apply only what has one of these tags.', separator=','),
        Option('noop', 'boolean', 'Only say what would be changed.', False),
    )

    def deploy(deployment, workspace):
        if deployment.options['noop']:
            ...

    if __name__ == '__main__':
        main(deploy, 'puppet', OPTIONS)

Of the same tables the READMEs' lists of options are made.
"""

import math
import os

from heat_hook import BAD_DATA, HookError, as_text, as_yaml, json_type

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing would cost each hook's start some milliseconds
    from typing import Any, Iterable

TRUE = ('true', 'yes', 'on', '1')
FALSE = ('false', 'no', 'off', '0')


class Option:
    """One option of a deployment.

    :param name: what templates call it.
    :param kind: one of KINDS, the type of the value that the hook gets.
    :param text: what it does, one or two sentences of reStructuredText.
    :param default: the value where a template gives none, null or an empty
        string; the text says what None means.
    :param aliases: names that other documents used for it.
    :param separator: at which the string that may be given for a list is split.
    :param choices: the strings that it may be; any if there are none.
    :param minimum: the least that a number may be.
    """

    def __init__(
        self,
        name: str,
        kind: str,
        text: str,
        default: 'Any' = None,
        aliases: 'Iterable[str]' = (),
        separator: str = '',
        choices: 'Iterable[str]' = (),
        minimum: float = 0,
    ) -> None:
        self.name = name
        self.kind = kind
        self.text = text
        self.default = default
        self.aliases = tuple(aliases)
        self.separator = separator
        self.choices = tuple(choices)
        self.minimum = minimum

    def read(self, value: 'Any') -> 'Any':
        """The value that a template gave, with the option's type.

        :raises HookError: when it cannot have that type.
        """
        if value is None or value == '':
            return self.default
        try:
            read = KINDS[self.kind](value, self)
        except (OverflowError, TypeError, ValueError) as error:
            detail = str(error) if isinstance(error, WrongValue) else found(value)
            raise HookError(
                f'The option {self.name} must be {self.expectation()}, not {detail}.', BAD_DATA
            )
        if self.choices and read not in self.choices:
            raise HookError(
                f'The option {self.name} must be one of {", ".join(self.choices)}, '
                f'not {found(value)}.',
                BAD_DATA,
            )
        return read

    def expectation(self) -> str:
        """What the value must be, with its article."""
        if self.kind in ('integer', 'number') and self.minimum > 0:
            return f'{EXPECTATIONS[self.kind]} of at least {self.minimum:g}'
        return EXPECTATIONS[self.kind]


class WrongValue(ValueError):
    """A value is not what an option takes; the message says what it is instead."""


def found(value: 'Any') -> str:
    """A wrong value as messages call it."""
    if isinstance(value, (dict, list)) or value is None:
        return f'a {json_type(value)}'
    return f'{as_text(value)[:80]!r}' if isinstance(value, str) else as_text(value)


def _string(value: 'Any', option: Option) -> str:
    if isinstance(value, (bool, dict, list)):
        raise TypeError
    return as_text(value)


def _boolean(value: 'Any', option: Option) -> bool:
    word = as_text(value).strip().lower()
    if word in TRUE:
        return True
    if word in FALSE:
        return False
    raise ValueError


def _number(value: 'Any', option: Option) -> float:
    if isinstance(value, bool):
        raise TypeError
    number = float(value)
    if not math.isfinite(number) or number < option.minimum:
        raise ValueError
    return number


def _integer(value: 'Any', option: Option) -> int:
    number = _number(value, option)
    if number != int(number):
        raise ValueError
    return int(number)


def _document(value: 'Any', option: Option) -> str:
    if not isinstance(value, (dict, list, str)):
        raise TypeError
    return as_yaml(value)


def _list(value: 'Any', option: Option) -> 'list[str]':
    if isinstance(value, list):
        for item in value:
            if isinstance(item, (bool, dict, list)) or item is None:
                raise WrongValue(f'a list with a {json_type(item)} in it')
        return [as_text(item) for item in value]
    if isinstance(value, (bool, dict)):
        raise TypeError
    words = as_text(value).split(option.separator) if option.separator else [as_text(value)]
    return [word.strip() for word in words if word.strip()]


def _map(value: 'Any', option: Option) -> 'dict[str, Any]':
    if not isinstance(value, dict):
        raise TypeError
    return value


def _mode(value: 'Any', option: Option) -> int:
    # Not a number: YAML reads 0640 as 416, and nobody could tell that from "416".
    if not isinstance(value, str):
        raise TypeError
    mode = int(value, 8)
    if not 0 <= mode <= 0o777:
        raise ValueError
    return mode


KINDS = {
    'boolean': _boolean,
    'document': _document,
    'integer': _integer,
    'list': _list,
    'map': _map,
    'mode': _mode,
    'number': _number,
    'string': _string,
}
EXPECTATIONS = {
    'boolean': 'true or false',
    'document': 'a map, a list or a string that is YAML',
    'integer': 'a whole number',
    'list': 'a list of strings',
    'map': 'a map',
    'mode': 'a string of octal digits, such as "0640", in quotes',
    'number': 'a number',
    'string': 'a string',
}

#: What every hook has; the dispatcher reads some of these.
COMMON = (
    Option(
        'timeout',
        'number',
        'Seconds that the deployment may take; then it is ended and has failed, with the status '
        '124. By default ``HEAT_CONFIG_HOOK_TIMEOUT`` of the agent, or any time.',
        minimum=0.001,
    ),
    Option(
        'strict_options',
        'boolean',
        'Fail at an option that the hook does not know, which is else a warning in '
        '``deploy_stderr``. ``HEAT_CONFIG_STRICT_OPTIONS=yes`` asks for that on the whole server.',
    ),
)


def read(table: 'Iterable[Option]', given: 'dict[str, Any]') -> 'tuple[dict[str, Any], list[str]]':
    """The values of all options, and a warning for each that is not known.

    :param table: the hook's options, which :data:`COMMON` is added to.
    :param given: the deployment's options, as Heat sent them.
    :raises HookError: when a value has a wrong type, or where unknown options
        are not allowed.
    """
    options = [*table, *COMMON]
    names = {name: option for option in options for name in (option.name, *option.aliases)}
    warnings = [_unknown(str(name), list(names)) for name in given if name not in names]
    values = {option.name: option.default for option in options}
    for name, value in given.items():
        if name not in names:
            continue
        option = names[name]
        if name != option.name and given.get(option.name) is not None:
            warnings.append(f'The option {name} has no effect beside {option.name}.')
            continue
        if name == option.name or value is not None:
            values[option.name] = option.read(value)
    if warnings and is_strict(values):
        raise HookError('\n'.join(warnings), BAD_DATA)
    return values, [f'Warning: {warning}' for warning in warnings]


def is_strict(values: 'dict[str, Any]') -> bool:
    """Whether what is not known shall be a failure.

    :param values: of all options, as :func:`read` returned them.
    """
    strict = values['strict_options']
    if strict is None:
        strict = os.environ.get('HEAT_CONFIG_STRICT_OPTIONS', '').lower() in TRUE
    return bool(strict)


def _unknown(name: str, known: 'list[str]') -> str:
    import difflib  # seldom needed, and slow to load

    wanted = name.lower().replace('-', '_')
    close = difflib.get_close_matches(wanted, known, 1)
    hint = (
        f'did you mean {close[0]}?' if close else f'known options are {", ".join(sorted(known))}.'
    )
    return f'The option {name[:80]!r} is unknown and has no effect; {hint}'
