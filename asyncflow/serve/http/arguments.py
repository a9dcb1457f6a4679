"""Arguments of jobs as JSON: read by the annotations of the task's parameters, described for OpenAPI."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticUndefinedAnnotation

from ..._causes import brief
from ..._core import strict_json
from ..._engine.function_task import FunctionTask
from ..._inspect.resolve import taken_by
from .typed_dicts import readable

_LISTS: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_NUMBERS: Final = ConfigDict(allow_inf_nan=False)  # which JSON has not
Schema = Mapping[str, Any]


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
        self._types = {name: _adapter(annotations[name]) for name in self._parameters if name in annotations}
        others = [each.name for each in own if each.kind is each.VAR_KEYWORD]
        self._takes_others = bool(others)
        self._others = _adapter(annotations[others[0]]) if others and others[0] in annotations else None

    def read(self, body: bytes) -> dict[str, object]:
        """The arguments that a body tells.

        Raises:
            BadArguments: it is no JSON object, or an argument is not what the task takes.
        """
        try:
            told = strict_json.read(body or b"{}")
        except ValueError as error:
            raise BadArguments(f"the body is no JSON: {error}") from None
        if not isinstance(told, dict):
            raise BadArguments(f"an object with the arguments of {self._name} by name is needed")
        return {name: self._value(name, value) for name, value in told.items()}

    def _value(self, name: str, value: object) -> object:
        if name not in self._parameters and not self._takes_others:
            known = ", ".join(self._parameters) or "none"
            raise BadArguments(f"{self._name} takes no argument {name!r}; it takes: {known}")
        adapter = self._types.get(name) if name in self._parameters else self._others
        if adapter is None:
            return value
        try:
            return adapter.validate_json(json.dumps(value), strict=True)
        except RecursionError:
            raise BadArguments(f"argument {name!r} of {self._name} is nested too deeply") from None
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            place = "".join(f"[{each!r}]" for each in first["loc"])
            raise BadArguments(f"argument {name!r} of {self._name}{place}: {first['msg']}") from None
        except Exception as error:  # of a class of the user's that is made of it
            raise BadArguments(f"argument {name!r} of {self._name}: {brief(error)}") from None

    def example(self) -> dict[str, object]:
        """Some arguments of the right types, without those that have a default."""
        adapters = {name: self._types.get(name) for name in self._required()}
        told, known = schemas(adapters, "#/$defs/{model}")
        return {name: _example(each, known, name) for name, each in told.items()}

    def _required(self) -> list[str]:
        return [name for name, each in self._parameters.items() if each.default is each.empty]

    def adapters(self) -> dict[str, TypeAdapter[Any] | None]:
        """What reads each parameter, by name; None of one that takes anything. Those of ``**others`` are under ""."""
        named = {name: self._types.get(name) for name in self._parameters}
        return {**named, "": self._others} if self._takes_others else named

    def schema(self, told: Mapping[str, Schema]) -> dict[str, object]:
        """A JSON schema of the object.

        Args:
            told: the schemas of `adapters`.
        """
        properties = {name: {**told[name], **self._default(name)} for name in self._parameters}
        return {
            "type": "object",
            "properties": properties,
            "required": self._required(),
            "additionalProperties": (told[""] or True) if self._takes_others else False,
        }

    def _default(self, name: str) -> Schema:
        default, adapter = self._parameters[name].default, self._types.get(name)
        if default is inspect.Parameter.empty:
            return {}
        try:
            if adapter is not None:
                default = adapter.dump_python(default, mode="json", warnings=False)
            return {"default": json.loads(json.dumps(default, allow_nan=False))}
        except Exception:  # it is not one of JSON, and may be anything
            return {}


def schemas(
    adapters: Mapping[str, TypeAdapter[Any] | None], place: str
) -> tuple[dict[str, Schema], dict[str, Schema]]:
    """JSON schemas by name, and those of the classes in them, which they refer to. What takes anything, or cannot be
    told in a schema, has an empty one.

    Args:
        adapters: by name.
        place: where those of classes will stand, as ``"#/$defs/{model}"``.
    """
    asked = [(name, each) for name, each in adapters.items() if each is not None and _is_told(each)]
    if not asked:
        return {name: {} for name in adapters}, {}
    found, known = TypeAdapter.json_schemas(
        [(name, "validation", each) for name, each in asked], ref_template=place
    )
    told: dict[str, Schema] = {name: each for (name, _), each in found.items()}
    return {name: told.get(name, {}) for name in adapters}, known.get("$defs", {})


def _is_told(adapter: TypeAdapter[Any]) -> bool:
    try:
        adapter.json_schema()
    except Exception:  # a class of the user's may have its own
        return False
    return True


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
    """What reads an annotation; None for a class that JSON cannot tell of, or whose own annotations cannot be read:
    values for it are taken as they are."""
    for config in (_NUMBERS, None):  # classes have their own, and take no other
        try:
            adapter: TypeAdapter[Any] = TypeAdapter(readable(annotation), config=config)
        except (PydanticUserError, PydanticUndefinedAnnotation, TypeError):
            continue
        if getattr(adapter, "pydantic_complete", True):  # pydantic before 2.10 raises at once
            return adapter
    return None
