"""What all themes share: the backend under test, which cases apply to it, and what is looked at after each."""

from __future__ import annotations

import asyncio
import gc
import os
import weakref
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, ClassVar, TypeAlias, TypeVar

import pytest
import pytest_asyncio

from ... import State, TaskFuture, WorkflowEngine
from ...backend import Concurrency, ExecutionBackend
from ...events import TaskStarted
from .. import bad_tasks as bad
from ..deadlines import deadline
from ..gate import Gate
from ..leaks import no_leaks
from ._shared import Lender, SharedEngine, on_shared_engine, takes_an_engine

Case = TypeVar("Case")
Theme = TypeVar("Theme", bound="Conformance")
Engine: TypeAlias = Any
"""A `WorkflowEngine`. Typed loosely: cases mix tasks of all types in one list, and ask one state again and again."""
_STDERR = pytest.StashKey[int]()
_LONG = 3600.0  # seconds for a case that carries the mark `soak`


class Conformance:
    """The base of every theme. See `BackendConformance` for what a subclass sets."""

    workers: ClassVar[int] = 2
    executes: ClassVar[bool] = True
    grace: ClassVar[float] = 600.0
    patience: ClassVar[float] = 60.0
    excused: ClassVar[Mapping[str, str]] = {}
    shares_engine: ClassVar[bool] = False

    backend: ExecutionBackend
    shared: SharedEngine | None = None
    """The engine that the case is to run on, of a suite that shares one."""
    _gates: list[Gate]

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        unknown = [name for name in cls.excused if not hasattr(cls, name)]
        if unknown:
            raise TypeError(f"{cls.__name__}.excused names cases that are not there: {', '.join(unknown)}")
        if cls.make_backend is not Conformance.make_backend:
            cls._leave_out_what_does_not_apply()

    @classmethod
    def _leave_out_what_does_not_apply(cls) -> None:
        """Hide cases that are about backends of another kind from pytest: a skip is for what ought to hold."""
        suite = cls._with_a_backend()
        for name in filter(_is_case, dir(cls)):
            # A parent's `None` may hide what applies here.
            case = next(vars(base)[name] for base in cls.__mro__ if vars(base).get(name) is not None)
            unfit = suite is not None and name not in cls.excused and suite._unfit_for(case)
            chosen = None if unfit else case
            if chosen is not None and cls.shares_engine and not needs_its_own(case):
                chosen = on_shared_engine(case)
            if chosen is not getattr(cls, name):
                setattr(cls, name, chosen)
        if suite is not None:
            suite.put_away()

    @classmethod
    def _with_a_backend(cls) -> Conformance | None:
        """A suite to ask; None where a backend needs what only a fixture gives: then `_case` chooses, with a skip."""
        suite = cls()
        try:
            suite.backend = suite.make_backend()
        except (Exception, pytest.skip.Exception):
            return None
        return suite

    def make_backend(self) -> ExecutionBackend:
        """A new backend, not started. May be called several times."""
        raise NotImplementedError("a subclass says which backend")

    def put_away(self) -> None:
        """Release what `make_backend` made besides backends; called after each case, before leaks are looked for."""

    def is_spared(self, found: str) -> bool:
        """Whether something that a case has left behind is somebody else's, as connections that a library keeps.

        Args:
            found: as it would be shown, as "descriptor 45: socket:[4711]".
        """
        return False

    @pytest.fixture(scope="class")
    @classmethod
    def _lender(cls, request: pytest.FixtureRequest) -> Iterator[Lender]:
        kind: type[Conformance] = request.cls
        lender = Lender(kind)
        with no_leaks(spared=kind().is_spared):
            try:
                yield lender
            finally:
                lender.close()

    # -- around each case ---------------------------------------------------------------------------------

    @pytest.fixture(autouse=True)
    def _case(self, request: pytest.FixtureRequest) -> Iterator[None]:
        """Choose the case, bound it in time, and look for what it has left behind."""
        shared = None
        if getattr(request.function, "is_on_shared_engine", False):
            lender: Lender = request.getfixturevalue("_lender")
            shared = self.shared = lender.lend()

        def spared(found: str) -> bool:
            return self.is_spared(found) or (shared is not None and shared.spares(found))

        with looked_after(request, self.patience, spared):
            self._gates = []
            self.backend = self.make_backend() if shared is None else shared.backend
            try:
                self._skip_unless_it_applies(request.function)
                yield
            finally:
                self.open_all_gates()
                self.put_away()

    def _skip_unless_it_applies(self, case: Any) -> None:
        if case.__name__ in self.excused:
            pytest.skip(self.excused[case.__name__])
        if unfit := self._unfit_for(case):
            pytest.skip(unfit)

    def _unfit_for(self, case: object) -> str:
        """Why a case does not apply to the backend; empty where it does."""
        for trait, wanted in getattr(case, "asyncflow_applies", {}).items():
            if self.has(trait) is not wanted:
                return f"applies where {trait} is {wanted}"
        return ""

    def has(self, trait: str) -> bool:
        """Whether the backend is of a kind.

        Args:
            trait: "executes", "overlaps", "in_process", or one of the contract's capabilities.
        """
        if trait == "executes":
            return self.executes
        if trait == "overlaps":
            return self.executes and self.backend.concurrency is not Concurrency.SEQUENTIAL
        if trait == "in_process":
            return not self.backend.needs_pickle
        if trait == "keeps_generators":  # in this process they stay by themselves
            return self.backend.keeps_generators or not self.backend.needs_pickle
        answer: bool = getattr(self.backend, trait)
        return answer

    @pytest_asyncio.fixture(loop_scope="function")
    async def engine(self, _case: None) -> AsyncIterator[Engine]:
        """An engine on the backend, started. Afterwards the next tasks must work and the loop be clean."""
        others = asyncio.all_tasks()
        engine = self.make_engine()
        async with engine:
            yield engine
            self.open_all_gates()
            await self.check_next_tasks(engine)
        self._check_asyncio_tasks(others)

    def _check_asyncio_tasks(self, others: set[asyncio.Task[Any]]) -> None:
        left = asyncio.all_tasks() - others - {asyncio.current_task()}
        assert not left, f"asyncio tasks that the engine has left: {left}"

    async def leave_in_order(self, engine: Engine, others: set[asyncio.Task[Any]]) -> None:
        """Check a shared engine after a case, and leave nothing under way in it.

        Args:
            engine: which.
            others: tasks of its loop that were there before the case.
        """
        self.open_all_gates()
        await self.check_next_tasks(engine)
        await engine._run.stopping.all_over(detached=True)
        self._check_asyncio_tasks(others)

    def make_engine(self, **options: Any) -> Engine:
        """An engine on the backend, not started.

        Args:
            options: of the engine.
        """
        return WorkflowEngine(self.backend, grace=self.grace, **options)

    def gate(self) -> Gate:
        """A gate that is opened when the case is over, whatever happened."""
        gate = Gate()
        self._gates.append(gate)
        return gate

    def open_all_gates(self) -> None:
        """Let go of every task that stands at a gate."""
        for gate in self._gates:
            gate.close()

    async def knows_that_it_runs(self, engine: Engine, future: TaskFuture[Any]) -> None:
        """Wait until the engine knows that a task runs whose body has begun: not at all, unless it `tells_late`.

        Args:
            engine: whose task it is.
            future: of the task.
        """
        if self.backend.tells_late:
            begun = asyncio.Event()

            def hear(events: Sequence[object]) -> None:
                if any(isinstance(each, TaskStarted) and each.id == future.id for each in events):
                    begun.set()

            leave = engine.subscribe(hear)
            if future.state is not State.RUNNING:
                await begun.wait()
            leave()

    async def check_next_tasks(self, engine: Engine) -> None:
        """Whatever happened before, the next tasks work: one for each worker and more, and a coroutine."""
        futures = [engine.submit(bad.add, number, 1) for number in range(2 * self.workers)]
        results = await asyncio.gather(*futures, engine.submit(bad.add_later, 20, 22))
        if self.executes:
            assert results == [*range(1, 2 * self.workers + 1), 42]

    async def check_all_slots_are_free(self, engine: Engine) -> None:
        """As many tasks run at once as there are workers."""
        if self.has("overlaps"):
            gate = self.gate()
            futures = [engine.submit(bad.through, gate.door, number) for number in range(self.workers)]
            await gate.reached(self.workers)
            gate.close()
            assert await asyncio.gather(*futures) == list(range(self.workers))


