"""The face: `WorkflowEngine`, its decorators and its lifecycle. Decides nothing about tasks and does no work."""

from __future__ import annotations

import asyncio
import inspect
import sys
import weakref
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial
from os import PathLike
from pathlib import Path
from types import MethodType, TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, get_args, overload

from ._core.commands import CommandOptions
from ._core.history import History
from ._core.task import Definition
from ._options import check_function, expected_seconds, is_coroutine_function, made, name_of, no_loop, seconds
from ._runtime import lifecycle
from ._runtime.audience import Audience
from ._runtime.future import TaskFuture
from ._runtime.journal import Journal
from ._runtime.run import Run
from ._runtime.sandboxes import Keep, Sandboxes
from ._runtime.scope import SCOPE, workflow_scope
from ._runtime.script import run_script
from ._typing import BlockDecorator, ExecutableTaskDecorator, FunctionTaskDecorator
from ._worker.far import FarEngine
from .backend import ExecutionBackend
from .backends.thread import usable_cpus
from .errors import EngineClosed, UnknownBackend, WrongLoop
from .events import Event
from .executable_task import ExecutableTask, runs
from .function_task import FunctionTask, made_at

if TYPE_CHECKING:
    from ._runtime.rehearsal import Rehearsal
    from .plan import Plan
    from .report import Report

P = ParamSpec("P")
R = TypeVar("R")
_SUBMITTED_KEPT = 256  # functions given to submit() that are remembered


