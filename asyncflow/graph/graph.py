"""A graph of steps: checked when it is made, called on an engine when it is to run."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any, Final, Literal

from .._causes import spelled
from .._core.near import Suggestions
from .._show.outlined import Cell
from .._show.words import counted, given
from ..errors import GraphError
from . import order
from .steps import OutputRef, Ref, Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._runtime.future import TaskFuture
    from .._show.outline import Outline
    from .calls import Engine

_DRAWN: Final = 20  # steps of a circle


class Graph(Cell, Mapping[str, Step]):
    """Steps by name, which refer to one another by name; does not change.

    Args:
        steps: made by `step`, by the names that `ref` and ``after=`` refer to.

    Raises:
        GraphError: something is wrong with it; tells all that is.
    """

    def __init__(self, steps: Mapping[str, Step]) -> None:
        given: object = steps
        if not isinstance(given, Mapping):
            raise TypeError(
                f"Graph() got a {type(given).__name__}: steps by name are needed:  Graph({{'a': step(...)}})"
            )
        self._steps = dict(steps)
        self._needs = self._checked()
        self._stages = order.stages(self._needs)

    def _checked(self) -> dict[str, list[str]]:
        """What each step needs, if nothing is wrong."""
        faults: list[str] = []
        needs: dict[str, list[str]] = {}
        refs: dict[str, list[Ref]] = {}
        items: list[tuple[object, object]] = [*self._steps.items()]
        for name, each in items:
            if not isinstance(name, str):
                faults.append(f"{name!r}, a {type(name).__name__}, is no name of a step; text is needed")
                continue
            if not isinstance(each, Step):
                faults.append(f"{name!r}: {each!r} is no step; say:  step(function, ...)")
                continue
            faults += [f"{name!r}: {fault}" for fault in each.faults()]
            refs[name] = each.refs()
            needs[name] = list(dict.fromkeys([*(ref.step for ref in refs[name]), *each.after]))
        meant = Suggestions(self._steps)
        for name, others in needs.items():
            unknown = [other for other in others if other not in self._steps]
            faults += [f"{name!r}: there is no step {other!r}.{meant(other)}" for other in unknown]
            faults += [f"{name!r}: {fault}" for fault in self._no_outputs(refs[name])]
        known = {name: [other for other in others if other in needs] for name, others in needs.items()}
        faults += [_drawn(circle) for circle in order.circles(known)]
        if faults:
            raise GraphError(tuple(map(spelled, faults)))
        return needs

    def _no_outputs(self, refs: list[Ref]) -> Iterator[str]:
        """What is wrong with references to files of steps."""
        for ref in refs:
            maker = self._steps.get(ref.step)
            if isinstance(ref, OutputRef) and isinstance(maker, Step):
                fault = maker.lacks(ref.output)
                if fault is not None:
                    yield f"{ref.step!r} {fault}"

    # -- as a mapping -------------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> Step:
        return self._steps[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._steps)

    def __len__(self) -> int:
        return len(self._steps)

    def __or__(self, more: Mapping[str, Step]) -> Graph:
        """Both; where both have a step of one name, the second's."""
        given: object = more
        return Graph({**self._steps, **more}) if isinstance(given, Mapping) else NotImplemented

    def __ror__(self, more: Mapping[str, Step]) -> Graph:
        """As the sum of a dict and a graph."""
        given: object = more
        return Graph({**more, **self._steps}) if isinstance(given, Mapping) else NotImplemented

    def _outline(self) -> Outline:
        from .outline import outline_of

        return outline_of(self)

    def __repr__(self) -> str:
        return f"<Graph of {counted(len(self), 'step')} in {counted(len(self._stages), 'stage')}>"

    # -- what it is ---------------------------------------------------------------------------------------

    @property
    def stages(self) -> list[list[str]]:
        """The names of the steps in groups: each step refers only to steps of earlier groups, so that those of one
        group can run at the same time."""
        return [list(stage) for stage in self._stages]

    def needs(self, name: str) -> list[str]:
        """The names of the steps that one refers to.

        Args:
            name: of the step.

        Raises:
            KeyError: there is no such step.
        """
        return list(self._needs[name])

    def only(self, *targets: str) -> Graph:
        """Some steps, and all that they need.

        Args:
            targets: names of steps.

        Raises:
            GraphError: there is no such step.
        """
        meant = Suggestions(self)
        given: tuple[object, ...] = targets
        unknown = [
            f"there is no step {name!r}.{meant(name)}"
            for name in given
            if not isinstance(name, str) or name not in self
        ]
        if unknown:
            raise GraphError(tuple(unknown))
        wanted = order.needed_by(targets, self._needs)
        return Graph({name: each for name, each in self._steps.items() if name in wanted})

    def wanted(self, targets: Iterable[str] | None) -> Graph:
        """As `only`, of targets in a list; of None all of it.

        Args:
            targets: names of steps.

        Raises:
            GraphError: there is no such step.
            TypeError: it is no list.
        """
        names = names_of(targets)
        return self if names is None else self.only(*names)

    # -- to run it ----------------------------------------------------------------------------------------

    def call(self, engine: Engine, *, targets: Iterable[str] | None = None) -> dict[str, TaskFuture[Any]]:
        """Call all steps on an engine.

        Each is told from the others by its name as its ``label``, unless the step has one.

        Args:
            engine: a `WorkflowEngine`, where the steps run, whatever engine their tasks were made by.
            targets: the steps that are wanted; they and what they need are called. None for all.

        Returns:
            The futures of the steps, by name.

        Raises:
            GraphError: a target that there is not.
            WrongLoop: this is not the engine's event loop.
            EngineClosed: the engine was shut down.
        """
        from .calls import call_all

        caller = sys._getframe(1)
        graph = self.wanted(targets)
        return call_all(graph, graph._stages, engine, (caller.f_code, caller.f_lasti))

    # -- as text ------------------------------------------------------------------------------------------

    @classmethod
    def from_json(cls, text: str | bytes, tasks: Mapping[str, Callable[..., object]]) -> Graph:
        """Read a graph from JSON text: an object that has for each step its name and what it is, as

            {"rows": {"run": "load", "with": {"path": "a.csv"}},
             "model": {"run": "fit", "with": {"rows": {"$ref": "rows"}}, "after": ["audit"], "retries": 2}}

        ``run`` is the name of a task, ``with`` has arguments by keyword and ``args`` positional ones, ``after`` names
        of steps; all else are options. ``{"$ref": "rows"}`` is the value of another step, ``{"$ref": "sort",
        "output": "sorted.txt"}`` the path of a file that it makes, and ``{"$value": ...}`` something that is to be
        taken as it stands.

        Args:
            text: the JSON; bytes are UTF-8.
            tasks: what ``run`` may name: nothing else is looked up, imported or evaluated.

        Raises:
            TypeError: there is no text, or no tasks by name.
            GraphError: it is no JSON, or something is wrong with the graph; tells all that is.
        """
        from .as_json import read

        if not isinstance(text, str | bytes):
            raise TypeError(f"from_json() takes the text of a graph, and was given {given(text)}")
        if not isinstance(tasks, Mapping):
            raise TypeError(f"from_json(tasks={tasks!r}): tasks by name are needed:  tasks={{'load': load}}")
        return cls(read(text, tasks))

    def to_json(self, tasks: Mapping[str, Callable[..., object]] | None = None) -> str:
        """The graph as JSON text that `from_json` reads.

        Args:
            tasks: names for the tasks; None for those of their functions.

        Raises:
            GraphError: a value cannot be said in JSON, a task has no name, or two have one.
        """
        from .as_json import written

        return written(self._steps, tasks)

    @classmethod
    def from_wfformat(
        cls,
        path: str | PathLike[str] | Mapping[str, Any],
        *,
        run: Literal["sleep", "burn", "command"] = "sleep",
        scale: float = 100.0,
    ) -> Graph:
        """Replay a workflow that was recorded in WfFormat 1.5: for each recorded task a step that takes its time.

        Args:
            path: of the file, or what is in one.
            run: what a step does: "sleep", "burn" CPU time, or run a "command" that sleeps, reads the files that the
                recorded task has read, and makes those that it has made, in a thousandth of their size and at most
                10 KB each.
            scale: how many times faster than recorded.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is not in this format, or the scale is not above 0.
        """
        from .recorded import steps_of

        return cls(steps_of(path, run, scale))


def names_of(targets: Iterable[str] | None) -> list[str] | None:
    """Targets in a list; None for all.

    Raises:
        TypeError: it is no list.
    """
    if targets is None:
        return None
    given: object = targets
    if isinstance(given, str) or not isinstance(given, Iterable):
        mend = f":  targets=[{targets!r}]" if isinstance(given, str) else ""
        raise TypeError(f"targets={targets!r}: a list of names of steps is needed{mend}")
    return list(targets)


def _drawn(circle: list[str]) -> str:
    """A circle, in the order in which values would go; of a large one both ends."""
    names = [repr(name) for name in circle]
    if len(names) > _DRAWN:
        half = _DRAWN // 2
        names[half:-half] = [f"... {len(names) - 2 * half:,} more ..."]
    return "a circle: " + " -> ".join(names)
