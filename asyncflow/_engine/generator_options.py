"""The options of a generator task: those for it as a whole, and those for each of its slices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from .._core.limits import Limit, Weight
from .._core.options import BlockOptions, TaskOptions
from .._core.task import Definition

_OF_THE_WHOLE: Final = frozenset({"name", "label", "deadline", "detached", "priority"})
_OF_SLICES_ALONE: Final = ("deadline", "detached")
_OF_TASKS: Final = frozenset({"backend", "keep", "example", "expected"})  # and none of blocks


def of_the_whole(definition: Definition, is_sliced: bool) -> tuple[BlockOptions, dict[str, object]]:
    """The options of the block that runs a generator.

    Args:
        definition: of the generator.
        is_sliced: whether it runs in slices, which have the other options.

    Returns:
        Those; and what it was given that no block can have, for which there is an error to raise.
    """
    options = definition.options
    known = BlockOptions.defaults()
    values = {
        name: value
        for name, value in options.__dict__.items()
        if name in known and (name in _OF_THE_WHOLE or not is_sliced)
    }
    values |= {"name": definition.name, "retries": 0}  # another attempt would give again what was given
    if not is_sliced:
        values["limits"] = _weighed(options.limits, _after_outlet)
    refused = {
        name: value
        for name, value in options.given.items()
        if name not in known and name not in _OF_TASKS and not is_sliced
    }
    return BlockOptions().settled(values), refused


def of_slices(definition: Definition) -> TaskOptions:
    """The options of each slice of a generator, and of what stands in for it where nothing runs."""
    options: TaskOptions = definition.options
    for of_all in _OF_SLICES_ALONE:
        options = options.without(of_all)
    return options.settled({"name": definition.name, "retries": 0, "keep": False})


def of_this_one(
    options: TaskOptions, args: tuple[object, ...], kwargs: Mapping[str, object]
) -> TaskOptions | None:
    """The options of the slices of one generator, if they follow from its arguments: how much it needs of limits is the
    same for all of its slices, which have other arguments.

    Args:
        options: of the slices of all.
        args: of this generator.
        kwargs: of it.

    Returns:
        Those; None if they are as for all.

    Raises:
        Exception: what a function that makes a weight has raised.
    """
    if not any(map(callable, (options.limits or {}).values())):
        return None
    return options.settled({"limits": _weighed(options.limits, lambda weight: weight(*args, **kwargs))})


def _weighed(
    limits: Mapping[Limit | str, Weight] | None, by: Callable[[Callable[..., Any]], Any]
) -> Mapping[Limit | str, Weight] | None:
    if limits is None:
        return None
    return {limit: by(weight) if callable(weight) else weight for limit, weight in limits.items()}


def _after_outlet(weight: Callable[..., float]) -> Callable[..., float]:
    """The same function for a block's arguments, the first of which is none of the user's."""

    def of_arguments(_: object, /, *args: object, **kwargs: object) -> float:
        return weight(*args, **kwargs)

    return of_arguments
