# SPDX-License-Identifier: Apache-2.0
"""The resources of a template and of those nested in it, with their properties resolved."""

import dataclasses
import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Callable, Optional

from localheat.errors import LocalHeatError
from localheat.template import library
from localheat.template.source import Source, shown

UNKNOWN_TYPE = re.compile(r'The Resource Type \((\S+)\) could not be found')
#: Their members are made when it is known which servers there are.
UNENTERED = re.compile(r'^OS::Heat::(Software|Structured)Deployment(s|Group)$')


@dataclasses.dataclass(eq=False)
class Resource:
    """A resource as a template has it.

    :param path: its name, after those of the resources whose templates it is in; a group's member
        has the group's path
    :param type: as Heat knows it; what the environment maps to a template has that one's URL
    :param properties: values by name, resolved as far as can be before anything exists: what
        depends on an attribute is None, a reference is the other resource's name
    :param definition: as written
    :param nested: the stack that it makes, if it does
    """

    name: str
    path: str
    type: str
    properties: dict[str, Any]
    definition: Mapping[str, Any]
    stack: 'Stack'
    heat: Any
    nested: Optional['Stack'] = None

    @property
    def file(self) -> str:
        return self.stack.file

    def given(self, name: str) -> bool:
        """Whether the template sets a property."""
        return name in self.written

    @property
    def written(self) -> Mapping[str, Any]:
        """Its properties as the template has them."""
        properties = self.definition.get('properties') or self.definition.get('Properties')
        return properties if isinstance(properties, Mapping) else {}

    def referred(self, name: str) -> Optional['Resource']:
        """Return the resource that a property refers to, None when that is not known."""
        value = self.properties.get(name)
        return self.stack.find(value) if isinstance(value, str) else None


@dataclasses.dataclass(eq=False)
class Stack:
    """The resources of one template; disabled ones are left out."""

    file: str
    heat: Any
    parent: Optional['Stack'] = None
    resources: dict[str, Resource] = dataclasses.field(default_factory=dict)

    @classmethod
    def read(cls, source: Source, parameters: Mapping[str, Any]) -> 'Stack':
        """Have Heat read a template.

        :param parameters: values beside those in the environment
        :raises LocalHeatError: when Heat cannot take it for a template
        """
        context = library.initialise()
        from heat.engine import environment, stack, template

        merged = dict(source.environment)
        merged['parameters'] = {**(merged.get('parameters') or {}), **parameters}
        try:
            parsed = template.Template(
                source.template, files=source.files, env=environment.Environment(merged)
            )
            heat = stack.Stack(context, 'stack', parsed, strict_validate=False)
            return cls._of(heat, source.path, str, None)
        except Exception as error:
            # whatever Heat raises: the template is at fault
            raise LocalHeatError(f'{source.path}: {_place(source, error)}')

    @classmethod
    def _of(
        cls,
        heat: Any,
        file: str,
        path: Callable[[str], str],
        parent: 'Optional[Stack]',
    ) -> 'Stack':
        made = cls(file, heat, parent)
        definitions = heat.t.t.get(heat.t.RESOURCES) or {}
        for name, item in heat.resources.items():
            made.resources[name] = resource = Resource(
                name,
                path(name),
                item.type(),
                _properties(item),
                definitions.get(name) or {},
                made,
                item,
            )
            resource.nested = made._enter(resource)
        return made

    def _enter(self, resource: Resource) -> 'Optional[Stack]':
        from heat.engine.resources import stack_resource, template_resource

        item = resource.heat
        if not isinstance(item, stack_resource.StackResource) or UNENTERED.match(resource.type):
            return None
        file, path = self.file, lambda _: resource.path
        if isinstance(item, template_resource.TemplateResource):
            file, path = shown(item.template_url), lambda name: f'{resource.path}.{name}'
        try:
            nested = item.get_nested_parameters_stack()
            return nested and Stack._of(nested, file, path, self)
        except Exception:
            # Heat says of it what there is to say when it validates it
            return None

    def walk(self) -> Iterator[Resource]:
        """Return all resources, those of nested stacks too."""
        for resource in self.resources.values():
            yield resource
            if resource.nested:
                yield from resource.nested.walk()

    def find(self, name: str) -> Optional[Resource]:
        """Return the resource of a name, in this stack or in those around it."""
        if name in self.resources:
            return self.resources[name]
        return self.parent.find(name) if self.parent else None


def _properties(item: Any) -> dict[str, Any]:
    values = {}
    for name in item.properties_schema:
        try:
            values[name] = item.properties[name]
        except Exception:
            # not known yet, or not valid: as if it were not there
            pass
    return values


def message(error: Exception) -> str:
    """Return what Heat says in an exception, in one line."""
    return re.sub(r'\s+', ' ', str(error)).strip() or type(error).__name__


def _place(source: Source, error: Exception) -> str:
    """Return what Heat says, after the resource whose type it does not know."""
    from heat.engine import resources

    text = message(error)
    unknown = UNKNOWN_TYPE.search(text)
    if not unknown:
        return text
    definitions = source.template.get('resources') or source.template.get('Resources') or {}
    for name, item in definitions.items():
        if isinstance(item, dict) and unknown.group(1) in (item.get('type'), item.get('Type')):
            text = f'{name}: {text}'
    known = [str(kind) for kind in resources.global_env().get_types()]
    close = difflib.get_close_matches(unknown.group(1), known, 1)
    return f'{text} Did you mean {close[0]}?' if close else text
