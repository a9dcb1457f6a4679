"""What a graph is declared with: steps, and references to other steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from .._core import arguments
from .._core.arguments import Lazy
from .._core.containers import Kinds, is_waited_for
from .._core.files import File
from .._core.options import TaskOptions
from .._core.signature import Parameters
from .._engine.function_task import FunctionTask
from .._engine.generator_task import GeneratorTask
from .._engine.options import name_of
from .._inspect.resolve import yields

_PARTS: Final[Mapping[str, object]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Ref:
    """The value of another step of the same graph, by that step's name.

    Args:
        step: the name.
    """

    step: str

    @property
    def outputs(self) -> _Outputs:
        """The files that the step declares to make, by name: ``ref("sort").outputs["sorted.txt"]``."""
        return _Outputs(self.step)


@dataclass(frozen=True, slots=True)
class OutputRef(Ref):
    """The path of a file that another step makes.

    Args:
        step: the name of the step.
        output: the name of the file, as the step's `asyncflow.OutputFile` has it.
    """

    output: str


@dataclass(frozen=True, slots=True)
class _Outputs:
    step: str

    def __getitem__(self, output: str) -> OutputRef:
        return OutputRef(self.step, output)


def ref(step: str, /) -> Ref:
    """Refer to another step of the same graph; may stand anywhere in a step's arguments, also inside containers.

    Args:
        step: its name.
    """
    return Ref(step)


REFS: Final = Kinds(Ref, is_waited_for, file=File)


@dataclass(frozen=True)
class Step:
    """One call in a graph, made by `step`.

    Args:
        task: a task, or a plain function.
        args: positional arguments.
        kwargs: arguments by keyword.
        options: options of the task for this step, as for ``with_options``.
        after: names of steps that must succeed first, and whose values are not passed.
    """

    task: Callable[..., object]
    args: tuple[object, ...] = ()
    kwargs: Mapping[str, object] = field(default_factory=dict)
    options: Mapping[str, object] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    is_command: bool = False
    """Whether a plain function returns a command to run, as that of an executable task does."""

    @property
    def name(self) -> str:
        """The task's own name."""
        task = self.task
        return task._definition.name if isinstance(task, FunctionTask | GeneratorTask) else name_of(task)

    @property
    def is_detached(self) -> bool:
        """Whether nobody waits for it: a tail task."""
        task = self.task
        own = task._definition.options.detached if isinstance(task, FunctionTask) else False
        return bool(self.options.get("detached", own))

    def needs(self) -> list[str]:
        """The names of the steps that this one refers to, each once."""
        try:
            refs = [each.step for each in self._scanned()[0]]
        except (TypeError, ValueError):  # which is a fault, told as such
            refs = []
        return list(dict.fromkeys([*refs, *self.after]))

    def filled(self, value_of: Callable[[Ref], object]) -> tuple[tuple[object, ...], Mapping[str, object]]:
        """The arguments, with a value in place of each reference."""
        _, holes = self._scanned()
        if not holes:
            return self.args, self.kwargs
        filled: list[object] = arguments.fill_value(holes, value_of)
        at = len(self.args)
        return tuple(filled[:at]), dict(zip(self.kwargs, filled[at:], strict=True))

    def _scanned(self) -> tuple[list[Ref], arguments.Holes]:
        def refuse(awaitable: object) -> object:
            raise TypeError(
                f"{awaitable!r} belongs to a run, and a graph is there before it.\n"
                "  Pass values, and ref(...) for the results of other steps."
            )

        return arguments.scan_value([*self.args, *self.kwargs.values()], REFS, refuse)

    def _gives_many(self) -> bool:
        task = self.task
        if isinstance(task, FunctionTask):
            return False
        return isinstance(task, GeneratorTask) or yields(task)

    def faults(self) -> Iterator[str]:
        """What is wrong with the step itself, a line each."""
        try:
            self._scanned()
        except Lazy as lazy:
            yield f"a {type(lazy.value).__name__} makes its items only once; pass a list"
        except (TypeError, ValueError) as error:
            yield str(error)
        task: object = self.task
        known = TaskOptions()
        if isinstance(task, FunctionTask):
            parameters, leading = task._parameters, task._leading
            known = task._definition.options
        elif callable(task) and not isinstance(task, type):
            parameters, leading = Parameters(task, self.name, None, known.names), ()
        else:
            what = "is a class" if isinstance(task, type) else "cannot be called"
            yield f"{task!r} {what}; a task or a function is needed"
            return
        if self._gives_many():
            yield f"{self.name} yields many values, and a step has one; a block may read them with  async for"
        try:
            parameters.fitted((*leading, *self.args), self.kwargs)
        except TypeError as error:
            yield str(error)
        if self.is_command:
            return
        try:
            known.changed(**self.options)
        except (TypeError, ValueError) as error:
            yield str(error)


def step(
    task: Callable[..., object], /, *args: object, after: str | Iterable[str] = (), **named: object
) -> Step:
    """Declare one call of a graph.

    Args:
        task: a task, or a plain function.
        args: its positional arguments, in which ``ref("name")`` stands for the value of another step.
        after: names of steps that must succeed first, and whose values are not passed.
        named: its arguments by keyword, and options as for ``with_options``. What the function has a parameter for is
            an argument.
    """
    parameters = _named_by(task)
    options = (task._definition.options if isinstance(task, FunctionTask) else TaskOptions()).names()
    given = {name: value for name, value in named.items() if name in options and name not in parameters}
    kwargs = {name: value for name, value in named.items() if name not in given}
    names = (after,) if isinstance(after, str) else tuple(after)
    return Step(task, args, kwargs, given, names)


def _named_by(task: object) -> Mapping[str, object]:
    """The parameters of a task's function, by name."""
    if isinstance(task, FunctionTask):
        signature = task._parameters.signature
    elif callable(task):
        signature = Parameters(task, "").signature
    else:
        signature = None
    return _PARTS if signature is None else signature.parameters
