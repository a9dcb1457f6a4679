"""What tasks of an engine have for options of which neither decorator nor ``with_options`` says anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from .._core.options import BlockOptions, CommandOptions, ServiceOptions, TaskOptions

_ONE_TASKS: Final = {
    "name": "all tasks would be called the same; give it to a task",
    "label": "it tells calls from others; give it to a task, or to a call",
    "example": "it stands in for the value of one task; give it to that one",
    "backend": "the first of backends= is the default",
    "max_concurrent": 'it counts the calls of one task; for all of them:  engine.limit("all", concurrency=...) and '
    'defaults=TaskOptions(limits="all")',
}
"""Options that no engine has for all of its tasks, each with what to do instead."""


def defaults_by_kind(given: object, shell: str | Sequence[str]) -> Mapping[str, TaskOptions]:
    """The options of tasks of which nothing else is said, by kind.

    Args:
        given: as ``defaults=``: options, or several.
        shell: that runs commands given as text.

    Raises:
        TypeError: that is something else, or has an option that belongs to one task.
        ValueError: two of one class.
    """
    if given is None and isinstance(shell, str):
        return _of_shell(shell)
    several: list[Any] = list(given) if isinstance(given, (list, tuple)) else [] if given is None else [given]
    return _over(several, given, shell)


@cache
def _of_shell(shell: str) -> Mapping[str, TaskOptions]:
    """The same for all engines of which nothing else is said; options never change."""
    return MappingProxyType(_over([], None, shell))


def _over(several: Sequence[Any], given: object, shell: str | Sequence[str]) -> dict[str, TaskOptions]:
    by_class: dict[type[TaskOptions], TaskOptions] = {}
    for each in several:
        _check(each, given)
        if type(each) in by_class:
            raise ValueError(f"defaults={given!r}: {type(each).__name__} is there twice; give all in one")
        by_class[type(each)] = each

    def of(*classes: type[TaskOptions]) -> Iterable[TaskOptions]:
        return (by_class[cls] for cls in classes if cls in by_class)

    return {
        "function": TaskOptions().as_defaults(*of(TaskOptions)),
        "block": BlockOptions().as_defaults(*of(BlockOptions)),
        "service": ServiceOptions().as_defaults(*of(TaskOptions, ServiceOptions)),
        "executable": CommandOptions(shell=shell).as_defaults(*of(TaskOptions, CommandOptions)),
    }


def _check(each: object, given: object) -> None:
    if not isinstance(each, TaskOptions):
        shown = (
            ", ".join(f"{name}={value!r}" for name, value in each.items())
            if isinstance(each, dict)
            else "..."
        )
        raise TypeError(
            f"defaults={given!r}: options are needed:  defaults=TaskOptions({shown})\n"
            "  BlockOptions are for blocks, CommandOptions for commands, ServiceOptions for services; several as a\n"
            "  list."
        )
    for name in each.given:
        if name in _ONE_TASKS:
            raise TypeError(
                f"defaults={type(each).__name__}({name}={each.given[name]!r}): {_ONE_TASKS[name]}"
            )
