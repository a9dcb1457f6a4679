"""Workflows that are wrong or right, and what a plan of them has to say.

A case is a function that is given an engine, decorates tasks, and returns what is to be planned. In a wrong one, the
line that the finding has to name ends in ``# here``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asyncflow import WorkflowEngine
from asyncflow.plan import Finding

Workflow = Callable[[WorkflowEngine], Any]
WRONG: list[Wrong] = []
RIGHT: list[Workflow] = []


@dataclass(frozen=True)
class Wrong:
    """A workflow in which one thing is wrong.

    Args:
        workflow: makes what is to be planned.
        what: words that the finding has to have.
        mend: words that its mend has to have.
        ends: names of the tasks that it has to name.
    """

    workflow: Workflow
    what: str
    mend: str
    ends: tuple[str, ...]

    @property
    def places(self) -> list[str]:
        """The lines marked as wrong, as findings begin."""
        lines, first = inspect.getsourcelines(self.workflow)
        file = Path(inspect.getfile(self.workflow)).name
        return [
            f"{file}:{number}, in "
            for number, line in enumerate(lines, first)
            if line.rstrip().endswith("# here")
        ]


def wrong(what: str, *ends: str, mend: str = "") -> Callable[[Workflow], Workflow]:
    """Say of a workflow that it is wrong, and how."""

    def decorate(workflow: Workflow) -> Workflow:
        WRONG.append(Wrong(workflow, what, mend, ends))
        return workflow

    return decorate


def right(workflow: Workflow) -> Workflow:
    """Say of a workflow that nothing is wrong with it."""
    RIGHT.append(workflow)
    return workflow


def name_of(case: Wrong | Workflow) -> str:
    """For the names of tests."""
    workflow = case.workflow if isinstance(case, Wrong) else case
    return f"{workflow.__module__.rpartition('.')[2]}.{workflow.__name__}"


def told(findings: tuple[Finding, ...]) -> str:
    """Findings for the message of a test that fails."""
    return "\n".join(f"{each.where}\n  {each.what}\n  {each.ends}\n  {each.mend}" for each in findings)
