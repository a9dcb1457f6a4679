"""The options of tasks: one class for each kind of task, each option with its check, and the keywords that users write.

To add an option is to add its field here, with a check of `given.py`, and its key with a line of documentation below.
Decorators, ``with_options``, hints, signatures and type checkers follow. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from itertools import islice
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Final,
    Generic,
    Literal,
    NamedTuple,
    Self,
    TypeAlias,
    TypedDict,
    TypeVar,
)

from . import given as check
from .amounts import Much
from .limits import Limit, Weight
from .near import meant
from .probes import Http, Port, Probe, probe_of
from .retries import Backoff, Delay, RetryOn

if TYPE_CHECKING:
    from datetime import timedelta
    from os import PathLike
    from typing import Unpack

Duration: TypeAlias = "float | timedelta"
R = TypeVar("R")
READY_TIMEOUT: Final = 60.0
"""Seconds after which a service that is not ready has failed, where nothing else is said."""
_AFTER: Final = "after"  # what only ``with_options`` takes: futures, which belong to calls and not to a task


class Option(NamedTuple):
    """One option, as its class declares it."""

    default: object
    check: Callable[[str, object], object]
    left_open: object  # what stands for "not given"
    is_barred: bool  # whether tasks of this kind cannot be given it; then the check says why


def option(
    check: Callable[[str, object], object], default: object = None, *, left_open: object = None
) -> Any:
    """Declare an option: the default is kept as it is, all else goes through the check."""
    return Option(default, check, left_open, False)


def barred(why: str, default: object = None) -> Any:
    """Declare that a kind of tasks cannot be given what others can."""

    def refusal(option: str, given: object) -> object:
        raise TypeError(f"{option}={given!r}: {why}")

    return Option(default, refusal, default, True)


class _Options:
    """Options that are checked when they are given, and do not change."""

    __slots__ = ("given",)

    given: Mapping[str, object]
    """What was given, as checked; the others are defaults, of an engine or built in."""

    _declared: ClassVar[Mapping[str, Option]] = {}

    def __init_subclass__(cls) -> None:
        own = {name: each for name, each in vars(cls).items() if isinstance(each, Option)}
        cls._declared = {**cls._declared, **own}

    def __init__(self, **given: object) -> None:
        checked = self._checked(given)
        self.__dict__.update((name, each.default) for name, each in self._declared.items())
        self.__dict__.update(checked)
        object.__setattr__(self, "given", checked)

    def changed(self, /, **given: object) -> Self:
        """The same with some options set; one that is given as None, or ``example=...``, stays as it is.

        Raises:
            TypeError: there is no such option, or it is of the wrong type, or of no use to this kind of tasks.
            ValueError: what is given is out of range.
        """
        checked = self._checked(given)
        return self._made(self.__dict__, checked, {**self.given, **checked})

    def over(self, defaults: Self) -> Self:
        """The same with all that was not given as others have it, as the defaults of an engine."""
        return self._made(defaults.__dict__, self.given, self.given)

    def as_defaults(self, *more: _Options) -> Self:
        """The same as if nothing had been given, and with what others were given that tasks of this kind can be."""
        known = self.defaults()
        given = {name: value for each in more for name, value in each.given.items() if name in known}
        return self._made(self.__dict__, given, {})

    def without(self, name: str) -> Self:
        """The same as if one option had not been given."""
        given = {each: value for each, value in self.given.items() if each != name}
        return self._made(self.__dict__, {name: self._declared[name].default}, given)

    def settled(self, values: Mapping[str, object]) -> Self:
        """The same with some values that were checked as options of others, and as if all of its own had been given:
        defaults of an engine change nothing.
        """
        whole = {**self.__dict__, **values}
        return self._made(whole, {}, whole)

    def _made(
        self, values: Mapping[str, object], changes: Mapping[str, object], given: Mapping[str, object]
    ) -> Self:
        made = object.__new__(type(self))
        made.__dict__.update(values)  # checked when they were given
        made.__dict__.update(changes)
        object.__setattr__(made, "given", given)
        return made

    def _checked(self, given: Mapping[str, object]) -> dict[str, object]:
        known = self._declared
        if not given.keys() <= known.keys():
            self.check_names(given.keys())
        return {
            name: known[name].check(name, value)
            for name, value in given.items()
            if value is not known[name].left_open
        }

    @classmethod
    def defaults(cls) -> dict[str, object]:
        """The options that can be given, by name, as they are where nothing was given."""
        return {name: each.default for name, each in cls._declared.items() if not each.is_barred}

    @classmethod
    def barred_names(cls) -> set[str]:
        """The options that tasks of this kind cannot be given."""
        return {name for name, each in cls._declared.items() if each.is_barred}

    @classmethod
    def names(cls) -> list[str]:
        """The names of all options that calls can be given beforehand."""
        return sorted([*cls.defaults(), _AFTER])

    @classmethod
    def check_names(cls, given: Set[str]) -> None:
        """Refuse an option that there is not."""
        unknown = min(given - cls._declared.keys(), default=None)
        if unknown == _AFTER:
            raise TypeError(
                "after= goes before a call, not to the function:  task.with_options(after=...)(...)"
            )
        if unknown is not None:
            names = cls.names()
            raise TypeError(
                f"no option is called {unknown!r}.{meant(unknown, names)}\n  There are: {', '.join(names)}."
            )

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"options do not change; make others:  options.changed({name}=...)")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), self.__dict__["name"]))

    @property
    def in_words(self) -> str:
        """Those that are not as they would be by themselves, as they are written: "retries=2, timeout=30"."""
        declared, values = self._declared, self.__dict__.items()
        given = (f"{name}={value!r}" for name, value in values if value is not declared[name].default)
        return ", ".join(given)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.in_words})"


class TaskOptions(_Options):
    """The options of a task that is a function."""

    name: str | None = option(check.text)
    timeout: float | None = option(check.limit)
    label: str | None = option(check.text)
    retries: int = option(check.count, 0, left_open=None)
    retry_delay: Delay = option(check.delay, Backoff(), left_open=None)
    retry_on: RetryOn | None = option(check.failures)
    deadline: float | None = option(check.limit)
    limits: Mapping[Limit | str, Weight] | None = option(check.limits)
    max_concurrent: Limit | None = option(check.own_limit)
    detached: bool = option(check.flag, False)
    cores: Much | None = option(check.much)
    memory: Much | None = option(check.much)
    gpus: Much | None = option(check.how_many)
    amounts: Mapping[str, Much] | None = option(check.amounts)
    priority: float | None = option(check.real)
    backend: str | None = option(check.backend)
    keep: bool | None = option(check.flag)
    example: object = option(check.anything, ..., left_open=...)
    expected: float | None = option(check.estimate)

    if TYPE_CHECKING:

        def __init__(self, **given: Unpack[TaskKeywords[object]]) -> None: ...


def amounts_of(options: TaskOptions) -> dict[str, Much]:
    """What a task needs of amounts, by name.

    Raises:
        ValueError: one is given by its own option and in ``amounts``.
    """
    named = {"cores": options.cores, "memory": options.memory, "gpus": options.gpus}
    own = {name: much for name, much in named.items() if much is not None}
    others = options.amounts or {}
    twice = min(own.keys() & others.keys(), default=None)
    if twice is not None:
        raise ValueError(f"{twice}={own[twice]!r} and amounts={others!r}: give one of the two")
    return {**own, **others}


_NO_WORK: Final = "the body of a block does no work of its own; give it to the tasks inside"


class BlockOptions(TaskOptions):
    """The options of a block."""

    cores: None = barred(_NO_WORK)
    memory: None = barred(_NO_WORK)
    gpus: None = barred(_NO_WORK)
    amounts: None = barred(_NO_WORK)
    backend: None = barred("the body of a block runs on the event loop")
    keep: None = barred("what a block gives is what its tasks have made; give it to those")
    example: object = barred("the body of a block runs also in a dry run", ...)
    expected: None = barred("a block takes as long as what is inside")
    on_failure: str = option(check.reaction, "continue", left_open=None)

    if TYPE_CHECKING:

        def __init__(self, **given: Unpack[BlockKeywords]) -> None: ...


class CommandOptions(TaskOptions):
    """The options of an executable task: how its commands are run, too."""

    keep: None = barred("commands run on this machine, where their output is at hand")
    env: Mapping[str, str] | None = option(check.variables)
    clean_env: bool = option(check.flag, False)
    cwd: Any = option(check.path)
    stdin: object = option(check.source)
    ok_codes: frozenset[int] = option(check.codes, frozenset({0}))
    capture_stdio: bool = option(check.flag, False)
    text: bool = option(check.flag, True)
    shell: str | tuple[str, ...] = option(check.shell, "/bin/sh")
    service: bool = option(check.flag, False)
    ready: Probe | None = option(probe_of)
    ready_timeout: float = option(check.limit, READY_TIMEOUT)
    stop_after: str = option(check.stop_after, "block")

    if TYPE_CHECKING:

        def __init__(self, **given: Unpack[AllCommandKeywords[object]]) -> None: ...

    def environment(self, parents: Mapping[str, str]) -> dict[str, str]:
        """The variables that the command sees, given the environment of this process."""
        return {**({} if self.clean_env else parents), **(self.env or {})}


_ON: Final = "a service goes on for as long as it is needed"


class ServiceOptions(TaskOptions):
    """The options of a service that is a generator function."""

    backend: None = barred(
        "a service runs beside the engine: on the event loop, or in a thread if it is no async def"
    )
    keep: None = barred("a service runs beside the engine, where its value is at hand")
    timeout: None = barred(f"{_ON}; what bounds its start is ready_timeout=")
    deadline: None = barred(f"{_ON}; what bounds its start is ready_timeout=")
    limits: None = barred(f"{_ON}, and would hold them; the tasks that use it may name limits")
    max_concurrent: None = barred(f"{_ON}; one call of it is one service")
    priority: None = barred(f"{_ON}, and begins as soon as a task needs it")
    cores: None = barred(f"{_ON}, and would hold them; give it to the tasks that use it")
    memory: None = barred(f"{_ON}, and would hold it; give it to the tasks that use it")
    gpus: None = barred(f"{_ON}, and would hold them; give it to the tasks that use it")
    amounts: None = barred(f"{_ON}, and would hold them; give it to the tasks that use it")
    detached: bool = barred("nobody waits for a service, and it ends with what it was started for", False)
    ready_timeout: float = option(check.limit, READY_TIMEOUT)
    stop_after: str = option(check.stop_after, "block")

    if TYPE_CHECKING:

        def __init__(self, **given: Unpack[ServiceKeywords[object]]) -> None: ...


_OF_SERVICES: Final = ("ready", "ready_timeout", "stop_after")


def check_service(name: str, options: TaskOptions) -> None:
    """Refuse options of an executable task that do not go together with whether it is a service.

    Raises:
        TypeError: they do not.
    """
    if not isinstance(options, CommandOptions):
        return
    if not options.service:
        for each in _OF_SERVICES:
            if each in options.given:
                raise TypeError(
                    f"{name!r}: {each}= is for services:  executable_task(service=True, {each}=...)"
                )
        return
    for each in sorted(ServiceOptions.barred_names()):
        if each in options.given:
            try:
                ServiceOptions().changed(**{each: options.given[each]})
            except TypeError as error:
                raise TypeError(f"{name!r}: {error}") from None


Labels: TypeAlias = "Iterable[str] | Callable[..., str] | None"
"""One label for each call, or what makes one of the arguments."""


def labels_of(calls: Sequence[tuple[object, ...]], label: object, name: str) -> list[str]:
    """The labels of many calls of a task, all of them before the first call is made.

    Raises:
        TypeError: a label is no text, or there is one for all.
        ValueError: there are fewer labels than calls.
    """
    if isinstance(label, str) or not (callable(label) or isinstance(label, Iterable)):
        raise TypeError(
            f"{name!r}: label={label!r}: map takes one for each call, or a function that makes one of the arguments.\n"
            f"  For all:  {name}.with_options(label={label!r}).map(...)"
        )
    labels = [label(*items) for items in calls] if callable(label) else list(islice(label, len(calls)))
    if len(labels) < len(calls):
        raise ValueError(f"{name!r}: label= has {len(labels):,} for map, which makes {len(calls):,} calls")
    return [check.text(f"{name!r}: label", each) for each in labels]


# -- what users write: editors show a key's documentation at the keyword ------------------------------------------


class CommonKeywords(TypedDict, total=False):
    """The options of all that can be called, as keywords."""

    name: str | None
    """What the task is called in messages, reports and plans; the function's own name if not given."""
    label: str | None
    """Tells these calls from others in errors, logs and `TaskFuture.explain`: "trim[S17]". Reports and plans have them
    under one name all the same."""
    retries: int | None
    """Attempts after the first, if that fails; none if not given."""
    retry_delay: Duration | Sequence[Duration] | Callable[[int, BaseException], float] | Backoff | None
    """What is waited between two attempts: seconds or `timedelta`, one for each in turn, a function of the number of
    the attempt that failed and its error, or a `Backoff`; that is `Backoff()` if not given."""
    retry_on: RetryOn | None
    """Failures that are worth another attempt: classes of exceptions, or a function that is asked; all if not given."""