def needs_its_own(case: object) -> bool:
    """Whether a case has to have an engine that was just started."""
    return not takes_an_engine(case) or getattr(case, "asyncflow_own_engine", False)


def own_engine(case: Case) -> Case:
    """Say of a case that its engine has to be just started, or is changed by it for good."""
    vars(case)["asyncflow_own_engine"] = True
    return case


def asynchronous(theme: type[Theme]) -> type[Theme]:
    """Let pytest-asyncio run the cases of a class; a mark on the class would reach the plain ones of other themes.

    Args:
        theme: the class.
    """
    for name, case in vars(theme).items():
        if _is_case(name):
            pytest.mark.asyncio(loop_scope="function")(case)
    return theme


def applies(**traits: bool) -> Callable[[Case], Case]:
    """Say to which backends a case, or all cases of a class, apply.

    Args:
        traits: as `Conformance.has` knows them, each with the answer that is asked for.
    """

    def mark(case: Case) -> Case:
        cases = [case] if not isinstance(case, type) else [vars(case)[name] for name in vars(case)]
        for each in cases:
            if callable(each) and _is_case(each.__name__):
                each.asyncflow_applies = {**traits, **getattr(each, "asyncflow_applies", {})}
        return case

    return mark


def _is_case(name: str) -> bool:
    return name.startswith("test_")


