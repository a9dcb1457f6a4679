"""Arguments of jobs as JSON: read by the annotations of the task's parameters, described for OpenAPI."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema

from ..._engine.function_task import FunctionTask
from ..._inspect.resolve import taken_by

_LISTS: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class BadArguments(ValueError):
    """The arguments of a job are not those of its task; in words."""


class Arguments:
    """The parameters of one task, as JSON gives them: an object with arguments by name.

    Args:
        task: the task.
    """

    def __init__(self, task: FunctionTask[..., Any, Any]) -> None:
        self._name = task._definition.name
        signature = task._parameters.signature
        parameters = [] if signature is None else list(signature.parameters.values())
        annotations = taken_by(task._definition.fn)
        own = parameters[len(task._leading) :]
        self._parameters = {each.name: each for each in own if each.kind not in _LISTS}
        self._takes_others = any(each.kind is each.VAR_KEYWORD for each in parameters)
        self._types = {name: _adapter(annotations[name]) for name in self._parameters if name in annotations}

    def read(self, body: bytes) -> dict[str, object]:
        """The arguments that a body tells.

        Raises:
            BadArguments: it is no JSON object, or an argument is not what the task takes.
        """
        try:
            told = json.loads(body or b"{}", parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            raise BadArguments(f"the body is no JSON: {error}") from None
        if not isinstance(told, dict):
            raise BadArguments(f"an object with the arguments of {self._name} by name is needed")
        return {name: self._value(name, value) for name, value in told.items()}

    def _value(self, name: str, value: object) -> object:
        if name not in self._parameters and not self._takes_others:
            known = ", ".join(self._parameters) or "none"
            raise BadArguments(f"{self._name} takes no argument {name!r}; it takes: {known}")
        adapter = self._types.get(name)
        if adapter is None:
            return value
        try:
            return adapter.validate_json(json.dumps(value), strict=True)
        except RecursionError:
            raise BadArguments(f"argument {name!r} of {self._name} is nested too deeply") from None
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = "".join(f"[{each!r}]" for each in first["loc"])
            raise BadArguments(f"argument {name!r} of {self._name}{place}: {first['msg']}") from None

    def example(self) -> dict[str, object]:
        """Some arguments of the right types, without those that have a default."""
        required = [name for name, each in self._parameters.items() if each.default is each.empty]
        schemas = {name: self._schema_of(name) for name in required}
        return {name: _example(each, dict(each.get("$defs", {})), name) for name, each in schemas.items()}

    def schema(self) -> dict[str, object]:
        """A JSON schema of the object."""
        properties = {name: self._schema_of(name) for name in self._parameters}
        required = [name for name, each in self._parameters.items() if each.default is each.empty]
        return {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": self._takes_others,
        }

    def _schema_of(self, name: str) -> Mapping[str, Any]:
        adapter = self._types.get(name)
        if adapter is None:
            return {}
        try:
            return adapter.json_schema()
        except PydanticInvalidForJsonSchema:
            return {}


def _example(schema: Mapping[str, Any], known: Mapping[str, Any], name: str) -> object:
    """Something that fits a JSON schema; a text is the name of what it is for."""
    if "$ref" in schema:
        return _example(known.get(schema["$ref"].rpartition("/")[2], {}), known, name)
    for chosen in ("default", "const"):
        if chosen in schema:
            return schema[chosen]
    for several in ("enum", "examples", "anyOf", "oneOf", "allOf"):
        if schema.get(several):
            first = schema[several][0]
            return first if several in {"enum", "examples"} else _example(first, known, name)
    if schema.get("type") == "object":
        parts: Mapping[str, Any] = schema.get("properties", {})
        return {each: _example(parts[each], known, each) for each in schema.get("required", ())}
    if schema.get("type") == "array":
        items = schema.get("prefixItems") or [schema.get("items", {})]
        return [_example(each, known, name) for each in items]
    return {
        "integer": max(1, int(schema.get("minimum", 1))),
        "number": 1.0,
        "boolean": True,
        "null": None,
    }.get(schema.get("type", ""), _OF_FORMAT.get(schema.get("format", ""), name))


_OF_FORMAT: Final = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00",
    "time": "12:00:00",
    "duration": "PT1H",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def _adapter(annotation: Any) -> TypeAdapter[Any] | None:
    """What reads an annotation; None for a class that JSON cannot tell of, whose values are taken as they are."""
    try:
        return TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=False))
    except PydanticUserError:
        pass
    try:
        return TypeAdapter(annotation)
    except (PydanticUserError, TypeError):
        return None


def _no_number(name: str) -> object:
    raise ValueError(f"{name} is no number of JSON")
