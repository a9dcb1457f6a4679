"""What a graph is declared with: steps, and references to other steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import FunctionType, MappingProxyType
from typing import Final
from weakref import WeakKeyDictionary

from .._core import arguments
from .._core.arguments import Lazy
from .._core.containers import Kinds, is_waited_for
from .._core.files import File, declared, straight
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

    Raises:
        TypeError: it is no text.
    """
    given: object = step
    if not isinstance(given, str):
        what = "a step; give it a name in the graph, and refer to that" if isinstance(given, Step) else given
        raise TypeError(f"ref() takes the name of a step, and was given {what!s}")
    return Ref(step)


def _is_refused(kind: type) -> bool:
    return is_waited_for(kind) or issubclass(kind, Step)


REFS: Final = Kinds(Ref, _is_refused, file=File)


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

    def refs(self) -> list[Ref]:
        """All references among its arguments; none if these cannot be looked into."""
        try:
            return self._scanned()[0]
        except (TypeError, ValueError):  # which is a fault, told as such
            return []

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
            if isinstance(awaitable, Step):
                raise TypeError(
                    f"a step of {awaitable.name} among the arguments is no value of it.\n"
                    "  Give it a name in the graph, and pass ref('name')."
                )
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
            parameters, leading = _parameters_of(task), ()
        else:
            what = "is a class" if isinstance(task, type) else "cannot be called"
            yield f"{task!r} {what}; a task or a function is needed"
            return
        if isinstance(task, partial) and _holds_refs(task):
            yield f"{self.name} is a partial with a reference in it; pass that as an argument of the step"
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

    def lacks(self, output: str) -> str | None:
        """Why nobody can refer to a file of this step by that name; None if somebody can."""
        task = self.task
        own = task._definition if isinstance(task, FunctionTask) else None
        is_command = self.is_command or (own is not None and own.is_command)
        if own is not None and own.is_block:
            return "is a block, which makes no files of its own"
        if isinstance(task, FunctionTask):
            parameters, leading = task._parameters, task._leading
        else:
            parameters, leading = _parameters_of(task), ()
        try:
            there = declared(*parameters.fitted((*leading, *self.args), self.kwargs)).outputs
        except (TypeError, ValueError):  # which is a fault of the step's own, or will be one of its call
            return None
        if straight(output) in there or (self.refs() and (is_command or there)):  # with which more may come
            return None
        return f"declares no output {output!r}; it has: {', '.join(there) or 'none'}"


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

    Raises:
        TypeError: ``after`` has something else than names.
    """
    parameters = _named_by(task)
    options = (task._definition.options if isinstance(task, FunctionTask) else TaskOptions()).names()
    given = {name: value for name, value in named.items() if name in options and name not in parameters}
    kwargs = {name: value for name, value in named.items() if name not in given}
    if after != () and "after" in parameters:
        return Step(task, args, {**kwargs, "after": after}, given)
    return Step(task, args, kwargs, given, _names(after))


def _names(after: object) -> tuple[str, ...]:
    names = (after,) if isinstance(after, str) or not isinstance(after, Iterable) else tuple(after)
    for each in names:
        if not isinstance(each, str):
            mend = f":  after={each.step!r}" if isinstance(each, Ref) else ""
            raise TypeError(f"after={after!r}: names of steps are needed{mend}")
    return names


_known: WeakKeyDictionary[FunctionType, Parameters] = WeakKeyDictionary()


def _parameters_of(task: Callable[..., object]) -> Parameters:
    """The parameters of what is no task yet; of a function found once, for many steps may be of it."""
    if type(task) is not FunctionType:
        return Parameters(task, name_of(task), None, TaskOptions().names)
    found = _known.get(task)
    if found is None:
        found = _known[task] = Parameters(task, name_of(task), None, TaskOptions().names)
    return found


def _holds_refs(task: partial[object]) -> bool:
    return arguments.holds_futures([task.args, task.keywords], REFS)


def _named_by(task: object) -> Mapping[str, object]:
    """The parameters of a task's function, by name."""
    if isinstance(task, FunctionTask):
        signature = task._parameters.signature
    elif callable(task):
        signature = _parameters_of(task).signature
    else:
        signature = None
    return _PARTS if signature is None else signature.parameters