class ExampleKeywords(TypedDict, Generic[R], total=False):
    """What plans and dry runs are told of a value, as keywords."""

    example: R | Callable[..., R]
    """What stands in for the value in a dry run: a value, or a callable that makes one of the task's arguments.
    Something of the type that the function is annotated to return, if not given."""
    expected: Duration | None
    """Seconds or `timedelta` that it is expected to take, for plans."""


class SharedKeywords(CommonKeywords, total=False):
    """The options that tasks of every kind but services have, as keywords."""

    timeout: Duration | None
    """Seconds or `timedelta` that one attempt may run; any time if not given."""
    deadline: Duration | None
    """Seconds or `timedelta` from the call to the end, with all that it waits for; any time if not given."""
    limits: str | Limit | Iterable[str | Limit] | Mapping[str | Limit, Weight] | None
    """Limits that it needs something of while it runs, by name or as `Limit`; in a mapping each with how much: a
    number, or a function that makes one of the task's arguments. 1 of each, if not given."""
    max_concurrent: int | None
    """How many of these calls may run at once; any number if not given."""
    detached: bool | None
    """Whether nobody waits for it: it is not cancelled with the block around it, and a shutdown waits no longer for it
    than the engine's ``tail_timeout``. Its errors are logged."""
    priority: float | None
    """Of what could run the highest goes first; that of the block around it if not given, or 0. What a task waits for
    goes by the task's priority, if that is higher than its own."""


