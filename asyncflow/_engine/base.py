"""The base class of engines: it starts and ends their runs, one after another, and finds the run that a call is for."""

from __future__ import annotations

import asyncio
import sys
import threading
import weakref
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from .._core.amounts import Amount, amounts_made
from .._core.given import amounts_there
from .._core.limits import Limit
from .._files.sandboxes import Sandboxes
from .._record.audience import Audience
from .._record.journal import Journal
from .._runtime import lifecycle
from .._runtime.awake import Awake
from .._runtime.hooks import Hook, Hooks
from .._runtime.run import Run
from .._runtime.scope import SCOPE, check_thread
from .._runtime.snapshot import snapshot_of
from .._turns import carried_out
from ..backend import ExecutionBackend
from ..errors import EngineClosed, WrongLoop
from .options import check_hook, no_loop
from .settings import Settings
from .shown import Display, Expected
from .starting import Starting

if TYPE_CHECKING:
    from .._core.overview import Overview
    from .._core.submissions import Submissions
    from .._rehearsal import Rehearsal
    from .._runtime.home import Home
    from .._runtime.teller import Teller
    from ..streams import Stream


class Served(Protocol):
    """A service of an engine, which takes no more jobs when the engine shuts down."""

    _submissions: Submissions[Any]

    @property
    def name(self) -> str:
        """The task's name."""

    def _close(self) -> None: ...


