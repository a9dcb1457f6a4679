"""Graphs as JSON text. Tasks are looked up by name among those that are given; nothing is imported or evaluated."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from .._core import strict_json
from .._core.near import Suggestions
from ..errors import GraphError
from .steps import OutputRef, Ref, Step

_REF: Final = "$ref"
_OUTPUT: Final = "output"
_VALUE: Final = "$value"
_OWN: Final = ("run", "with", "args", "after")  # all else are options
_KINDS: Final[Mapping[type, str]] = MappingProxyType(
    {
        dict: "an object",
        list: "a list",
        str: "a text",
        bool: "true or false",
        int: "a number",
        float: "a number",
        type(None): "null",
    }
)

Tasks = Mapping[str, Callable[..., object]]


def read(text: str | bytes, tasks: Tasks) -> dict[str, Step]:
    """The steps that JSON text tells of.

    Raises:
        GraphError: it is no JSON, or a step is told in another way than it should.
    """
    try:
        told = strict_json.read(text)
    except ValueError as error:
        raise GraphError((f"not JSON: {error}",)) from None
    if not isinstance(told, dict):
        raise GraphError((f"{_KINDS[type(told)]}; an object with the steps by name is needed",))
    faults: list[str] = []
    steps: dict[str, Step] = {}
    meant = Suggestions(tasks)
    for name, each in told.items():
        try:
            steps[name] = _step(each, tasks, meant)
        except (ValueError, RecursionError) as error:
            faults.append(f"{name!r}: {error}")
    if faults:
        raise GraphError(tuple(faults))
    return steps


def _step(told: Any, tasks: Tasks, meant: Suggestions) -> Step:
    if not isinstance(told, dict):
        raise ValueError(f'{_KINDS[type(told)]}; an object with "run" is needed')
    run, kwargs, args, after = (
        told.get("run"),
        told.get("with", {}),
        told.get("args", []),
        told.get("after", []),
    )
    if "run" not in told:
        raise ValueError('it has no "run", the name of its task')
    if not isinstance(run, str) or run not in tasks:
        raise ValueError(f'"run" is {run!r}, and no task is given by that name.{meant(run)}')
    if not isinstance(kwargs, dict):
        raise ValueError(f'"with" is {_KINDS[type(kwargs)]}; an object with arguments by name is needed')
    if not isinstance(args, list):
        raise ValueError(f'"args" is {_KINDS[type(args)]}; a list of arguments is needed')
    names = [after] if isinstance(after, str) else after
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise ValueError(f'"after" is {after!r}; a list of names of steps is needed')
    options = {name: value for name, value in told.items() if name not in _OWN}
    return Step(
        tasks[run],
        tuple(map(_value, args)),
        {name: _value(each) for name, each in kwargs.items()},
        options,
        tuple(names),
    )


def _value(told: Any) -> object:
    if isinstance(told, list):
        return [_value(each) for each in told]
    if not isinstance(told, dict):
        return told
    if _VALUE in told and len(told) == 1:
        return told[_VALUE]
    if _REF not in told:
        return {name: _value(each) for name, each in told.items()}
    step, output = told[_REF], told.get(_OUTPUT)
    if not isinstance(step, str) or not told.keys() <= {_REF, _OUTPUT} or not isinstance(output, str | None):
        raise ValueError(
            f'{told!r}: a reference is {{"$ref": "step"}} or {{"$ref": "step", "output": "file"}}'
        )
    return Ref(step) if output is None else OutputRef(step, output)


def written(steps: Mapping[str, Step], tasks: Tasks | None) -> str:
    """The JSON text that `read` reads.

    Raises:
        GraphError: something cannot be said in JSON.
    """
    names = None if tasks is None else {id(task): name for name, task in tasks.items()}
    owners: dict[str, int] = {}
    faults: list[str] = []
    told: dict[str, object] = {}
    for name, step in steps.items():
        run = step.name if names is None else names.get(id(step.task), "")
        if not run:
            faults.append(f"{name!r}: its task {step.task!r} has no name among those that were given")
        elif owners.setdefault(run, id(step.task)) != id(step.task):
            faults.append(
                f"{name!r}: another task is called {run!r}, too; give them names:  to_json(tasks={{...}})"
            )
        try:
            told[name] = _told(step, run)
        except (TypeError, ValueError, RecursionError) as error:
            faults.append(f"{name!r}: {error}")
    if faults:
        raise GraphError(tuple(faults))
    text = json.dumps(told, indent=2, ensure_ascii=False)
    is_text = all(not "\ud800" <= each <= "\udfff" for each in text)  # or no file can have it
    return text if is_text else json.dumps(told, indent=2)


def _told(step: Step, run: str) -> dict[str, object]:
    told: dict[str, object] = {"run": run}
    if step.args:
        told["args"] = [_in_json(each) for each in step.args]
    if step.kwargs:
        told["with"] = {name: _in_json(each) for name, each in step.kwargs.items()}
    if step.after:
        told["after"] = list(step.after)
    for name, value in step.options.items():
        told[name] = _plain(value)
    return told


def _in_json(value: object) -> object:
    if isinstance(value, OutputRef):
        return {_REF: value.step, _OUTPUT: value.output}
    if isinstance(value, Ref):
        return {_REF: value.step}
    if isinstance(value, (list, tuple)):
        return [_in_json(each) for each in value]
    if isinstance(value, dict):
        if not all(isinstance(each, str) for each in value):
            raise TypeError(f"a dict whose keys are not all text cannot be said in JSON: {value!r}")
        if _REF in value or _VALUE in value:
            return {_VALUE: _plain(value)}
        return {name: _in_json(each) for name, each in value.items()}
    return _plain(value)


def _plain(value: object) -> object:
    return json.loads(json.dumps(value, allow_nan=False))