class BlockKeywords(SharedKeywords, total=False):
    """The options of a block, as keywords."""

    on_failure: Literal["continue", "stop"] | None
    """What the first failure inside of it does that no attempt follows: "stop" cancels all else inside, and the block
    fails with it; "continue", if not given, lets all go on that does not depend on what has failed."""


class ValueKeywords(ExampleKeywords[R], SharedKeywords, Generic[R], total=False):
    """The options of tasks whose value is their own, as keywords."""

    cores: Much | None
    """How many of the cores that the engine or the backend has; or a function of the number of the attempt and the
    error of the one before, None for the first, so that a retry may ask for more."""
    memory: Much | None
    """The same of memory, in bytes."""
    gpus: int | Callable[[int, BaseException | None], int] | None
    """The same of GPUs, which are the task's own while it runs: `current().gpus` has their numbers, and
    ``CUDA_VISIBLE_DEVICES`` in worker processes and commands."""
    amounts: Mapping[str, Much] | None
    """The same of others, by name, as ``{"licence": 1}``."""


class TaskKeywords(ValueKeywords[R], Generic[R], total=False):
    """The options of a task that is a function, as keywords."""

    backend: str | None
    """The name of the backend to run on; the engine's default if not given."""
    keep: bool | None
    """Whether the result stays where it is made until somebody awaits it, on a backend that can keep results: True for
    any size, False for none; from the backend's ``keep_from`` bytes on if not given."""