class EngineBase:
    """What `WorkflowEngine` is built on: it owns the runs of an engine.

    Args:
        backends: by the names that tasks use; the first is the default.
        chosen: what the user gave for each.
        settings: of all runs.
    """

    def __init__(
        self, backends: dict[str, ExecutionBackend], chosen: Mapping[str, object], settings: Settings
    ) -> None:
        self._backends = backends
        self._chosen = chosen
        self._settings = settings
        self._audience = Audience()
        self._limits: dict[str, Limit] = {}
        self._amounts = amounts_made(settings.amounts)
        self._of_backends = {name: amounts_made(_declared(each)) for name, each in backends.items()}
        self._hooks = Hooks()
        self._served: weakref.WeakSet[Served] = weakref.WeakSet()
        self._has_priorities = False
        self._run: Run | None = None
        self._starting = Starting()
        self._closing: asyncio.Future[None] | None = None
        self._finalizer: weakref.finalize[..., object] | None = None
        self._entered = 0  # how often it is entered, and not left
        self._streamed: weakref.WeakSet[Stream[Any]] = weakref.WeakSet()
        self._expected = Expected()
        self._display: Display | None = None
        self._replaced_as: str | None = None  # the name that another engine has got since

    def _add_hook(self, timeout: float | None, hook: object) -> object:
        self._hooks.add(Hook(check_hook(hook), timeout))
        return hook

    # -- which run ----------------------------------------------------------------------------------------

    def _rehearsal(self) -> Rehearsal | None:
        """The rehearsal inside of which this is asked."""
        block: Any = SCOPE.get().block
        return None if block is None else block._run.rehearses(self._backends)

    def _usable_run(self) -> Run | None:
        """The run that goes on here; None if one has to be begun."""
        run = self._run
        if run is None or run.closed is not None:
            return None
        if run.loop.is_closed():
            self._let_go(run)
            return None
        return run

    def _run_for(self, name: str) -> Home:
        """The run for a call that is not simply made on the loop of the one that goes on."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            running = self._run is not None and self._run.loop.is_running()
            raise WrongLoop(no_loop(name, self._run.thread if self._run and running else None)) from None
        rehearsal = self._rehearsal()
        if rehearsal is not None:
            return rehearsal
        if self._replaced_as is not None and SCOPE.get().block is None:
            raise EngineClosed(
                f"{name!r} was called, but it is a task of the engine that was {self._replaced_as!r} before.\n"
                f"  Run the cell again that decorates {name!r}."
            )
        run = self._usable_run()
        if run is None:
            if self._run is not None and self._run.loop is loop:
                raise EngineClosed(f"{name!r} was called, but {self._run.closed}")
            self._begin()
            assert self._run is not None
            return self._run
        if run.loop is not loop:
            raise WrongLoop(
                f"{name!r} was called on another event loop than the engine's.\n  One engine, one loop."
            )
        return run

    def _teller(self, run: Run | None, what: str) -> Teller | None:
        """Who tells of a run, if anybody does.

        Raises:
            WrongLoop: the run goes on, and ``what`` asks for that on another thread than its event loop's.
        """
        teller = None if run is None else run.teller
        if run is not None and teller is not None and not teller.is_over and run.loop.is_running():
            check_thread(run.thread, what)
        return teller

    def _amounts_for(self, kind: str, backend: str | None, is_coroutine: bool) -> dict[str, Amount]:
        """What there is for tasks of a kind: what their backend has, and for the rest what the engine has."""
        name = next(iter(self._backends)) if backend is None else backend
        runs_there = kind == "function" and (
            not is_coroutine or backend is not None or self._backends[name].runs_coroutines
        )
        return {**self._amounts, **(self._of_backends[name] if runs_there else {})}

    def _overview(self, what: str) -> Overview | None:
        """How the run that goes on stands, if one does; ``what`` asks for it, as for `_teller`."""
        run = self._usable_run()
        if run is None:
            return None
        if run.loop.is_running():
            check_thread(run.thread, what)
        run.steps.catch_up()
        live, places, is_open = run.scheduler.live, run.places.counts(), run.steps.is_open
        return snapshot_of(live, places, run.record, is_open=is_open, head=repr(self))

    # -- its beginning ------------------------------------------------------------------------------------

    async def _start(self) -> None:
        """Start, or inside of a rehearsal only note it; nothing to do if it runs."""
        rehearsal = self._rehearsal()
        if rehearsal is not None:
            rehearsal.started()
            return
        loop, closing = asyncio.get_running_loop(), self._closing
        if closing is not None and not closing.done() and closing.get_loop() is loop:
            await asyncio.shield(closing)
        run = self._usable_run()
        if run is None:
            self._begin()
        elif run.loop is not loop:
            raise WrongLoop("the engine runs on another event loop already.\n  One engine, one loop.")
        await self._starting.over()

    async def _enter(self) -> None:
        await self._start()
        self._entered += 1

    async def _leave(self, wait: bool) -> None:
        """Of several who have entered, the last one out ends the run."""
        self._entered -= 1
        if self._entered <= 0 or self._rehearsal() is not None:
            self._entered = max(self._entered, 0)
            with nullcontext() if wait else _shielded():
                await self._shut_down(wait, False)

    def _begin(self) -> None:
        settings = self._settings
        journal = None if settings.journal is None else Journal(settings.journal, settings.grace)
        if journal is not None:
            self._audience.add(journal)
        run = self._run = self._new_run(journal)
        run.hooks = self._hooks
        if run.teller is not None:
            from .about import about

            run.teller.about = about(settings)
        run.awake = Awake.of(run.loop)
        if self._has_priorities:
            run.put_in_order()
        self._closing = self._replaced_as = None
        self._expected = Expected()
        if settings.progress:
            self._display = self._shown()
        self._starting.begin(run, partial(lifecycle.start, run))
        self._finalizer = weakref.finalize(
            self, lifecycle.orphaned, run, settings.tail_timeout, settings.grace
        )

    def _shown(self) -> Display | None:
        """Have it shown how the run stands that has just begun."""
        return None

    def _new_run(self, journal: Journal | None) -> Run:
        if self._settings.dry_run:
            from .dry_runs import dry_run, places

            real = places(self._backends, self._chosen, self._settings, self._limits)
            return dry_run(self._backends, real, self._settings, self._audience, journal)
        run = Run
        if self._settings.check_types:
            from .._runtime.checked_run import CheckedRun as run

        return run(
            self._backends,
            max_coroutines=self._settings.max_coroutines,
            executables=self._settings.executables,
            sandboxes=Sandboxes(self._settings.work_dir, self._settings.keep),
            implicit_data=self._settings.implicit_data,
            grace=self._settings.grace,
            contains_commands=self._settings.contain_commands,
            stops=self._settings.on_failure == "stop",
            limits=self._limits,
            ageing=self._settings.ageing,
            report_limit=self._settings.report_limit,
            audience=self._audience,
            journal=journal,
        )

    def _put_in_order(self) -> None:
        """A task has a priority, or a block is streamed. From now on little is handed ahead, so that order counts."""
        self._has_priorities = True
        run = self._usable_run()
        if run is not None and run.thread == threading.get_ident():
            run.put_in_order()

    def _most_workers(self) -> int:
        """How many workers the largest of its backends has, as far as that is known."""
        return max((backend.workers or 0 for backend in self._backends.values()), default=0)

    # -- its end ------------------------------------------------------------------------------------------

    async def _shut_down(self, wait: bool, skip_backends: bool) -> None:
        """End the run, or inside of a rehearsal wait for what was called; whoever comes second waits for the first."""
        rehearsal = self._rehearsal()
        if rehearsal is not None:
            await rehearsal.shut_down()
            return
        run = self._run
        if run is None:
            return
        if run.loop.is_closed() or not run.is_ours:
            self._let_go(run)
            return
        if self._closing is not None and self._closing.done() and not _was_cut_short(self._closing):
            return
        if asyncio.get_running_loop() is not run.loop:
            raise WrongLoop("shutdown() was called on another event loop than the engine's")
        if run.is_inside():
            raise RuntimeError(
                "shutdown() inside a task would wait for itself; call it where the engine was started"
            )
        for service in list(self._served):
            service._close()
        closing = self._closing
        while closing is None or not closing.done() or _was_cut_short(closing):
            if closing is None or closing.done():
                close = self._close(run, wait, skip_backends)
                closing = self._closing = carried_out(close, run.turns, run.loop)
            elif not wait:
                run.stopping.cancel_all()
            await asyncio.wait([closing])
        closing.result()

    async def _close(self, run: Run, wait: bool, skip_backends: bool) -> None:
        try:
            await self._starting.over()
        except (Exception, KeyboardInterrupt):
            if run.closed is None:  # Ctrl-C came here
                raise
            run.unseen.tell()
            return  # it never started, and said so
        try:
            await lifecycle.close(
                run,
                wait=wait,
                tail_timeout=self._settings.tail_timeout,
                grace=self._settings.grace,
                skip_backends=skip_backends,
            )
        except KeyboardInterrupt:
            run.steps.cut_short()
            raise
        finally:
            display, self._display = self._display, None
            if display is not None:
                await display.close()
        if self._finalizer is not None:
            self._finalizer.detach()

    def _let_go(self, run: Run) -> None:
        lifecycle.abandon(run)
        if self._finalizer is not None:
            self._finalizer.detach()  # it would keep the run
        self._run = None
        self._starting = Starting()
        self._entered = 0


def _was_cut_short(closing: asyncio.Future[None]) -> bool:
    """Whether an end was left in its midst: by somebody who cancelled all that ran on the loop, or by Ctrl-C that came
    out of it."""
    return closing.cancelled() or isinstance(closing.exception(), KeyboardInterrupt)


def _declared(backend: ExecutionBackend) -> dict[str, float]:
    try:
        return amounts_there("amounts", backend.amounts)
    except (TypeError, ValueError) as error:
        raise type(error)(f"backend {backend.name!r}: {error}") from None


def _shielded() -> AbstractContextManager[object]:
    """Under a cancelled scope of anyio a cancel comes again at each await, which would leave a shutdown to itself.

    Whoever has not loaded anyio, which takes its while, is under none.
    """
    anyio = sys.modules.get("anyio")
    return nullcontext() if anyio is None else anyio.CancelScope(shield=True)
