"""What is called for a task: its function with the resources that it asks for, or what runs its command elsewhere."""

from __future__ import annotations

from .._core.task import Definition
from .._worker.gives_resources import with_resources


def give_body(definition: Definition) -> None:
    """Set what is called for the calls of a function.

    Args:
        definition: of it, which knows its function and its options.

    Raises:
        TypeError: an option does not go with where its command is to run.
    """
    body = with_resources(definition.fn)
    if body is not definition.fn:
        definition.resources = body.needs
    definition.body = body
    if definition.kind == "executable" and definition.options.backend is not None:
        from .._runtime.far_commands import FarCommand  # few programs have such commands

        definition.body, definition.body_is_coroutine = FarCommand(definition), True
