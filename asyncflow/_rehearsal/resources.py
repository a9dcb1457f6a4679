"""What stands in for resources where nothing is set up."""

from __future__ import annotations

from .._core.task import Task
from .._inspect.resolve import returned_by
from .._stand_ins.examples import example_of


def give(task: Task) -> None:
    """Give a task something of the type that each resource yields which its call does not give."""
    given = {
        name: example_of(returned_by(resource.fn), resource.name)
        for place, name, resource in task.definition.resources
        if place >= len(task.args) and name not in task.kwargs
    }
    if given:
        task.kwargs = {**task.kwargs, **given}