class WorkflowEngine:
    """Turns functions into tasks and runs them in the order that their arguments ask for.

    Making one is cheap and starts nothing. It starts with ``async with engine``, with `create`, with `run`, or with the
    first call inside a running event loop.

    Args:
        backend: where plain functions run: a name ("thread", "sequential", "noop", or an installed one), an
            `ExecutionBackend`, or any `concurrent.futures.Executor`, which stays the caller's to shut down.
        backends: several instead, by names that tasks choose from; the first is the default.
        workers: how many workers a backend given by name has; None for its own default.
        dry_run: nothing runs but blocks; results are stand-ins.
        max_coroutines: how many ``async def`` tasks may be under way on the event loop at once; None for any number.
        executables: how many commands may run at once; None for ``workers``, or as many as there are usable CPUs.
        work_dir: where sandboxes are made, in a directory of each run; None for the system's place for temporary files.
        implicit_data: whether files that a command has made without declaring them are in the sandboxes of the commands
            that depend on it.
        keep: whose sandboxes stay after a shutdown: of "failed" tasks, of "all" or of "none".
        grace: seconds that running work is given to end at a shutdown.
        report_limit: how many tasks reports tell of one by one, the latest; of those before them sums are kept. 0 if
            nothing is to be recorded.
        journal: a file to which each run adds what happens, a line of JSON for each event; `Report.from_journal` reads
            it, also after the process was killed.
        max_tasks: how many tasks a dry run or a plan may call: a loop may not end on what stands in for results.
        check_types: whether arguments and results are held to their annotations as they flow; a task fails with
            `TypeMismatch` if one is not what it should be.

    Raises:
        UnknownBackend: no backend of that name is installed.
    """

    def __init__(
        self,
        backend: str | ExecutionBackend | Executor = "thread",
        *,
        backends: Mapping[str, str | ExecutionBackend | Executor] | None = None,
        workers: int | None = None,
        dry_run: bool = False,
        max_coroutines: int | None = None,
        executables: int | None = None,
        work_dir: str | PathLike[str] | None = None,
        implicit_data: bool = True,
        keep: Keep = "failed",
        grace: float = 5.0,
        report_limit: int = 200_000,
        journal: str | PathLike[str] | None = None,
        max_tasks: int = 100_000,
        check_types: bool = False,
    ) -> None:
        if workers is not None and workers < 1:
            raise ValueError(f"workers={workers}: at least one is needed")
        if max_coroutines is not None and max_coroutines < 1:
            raise ValueError(f"max_coroutines={max_coroutines}: at least one is needed")
        if executables is not None and executables < 1:
            raise ValueError(f"executables={executables}: at least one is needed")
        if report_limit < 0:
            raise ValueError(f"report_limit={report_limit}: a number of tasks, or 0 to record nothing")
        if journal is not None and not report_limit:
            raise ValueError(f"journal={str(journal)!r}: with report_limit=0 nothing is recorded")
        if max_tasks < 1:
            raise ValueError(f"max_tasks={max_tasks}: at least one is needed")
        if keep not in get_args(Keep):
            raise ValueError(f"keep={keep!r}: it can be one of {', '.join(map(repr, get_args(Keep)))}")
        chosen = dict(backends) if backends else {name_of(backend): backend}
        self._backends: dict[str, ExecutionBackend]
        if dry_run:
            self._backends = dict.fromkeys(chosen, made("noop", workers))
        else:
            self._backends = {name: made(each, workers) for name, each in chosen.items()}
        self._chosen = chosen
        self._max_coroutines = max_coroutines
        self._executables = executables or workers or usable_cpus()
        self._work_dir = None if work_dir is None else Path(work_dir).absolute()
        self._implicit_data = implicit_data
        self._keep: Keep = keep
        self._dry_run = dry_run
        self._grace = grace
        self._report_limit = report_limit
        self._journal = None if journal is None else Path(journal).absolute()
        self._audience = Audience()
        self._max_tasks = max_tasks
        self._check_types = check_types
        self._run: Run | None = None
        self._starting: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._finalizer: weakref.finalize[..., Any] | None = None
        self._submitted: OrderedDict[Any, FunctionTask[..., Any, Any]] = OrderedDict()

    # -- life ---------------------------------------------------------------------------------------------

    @classmethod
    async def create(cls, *args: Any, **options: Any) -> Self:
        """Make an engine and start it: the way of notebooks.

        Args:
            args: as for the class.
            options: as for the class.
        """
        engine = cls(*args, **options)
        await engine.start()
        return engine

    async def start(self) -> None:
        """Start, or start again after a shutdown; nothing to do if it runs."""
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
        assert self._starting is not None
        await asyncio.shield(self._starting)

    async def shutdown(self, wait: bool = True, skip_execution_backend: bool = False) -> None:
        """End the run. Afterwards every future is done and every thread, process and descriptor given back.

        May be called twice, also at once.

        Args:
            wait: finish what was called; False cancels it.
            skip_execution_backend: leave the backends running, for their owner to use or shut down.

        Raises:
            RuntimeError: called inside a task or block of this engine, which would wait for itself.
        """
        rehearsal = self._rehearsal()
        if rehearsal is not None:
            await rehearsal.shut_down()
            return
        run = self._run
        if run is None:
            return
        if run.loop.is_closed():
            self._let_go(run)
            return
        if self._closing is not None and self._closing.done() and not self._closing.cancelled():
            return
        if asyncio.get_running_loop() is not run.loop:
            raise WrongLoop("shutdown() was called on another event loop than the engine's")
        if run.is_inside():
            raise RuntimeError(
                "shutdown() inside a task would wait for itself; call it where the engine was started"
            )
        closing = self._closing
        while closing is None or not closing.done() or closing.cancelled():
            if closing is None or closing.cancelled():  # by somebody who cancelled all that ran on the loop
                closing = self._closing = run.loop.create_task(self._close(run, wait, skip_execution_backend))
            elif not wait:
                run.cancel_all()
            await asyncio.wait([closing])
        closing.result()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.shutdown(wait=error is None)

    @overload
    def run(self, target: FunctionTask[P, Any, R], /, *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    def run(self, target: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    def run(self, target: Coroutine[Any, Any, R], /) -> R: ...

    def run(self, target: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Run a block, task or coroutine function from a plain script, from start to shutdown.

        The first Ctrl-C cancels, cleans up and ends the script with exit code 130; a second one ends it at once.

        Args:
            target: what to call; or a coroutine, to be awaited.
            args: its positional arguments.
            kwargs: its keyword arguments.

        Returns:
            What awaiting it gives.

        Raises:
            WrongLoop: an event loop runs already; await the target there instead.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            if inspect.iscoroutine(target):
                target.close()
            raise WrongLoop(
                "engine.run() starts an event loop, and here one runs already; say:  await target(...)"
            )

        caller = sys._getframe(1)

        async def main() -> Any:
            async with self:
                called: Any = target if inspect.isawaitable(target) else target(*args, **kwargs)
                if isinstance(target, FunctionTask):
                    made_at(caller.f_code, caller.f_lasti, called)
                return await called if inspect.isawaitable(called) else called

        return run_script(main)

    @overload
    def plan(self, /) -> Coroutine[Any, Any, Plan]: ...
    @overload
    def plan(
        self, target: FunctionTask[P, Any, Any], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, Plan]: ...
    @overload
    def plan(
        self, target: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, Plan]: ...
    @overload
    def plan(self, target: Coroutine[Any, Any, Any], /) -> Coroutine[Any, Any, Plan]: ...

    def plan(self, /, *target: Any, **kwargs: Any) -> Coroutine[Any, Any, Plan]:
        """Rehearse a workflow, to be awaited: nothing of it runs but blocks, and the plan tells what would happen.

        The engine need not be started, and what it really runs meanwhile goes on. What is wrong with the wiring is in
        the plan's `findings`; ``plan.check()`` raises it, ``await plan.run()`` runs what was planned.

        Args:
            target: a block, any other task, a function that calls tasks, or a coroutine; and its positional arguments.
                If not given, the plan is of what was called until now on an engine with ``dry_run=True``.
            kwargs: its keyword arguments.

        Raises:
            TypeError: the target cannot be called.
            ValueError: it is a task of another engine.
            RuntimeError: no target was given and the engine makes no dry run.
        """
        from ._planning import plan_of, plan_so_far

        if not target:
            planning: Any = plan_so_far(self)
        else:
            caller = sys._getframe(1)
            planning = plan_of(self, target[0], target[1:], kwargs, (caller.f_code, caller.f_lasti))
        planning.__qualname__ = "engine.plan"  # in Python's words, where the await was forgotten
        return planning  # type: ignore[no-any-return]

    # -- tasks --------------------------------------------------------------------------------------------

    if TYPE_CHECKING:

        @property
        def function_task(self) -> FunctionTaskDecorator:
            """Make a function a task; bare or with options."""

        @property
        def block(self) -> BlockDecorator:
            """Make a function a sub-workflow; bare or with options."""

        @property
        def executable_task(self) -> ExecutableTaskDecorator:
            """Make a function a task that runs the command that the function returns; bare or with options."""

    else:

        def function_task(
            self, fn=None, /, *, name=None, backend=None, timeout=None, example=..., expected=None
        ):
            """Make a function a task; bare or with options.

            Args:
                fn: a ``def``, an ``async def``, a method or any callable.
                name: what it is called in messages; None for the function's own name.
                backend: the name of the backend to run on; None for the engine's default.
                timeout: seconds or `timedelta` that it may run; None for any time.
                example: what stands in for its value in a dry run: a value, or a callable that makes one of the task's
                    arguments. If not given, something of the type that the function is annotated to return.
                expected: seconds or `timedelta` that it is expected to take, for plans; None if that is not known.

            Raises:
                TypeError: it cannot be a task.
                ValueError: a duration that is none.
                UnknownBackend: the engine has no backend of that name.
            """
            if fn is None:
                return lambda fn: self.function_task(
                    fn, name=name, backend=backend, timeout=timeout, example=example, expected=expected
                )
            check_function("function_task", fn)
            definition = self._definition(
                fn, name=name, backend=backend, timeout=timeout, example=example, expected=expected
            )
            return FunctionTask(self, definition)

        def block(self, fn=None, /, *, name=None, timeout=None):
            """Make a function a sub-workflow: one node outside, a graph inside; bare or with options.

            Its body runs on the event loop. Futures that it returns are resolved before it is done.

            Args:
                fn: a ``def`` or ``async def`` that calls tasks.
                name: what it is called in messages; None for the function's own name.
                timeout: seconds or `timedelta` that it may take; None for any time.

            Raises:
                TypeError: it cannot be a block.
            """
            if fn is None:
                return lambda fn: self.block(fn, name=name, timeout=timeout)
            check_function("block", fn)
            return FunctionTask(self, self._definition(fn, name=name, timeout=timeout, is_block=True))

        def executable_task(
            self,
            fn=None,
            /,
            *,
            name=None,
            timeout=None,
            env=None,
            clean_env=None,
            cwd=None,
            stdin=None,
            ok_codes=None,
            capture_stdio=None,
            shell=None,
            example=...,
            expected=None,
        ):
            """Make a function a task that runs the command that the function returns; bare or with options.

            Text is run by a shell, a list of arguments is run as it is: lists, and `asyncflow.sh` for shells, keep what
            is put in from being taken for anything else. The value is the standard output as text.

            Args:
                fn: a ``def`` or ``async def`` that returns a command; called on the event loop, once its inputs are
                    there.
                name: what it is called in messages; None for the function's own name.
                timeout: seconds or `timedelta` that the command may run; None for any time.
                env: variables, added to the parent's environment.
                clean_env: whether these are all that the command gets.
                cwd: where it runs, relative to its sandbox; None for the sandbox itself, a new directory.
                stdin: text, bytes or a path.
                ok_codes: exit codes that are no failure; 0 alone if not given.
                capture_stdio: whether the output goes to a file, whose path is then the value.
                shell: that runs a command given as text; "/bin/sh" if not given.
                example: what stands in for its value in a dry run, as for `function_task`.
                expected: seconds or `timedelta` that it is expected to take, for plans; None if that is not known.

            Raises:
                TypeError: it cannot be a task, or an option is of the wrong type.
                ValueError: a shell that does not quote as POSIX has it.
            """
            options = {
                "env": env,
                "clean_env": clean_env,
                "cwd": cwd,
                "stdin": stdin,
                "ok_codes": ok_codes,
                "capture_stdio": capture_stdio,
                "shell": shell,
            }
            if fn is None:
                return lambda fn: self.executable_task(
                    fn, name=name, timeout=timeout, example=example, expected=expected, **options
                )
            check_function("executable_task", fn)
            definition = self._definition(fn, name=name, timeout=timeout, example=example, expected=expected)
            return ExecutableTask(self, runs(definition, CommandOptions().changed(**options)))

    @overload
    def submit(
        self, fn: Callable[..., Coroutine[Any, Any, R]], /, *args: Any, **kwargs: Any
    ) -> TaskFuture[R]: ...
    @overload
    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> TaskFuture[R]: ...

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> TaskFuture[Any]:
        """Call a function that is not decorated as a task.

        Args:
            fn: any callable.
            args: its positional arguments; futures may stand anywhere.
            kwargs: its keyword arguments.
        """
        task = fn if isinstance(fn, FunctionTask) else self._task_of(fn)
        caller = sys._getframe(1)
        return made_at(caller.f_code, caller.f_lasti, task(*args, **kwargs))

    def _task_of(self, fn: Any) -> FunctionTask[..., Any, Any]:
        # By identity, as two callables may be equal; what is remembered is held, so that its id stays its own.
        key = fn if isinstance(fn, MethodType) else id(fn)
        task = self._submitted.get(key)
        if task is None:
            task = self._submitted[key] = self.function_task(partial(fn) if isinstance(fn, type) else fn)
            if len(self._submitted) > _SUBMITTED_KEPT:
                self._submitted.popitem(last=False)
        return task

    def workflow_scope(self, workflow: str) -> AbstractContextManager[str]:
        """Tag all calls made inside, for logs and reports; also those made in tasks and coroutines begun inside.

        Args:
            workflow: the tag.
        """
        return workflow_scope(workflow)

    async def settled(self, future: TaskFuture[Any]) -> None:
        """Wait until nothing of a task runs any more; after a cancel or a timeout that can be later than its end.

        Args:
            future: of this engine.
        """
        await future._run.settled(future)

    # -- what happens -------------------------------------------------------------------------------------

    def report(self) -> Report:
        """What has happened in this run, up to now; after a shutdown, in the one that is over.

        Raises:
            ValueError: the engine records nothing.
            WrongLoop: the run goes on, and this is another thread than its event loop's.
        """
        from .report import Report

        if not self._report_limit:
            raise ValueError("report(): with report_limit=0 nothing is recorded")
        run = self._run
        if run is None or run.teller is None:
            return Report(History())
        if not run.teller.is_over and run.loop.is_running():
            run.check_thread("report()")
        return Report(run.teller.history())

    def subscribe(self, callback: Callable[[Sequence[Event]], object]) -> Callable[[], None]:
        """Be told what happens, live: from now on, in this run and in later ones.

        Args:
            callback: is called on the event loop with a list of `asyncflow.events`, in the order of time, after each
                burst. It has to be quick. If it raises it is told nothing more, and the run goes on.

        Returns:
            What ends it when it is called.

        Raises:
            TypeError: the callback is no plain function.
            ValueError: the engine records nothing.
            WrongLoop: a run goes on, and this is another thread than its event loop's.
        """
        given: Any = callback
        if not callable(given) or is_coroutine_function(given):
            raise TypeError(
                f"subscribe() got {callback!r}; a plain function is needed, which is called with a list of events"
            )
        if not self._report_limit:
            raise ValueError("subscribe(): with report_limit=0 nothing is recorded")
        run = self._usable_run()
        if run is not None and run.loop.is_running():
            run.check_thread("subscribe()")
        leave = self._audience.add(callback)
        if run is not None and run.teller is not None:
            run.teller.listen()
        return leave

    # -- inside -------------------------------------------------------------------------------------------

    def _definition(
        self,
        fn: Callable[..., Any],
        *,
        name: str | None = None,
        backend: str | None = None,
        timeout: float | timedelta | None = None,
        is_block: bool = False,
        example: Any = ...,
        expected: float | timedelta | None = None,
    ) -> Definition:
        if backend is not None and backend not in self._backends:
            known = ", ".join(sorted(self._backends))
            unknown = UnknownBackend(
                f"{name or name_of(fn)!r} asks for backend {backend!r}, which this engine lacks. It has: {known}.\n"
                f"  Name it when the engine is made:  WorkflowEngine(backends={{..., {backend!r}: ...}})"
            )
            rehearsal = self._rehearsal()
            if rehearsal is None:
                raise unknown
            rehearsal.misnamed(name or name_of(fn), unknown)
            backend = None
        return Definition(
            fn,
            name or name_of(fn),
            is_coroutine=is_coroutine_function(fn),
            is_block=is_block,
            backend=backend,
            timeout=seconds(timeout),
            example=example,
            expected=expected_seconds(expected, name or name_of(fn)),
        )

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

    def _run_for(self, name: str) -> Run:
        """The run for a call that is not simply made on the loop of the one that goes on."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise WrongLoop(no_loop(name, self._run)) from None
        rehearsal = self._rehearsal()
        if rehearsal is not None:
            return rehearsal
        run = self._usable_run()
        if run is None:
            if self._run is not None and self._run.loop is loop:
                raise EngineClosed(f"{name!r} was called, but {self._run.closed}")
            run = self._begin()
        elif run.loop is not loop:
            raise WrongLoop(
                f"{name!r} was called on another event loop than the engine's.\n  One engine, one loop."
            )
        return run

    def _begin(self) -> Run:
        journal = None if self._journal is None else Journal(self._journal)
        if journal is not None:
            self._audience.add(journal)
        run = self._run = self._new_run(journal)
        self._closing = None
        self._starting = run.loop.create_task(lifecycle.start(run))
        # Who called a task learns of a failed start from its future; who awaits the start, here.
        self._starting.add_done_callback(lambda task: task.cancelled() or task.exception())
        self._finalizer = weakref.finalize(self, lifecycle.orphaned, run, self._grace)
        return run

    def _new_run(self, journal: Journal | None) -> Run:
        if self._dry_run:
            from ._planning import dry_run_of

            return dry_run_of(self, journal)
        run = Run
        if self._check_types:
            from ._runtime.checked_run import CheckedRun as run

        return run(
            self._backends,
            max_coroutines=self._max_coroutines,
            executables=self._executables,
            sandboxes=Sandboxes(self._work_dir, self._keep),
            implicit_data=self._implicit_data,
            grace=self._grace,
            report_limit=self._report_limit,
            audience=self._audience,
            journal=journal,
        )

    async def _close(self, run: Run, wait: bool, skip_backends: bool) -> None:
        try:
            assert self._starting is not None
            await self._starting
        except Exception:
            run.unseen.tell()
            return  # it never started, and said so
        await lifecycle.close(run, wait=wait, grace=self._grace, skip_backends=skip_backends)
        if self._finalizer is not None:
            self._finalizer.detach()

    def _let_go(self, run: Run) -> None:
        lifecycle.abandon(run)
        if self._finalizer is not None:
            self._finalizer.detach()  # it would keep the run
        self._run = None

    def __reduce__(self) -> tuple[Any, ...]:
        return FarEngine, ()  # what it is in another process

    def __repr__(self) -> str:
        run = self._run
        state = "idle" if run is None or run.closed is not None else f"{len(run.scheduler.live)} live tasks"
        return f"<WorkflowEngine {', '.join(self._backends)}: {state}>"