async def failure_of(future: TaskFuture[Any]) -> BaseException:
    """Wait for a task that is to fail.

    Args:
        future: of the task.

    Returns:
        Its exception; not raised, since some would end the test itself.
    """
    await asyncio.wait([future])
    assert not future.cancelled(), f"{future!r} was cancelled, not failed"
    error = future.exception()
    assert error is not None, f"{future!r} did not fail"
    return error


def told(error: BaseException) -> str:
    """Everything a user is shown of an exception besides its traceback."""
    return "\n".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", [])])


def release_of(value: object, loop: asyncio.AbstractEventLoop | None = None) -> asyncio.Event:
    """An event that is set when nobody holds a value any more: a thread may, for a moment after it has reported.

    Args:
        value: that can be referred to weakly.
        loop: of the event; None for the running one.
    """
    gone = asyncio.Event()
    weakref.finalize(
        value, (loop or asyncio.get_running_loop()).call_soon_threadsafe, gone.set
    ).atexit = False
    return gone


class PeakMemory:
    """The most memory that this process has held since this was made, beyond what it held then."""

    def __init__(self) -> None:
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")  # sets the mark down to what is held now
        self._before = self._status("VmRSS")

    @property
    def growth(self) -> int:
        """In bytes."""
        return self._status("VmHWM") - self._before

    def _status(self, field: str) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        [kilobytes] = [line.split()[1] for line in lines if line.startswith(f"{field}:")]
        return int(kilobytes) * 1024


@contextmanager
def looked_after(
    request: pytest.FixtureRequest, seconds: float, spared: Callable[[str], bool] = lambda found: False
) -> Iterator[None]:
    """Let a fixture bound a test in time and look for what it has left behind.

    Args:
        request: pytest's, of the fixture.
        seconds: that the test may take; one with the mark ``soak`` may take an hour.
        spared: as for `no_leaks`.
    """
    soak = request.node.get_closest_marker("soak") is not None
    request.getfixturevalue("tmp_path_factory").getbasetemp()  # made once and kept: not to be counted here
    with (
        deadline(_LONG if soak else seconds, file=_uncaptured_stderr(request.config)),
        no_leaks(spared=spared),
    ):
        yield


def _uncaptured_stderr(config: pytest.Config) -> int:
    """The standard error that pytest does not capture: what is written there is seen even if the process ends."""
    if _STDERR not in config.stash:
        capture = config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture is not None else nullcontext():
            config.stash[_STDERR] = os.dup(2)
    return config.stash[_STDERR]