class FunctionKeywords(TaskKeywords[R], BlockKeywords, Generic[R], total=False):
    """The options of a task that is a function, and those of a block, as keywords."""


class CommandKeywords(ValueKeywords[R], Generic[R], total=False):
    """The options of an executable task, as keywords, but for those that decide on the type of its value."""

    backend: str | None
    """The name of a backend that carries files, on whose machines the commands run; on this machine, in slots of their
    own, if not given."""
    env: Mapping[str, object] | None
    """Variables, added to the parent's environment."""
    clean_env: bool | None
    """Whether these are all that the command gets."""
    cwd: str | PathLike[str] | None
    """Where it runs, relative to its sandbox, a new directory; the sandbox itself if not given."""
    stdin: str | bytes | PathLike[str] | None
    """Text, bytes or a path that the command reads as its standard input."""
    ok_codes: int | Iterable[int] | None
    """Exit codes that are no failure; 0 alone if not given."""
    shell: str | Sequence[str] | None
    """What runs a command given as text: a program, or a list of it and its arguments up to the one before the command,
    as ``["bash", "-o", "pipefail", "-c"]``. The engine's if not given."""


class ServiceStageKeywords(TypedDict, total=False):
    """When a service is ready, and when it is stopped, as keywords."""

    ready_timeout: Duration | None
    """Seconds or `timedelta` within which a service has to be ready; 60 if not given."""
    stop_after: Literal["block", "users", "run"] | None
    """What is to be over before a service is stopped: the block in which it was called with all tasks that use it, if
    not given; these tasks alone; or the run."""


class ServiceKeywords(ServiceStageKeywords, ExampleKeywords[R], CommonKeywords, Generic[R], total=False):
    """The options of a service that is a generator function, as keywords."""


class CommandServiceKeywords(ServiceStageKeywords, CommandKeywords[R], Generic[R], total=False):
    """The options of an executable task that is a service, as keywords."""

    ready: int | str | re.Pattern[str] | Port | Http | Callable[..., object] | None
    """How it is known that a service is ready: the number of a TCP port, `port`, `http`, text or a pattern that a line
    of its output has in it, or a function of the call's arguments. As soon as it runs, if not given."""
    capture_stdio: bool | None
    """Whether the output goes to a file, whose path is then the value."""


class AllCommandKeywords(CommandServiceKeywords[R], Generic[R], total=False):
    """All options of an executable task, as keywords."""

    service: bool | None
    """Whether the command goes on beside the tasks that use it, as a server does; see `ready`."""
    text: bool | None
    """Whether the value is text, in UTF-8; False for bytes, as they are."""
