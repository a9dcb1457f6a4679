"""The face: `WorkflowEngine`, with all that a user reads. What it is made of is in `_engine/`; it decides nothing about
tasks and does no work."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from concurrent.futures import Future as ThreadsFuture
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import timedelta
from functools import partial
from os import PathLike
from types import CodeType, FunctionType, TracebackType
from typing import TYPE_CHECKING, Any, Literal, NoReturn, ParamSpec, Self, TypeVar, overload

from ._core.given import duration, whole
from ._core.limits import Limit
from ._core.options import TaskOptions
from ._engine import decorators, replaced
from ._engine.base import EngineBase
from ._engine.entrances import from_thread, run_target
from ._engine.function_task import FunctionTask
from ._engine.generator_task import GeneratorTask
from ._engine.option_names import names_options
from ._engine.options import all_made, chosen_of, is_coroutine_function
from ._engine.outside import filled_in
from ._engine.settings import Settings
from ._engine.submits import Submits
from ._files.sandboxes import Keep
from ._record.history import History
from ._runtime import lifecycle
from ._runtime.future import TaskFuture
from ._runtime.scope import workflow_scope
from ._show.outlined import Cell
from ._tracebacks import shows_all, trim
from ._worker.far import FarEngine
from .backend import ExecutionBackend
from .events import Event

if TYPE_CHECKING:
    from ._engine.decorator_types import (
        BlockDecorator,
        ExecutableTaskDecorator,
        FunctionTaskDecorator,
        ServiceDecorator,
    )
    from ._engine.shown import Display
    from ._engine.typing import Begun
    from ._show.outline import Outline
    from .graph import Graph
    from .plan import Plan
    from .report import Report
    from .serve import Service

P = ParamSpec("P")
R = TypeVar("R")
H = TypeVar("H", bound=Callable[[], object])


class WorkflowEngine(Cell, EngineBase, Submits):
    """Turns functions into tasks and runs them in the order that their arguments ask for.

    Making one is cheap and starts nothing. It starts with ``async with engine``, with `create`, with `run`, or with the
    first call inside a running event loop.

    All but ``backends``, ``amounts`` and ``defaults`` may also be set outside of the code: by environment variables, as
    ``ASYNCFLOW_WORKERS=4``, or under ``[tool.asyncflow]`` in the nearest ``pyproject.toml``. What is given here wins
    over the environment, and that over the file.

    Args:
        backend: where plain functions run: a name ("thread", which None stands for, "process", "sequential", "noop", or
            an installed one), an `ExecutionBackend`, or any `concurrent.futures.Executor`, which stays the caller's to
            shut down.
        backends: several instead, by names that tasks choose from; the first is the default.
        workers: how many workers a backend given by name has; None for its own default.
        dry_run: nothing runs but blocks; results are stand-ins.
        max_coroutines: how many ``async def`` tasks may be under way on the event loop at once; None for any number.
        executables: how many commands may run at once; None for ``workers``, or as many as there are usable CPUs.
        work_dir: where sandboxes are made, in a directory of each run; None for the system's place for temporary files.
        implicit_data: whether files that a command has made without declaring them are in the sandboxes of the commands
            that depend on it.
        keep: whose sandboxes stay after a shutdown: of "failed" tasks, of "all" or of "none".
        grace: seconds or `timedelta` that running work is given to end at a shutdown.
        tail_timeout: seconds or `timedelta` that a shutdown which waits gives detached tasks when all others are over;
            then they are cancelled.
        on_failure: what the first failure does that no attempt follows: "stop" cancels all of the run, and no call is
            taken any more until the engine is started again; "continue" lets all go on that does not depend on it.
        report_limit: how many tasks reports tell of one by one, the latest; of those before them sums are kept. 0 if
            nothing is to be recorded.
        journal: a file to which each run adds what happens, a line of JSON for each event; `Report.from_journal` reads
            it, also after the process was killed.
        max_tasks: how many tasks a dry run or a plan may call: a loop may not end on what stands in for results.
        check_types: whether arguments and results are held to their annotations as they flow; a task fails with
            `TypeMismatch` if one is not what it should be.
        shell: that runs commands given as text, where a task does not name one: a program, or a list of it and its
            arguments, as ``["bash", "-o", "pipefail", "-c"]``, with which a pipe fails if any of its commands does.
        contain_commands: whether each command has a control group (cgroup v2) of its own, by which also those of its
            processes end with it that have left its session, cleared their environment and closed their files. A
            command that is a list then takes about 1 ms longer to start. Where this process may make no control groups,
            commands fail with `CommandNotStarted`.
        amounts: how much there is of what tasks need, by name, as ``{"cores": 8, "memory": 32e9, "gpus": 2}``: what
            runs at once never needs more. Nothing is counted that is not here.
        defaults: options of tasks, where neither their decorator nor ``with_options`` says anything: `TaskOptions` hold
            for functions and commands, `CommandOptions` for commands, `BlockOptions` for blocks; several as a list.
        ageing: seconds or `timedelta` in which a task rises by a priority of 1, from its call until it begins, so that
            what is not urgent has its turn, too; None if none does.
        progress: whether it is shown how each run stands while it goes on, and said at its end how it went: in a
            terminal, in a notebook, or line by line where there is neither; on the standard error.

    Raises:
        TypeError: an option of the wrong type, or one that there is not.
        ValueError: an option that is out of its range, or two that do not go together.
        UnknownBackend: no backend of that name is installed.
    """

    @filled_in
    @names_options
    def __init__(
        self,
        backend: str | ExecutionBackend | Executor | None = None,
        *,
        backends: Mapping[str, str | ExecutionBackend | Executor] | None = None,
        workers: int | None = None,
        dry_run: bool = False,
        max_coroutines: int | None = None,
        executables: int | None = None,
        work_dir: str | PathLike[str] | None = None,
        implicit_data: bool = True,
        keep: Keep = "failed",
        grace: float | timedelta = 5.0,
        tail_timeout: float | timedelta = 5.0,
        on_failure: Literal["continue", "stop"] = "continue",
        report_limit: int = 200_000,
        journal: str | PathLike[str] | None = None,
        max_tasks: int = 100_000,
        check_types: bool = False,
        shell: str | Sequence[str] = "/bin/sh",
        contain_commands: bool = False,
        amounts: Mapping[str, float] | None = None,
        defaults: TaskOptions | Sequence[TaskOptions] | None = None,
        ageing: float | timedelta | None = None,
        progress: bool = False,
    ) -> None:
        settings = Settings.checked(
            workers=workers,
            dry_run=dry_run,
            max_coroutines=max_coroutines,
            executables=executables,
            work_dir=work_dir,
            implicit_data=implicit_data,
            keep=keep,
            grace=grace,
            tail_timeout=tail_timeout,
            on_failure=on_failure,
            report_limit=report_limit,
            journal=journal,
            max_tasks=max_tasks,
            check_types=check_types,
            shell=shell,
            contain_commands=contain_commands,
            amounts=amounts,
            defaults=defaults,
            ageing=ageing,
            progress=progress,
        )
        chosen = chosen_of(backend, backends)
        super().__init__(all_made(chosen, workers, dry_run, backends is not None), chosen, settings)
        self._submitted = OrderedDict()
        replaced.take_place(self)

    # -- life ---------------------------------------------------------------------------------------------

    @classmethod
    async def create(cls, *args: Any, **options: Any) -> Self:
        """Make an engine and start it: the way of notebooks.

        Args:
            args: as for the class.
            options: as for the class.
        """
        __tracebackhide__ = not shows_all()
        engine = cls(*args, **options)
        await engine.start()
        return engine

    async def start(self) -> None:
        """Start, or start again after a shutdown; nothing to do if it runs."""
        __tracebackhide__ = not shows_all()
        try:
            await self._start()
        except BaseException as error:
            trim(error)
            raise

    async def shutdown(self, wait: bool = True) -> None:
        """End the run. Afterwards every future is done and every thread, process and descriptor given back.

        May be called twice, also at once.

        Args:
            wait: finish what was called; False cancels it.

        Raises:
            RuntimeError: called inside a task or block of this engine, which would wait for itself.
        """
        __tracebackhide__ = not shows_all()
        await self._shut_down(wait, skip_backends=False)

    async def __aenter__(self) -> Self:
        __tracebackhide__ = not shows_all()
        try:
            await self._enter()
        except BaseException as error:
            trim(error)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._leave(wait=error is None)

    if not TYPE_CHECKING:  # checkers say that it is not there

        def __enter__(self) -> NoReturn:
            raise TypeError(
                "an engine is started in async code:  async with engine: ...   In a script:  engine.run(block, ...)"
            )

        def __exit__(self, *_: object) -> None: ...

    @overload
    def run(self, target: FunctionTask[P, Any, R], /, *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    def run(self, target: Callable[P, Begun[R]], /, *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    def run(self, target: Begun[R], /) -> R: ...

    def run(self, target: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Run a block, task or coroutine function from a plain script, from start to shutdown.

        The first Ctrl-C cancels, cleans up and ends the script with exit code 130; a second one ends it at once. What
        batch systems, containers and closed terminals send (SIGTERM, SIGHUP) does as the first Ctrl-C, with exit code
        143 or 129, if the program has no handler of its own for it.

        Args:
            target: what to call; or a coroutine, to be awaited.
            args: its positional arguments.
            kwargs: its keyword arguments.

        Returns:
            What awaiting it gives.

        Raises:
            ValueError: it is a task of another engine.
            WrongLoop: an event loop runs already; await the target there instead.
        """
        caller = sys._getframe(1)
        try:
            return run_target(self, target, args, kwargs, (caller.f_code, caller.f_lasti))
        except BaseException as error:
            trim(error)
            raise

    @overload
    def plan(self, /) -> Begun[Plan]: ...
    @overload
    def plan(self, target: Graph, /) -> Begun[Plan]: ...
    @overload
    def plan(
        self, target: FunctionTask[P, Any, Any], /, *args: P.args, **kwargs: P.kwargs
    ) -> Begun[Plan]: ...
    @overload
    def plan(self, target: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> Begun[Plan]: ...
    @overload
    def plan(self, target: Begun[Any], /) -> Begun[Plan]: ...

    def plan(self, /, *target: Any, **kwargs: Any) -> Begun[Plan]:
        """Rehearse a workflow, to be awaited: nothing of it runs but blocks, and the plan tells what would happen.

        The engine need not be started, and what it really runs meanwhile goes on. What is wrong with the wiring is in
        the plan's `findings`; ``plan.check()`` raises it, ``await plan.run()`` runs what was planned.

        Args:
            target: a block, any other task, a function that calls tasks, a `Graph`, or a coroutine; and its positional
                arguments.
                If not given, the plan is of what was called until now on an engine with ``dry_run=True``.
            kwargs: its keyword arguments.

        Raises:
            TypeError: the target cannot be called.
            ValueError: it is a task of another engine.
            RuntimeError: no target was given and the engine makes no dry run.
        """
        from ._engine.planning import plan_of, plan_so_far

        if not target:
            planning: Any = plan_so_far(self)
        else:
            caller = sys._getframe(1)
            site = caller.f_code, caller.f_lasti
            planning = plan_of(self, _in_calls(self, target[0], site), target[1:], kwargs, site)
        # In Python's words, where that was forgotten.
        planning.__qualname__ = "await engine.plan(...), in a script asyncio.run(engine.plan(...))"
        return planning  # type: ignore[no-any-return]

    async def run_graph(self, graph: Graph, *, targets: Sequence[str] | None = None) -> dict[str, Any]:
        """Run a graph that was declared: call its steps, and wait for them. When one fails, those go on that do not
        need it.

        Args:
            graph: the graph.
            targets: names of the steps that are wanted: they run, and those that they need. None for all; then detached
                steps are not waited for.

        Returns:
            The values of the targets, or of all steps that are not detached, by name.

        Raises:
            GraphError: there is no such target.
            Exception: a step has failed: its own error; `ExceptionGroup`, if several have.
        """
        from .graph.calls import run_all

        caller = sys._getframe(1)
        return await run_all(graph, self, targets, (caller.f_code, caller.f_lasti))

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

        @property
        def service(self) -> ServiceDecorator:
            """Make a generator function a service; bare or with options."""

    else:  # their options are told there
        function_task = decorators.function_task
        block = decorators.block
        executable_task = decorators.executable_task
        service = decorators.service

    @overload
    def resource(self, fn: Callable[..., AsyncIterator[R]], /) -> R: ...
    @overload
    def resource(self, fn: Callable[..., Iterator[R]], /) -> R: ...

    def resource(self, fn: Any, /) -> Any:
        """Make a generator function a resource: something that tasks ask for and each worker sets up once, on first
        use.

        A task asks for it by a parameter that has it as its default, ``model=model``, or in its annotation,
        ``model: Annotated[Model, model]``, and is given what the function yields, unless the call gives a value.
        What follows the ``yield`` runs when the worker goes.

        Args:
            fn: a generator function that yields once; or an async one, for coroutine tasks. Its parameters may ask for
                other resources.

        Returns:
            The resource. To a type checker it is what the function yields, so that it may be a default.

        Raises:
            TypeError: it is no generator function, or has a parameter that nobody gives a value.
        """
        from ._worker.resources import Resource

        return Resource(fn)

    _definition = decorators.definition_of

    @overload
    def from_thread(
        self, task: FunctionTask[P, Any, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> ThreadsFuture[R]: ...
    @overload
    def from_thread(
        self, task: Callable[P, Begun[R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> ThreadsFuture[R]: ...

    def from_thread(self, task: object, /, *args: object, **kwargs: object) -> ThreadsFuture[Any]:
        """Call a task from a thread of your own, while the engine runs on its event loop.

        Cancelling the future that is returned cancels the task. What a call raises for arguments that do not fit, its
        ``result()`` raises.

        Args:
            task: a task or block of this engine, or a function that is not decorated.
            args: its positional arguments.
            kwargs: its keyword arguments.

        Returns:
            A `concurrent.futures.Future`: ``result()`` waits for the value.

        Raises:
            WrongLoop: the engine does not run, or this is its own thread, which would wait for itself.
            EngineClosed: the engine was shut down.
        """
        caller = sys._getframe(1)
        try:
            return from_thread(self, task, args, kwargs, (caller.f_code, caller.f_lasti))
        except BaseException as error:
            trim(error)
            raise

    def limit(
        self,
        name: str,
        *,
        concurrency: float | None = None,
        rate: float | None = None,
        per: float = 1.0,
        burst: float = 1,
    ) -> Limit:
        """Make a limit that tasks of this engine may name in ``limits=``, as ``limits={"api": 1}``.

        Args:
            name: what tasks, messages and reports call it.
            concurrency: how much of it may be in use at once; any amount if not given.
            rate: how much may begin in `per` seconds, on average; any amount if not given.
            per: seconds.
            burst: how much may begin at once after a pause.

        Raises:
            ValueError: a number is not above 0, neither `concurrency` nor `rate` is given, or the name is taken.
        """
        limit = Limit(name, concurrency=concurrency, rate=rate, per=per, burst=burst)
        if self._limits.setdefault(name, limit) is not limit:
            raise ValueError(
                f"limit({name!r}): there is {self._limits[name]!r} already.\n  To change it:  limit.change(...)"
            )
        return limit

    def workflow_scope(self, workflow: str) -> AbstractContextManager[str]:
        """Tag all calls of this engine's tasks made inside, for logs and reports; also those made in tasks and
        coroutines begun inside.

        Args:
            workflow: the tag.
        """
        return workflow_scope(self._backends, workflow)

    async def settled(self, future: TaskFuture[Any]) -> None:
        """Wait until nothing of a task runs any more; after a cancel or a timeout that can be later than its end. Of a
        service, that is until it has been stopped or has died.

        Args:
            future: of this engine.
        """
        await future._run.stopping.settled(future)
        await future._run.services.over(future)

    def serve(
        self,
        task: FunctionTask[P, Any, R],
        /,
        *,
        concurrency: int = 8,
        queue: int = 1000,
        keep: float | timedelta = 3600.0,
        keep_most: int = 10_000,
    ) -> Service[R]:
        """Make a service of a task or block: others submit jobs to it, which run a bounded number at a time and belong
        to the service, not to who has submitted them.

        Args:
            task: a task or block of this engine.
            concurrency: how many jobs may run at once.
            queue: how many more may wait for their turn.
            keep: seconds or `timedelta` that a job is kept when it is over, with its value or its error.
            keep_most: how many jobs that are over are kept, the latest.

        Raises:
            TypeError: it is no task, or an option is of the wrong type.
            ValueError: it is a task of another engine, or an option is out of its range.
        """
        from .serve import Service

        given: object = task
        if not isinstance(given, FunctionTask):
            shown = (
                f"{given.__qualname__}, a plain function" if isinstance(given, FunctionType) else repr(given)
            )
            if isinstance(given, GeneratorTask):
                raise TypeError(
                    f"serve() got {given!r}, which yields many values, and a job has one.\n"
                    "  Serve a block that reads them:  return [each async for each in ...]"
                )
            raise TypeError(f"serve() got {shown}; a task or block is needed: decorate the function first")
        if not task._is_of(self):
            raise ValueError(
                f"serve() got {task!r} of another engine; say:  {task._definition.name}.on(engine)"
            )
        caller = sys._getframe(1)
        service = Service(
            task,
            self._run_for,
            concurrency=whole("concurrency", concurrency, 1),
            queue=whole("queue", queue, 0),
            keep=duration("keep", keep),
            keep_most=whole("keep_most", keep_most, 1),
            grace=self._settings.grace,
            site=(caller.f_code, caller.f_lasti),
        )
        self._served.add(service)
        return service

    # -- what happens -------------------------------------------------------------------------------------

    def report(self) -> Report:
        """What has happened in this run, up to now; after a shutdown, in the one that is over.

        Raises:
            ValueError: the engine records nothing.
            WrongLoop: the run goes on, and this is another thread than its event loop's.
        """
        from .report import Report

        if not self._settings.report_limit:
            raise ValueError("report(): with report_limit=0 nothing is recorded")
        teller = self._teller(self._run, "report()")
        return Report(History() if teller is None else teller.snapshot())

    def explain(self) -> str:
        """What holds up the run, in a few lines: what tasks wait for and behind which most of them do, what runs
        longest and where, limits that are full and who holds them, attempts to come, and how busy the workers are.

        It looks at a bounded number of tasks, so that it is quick however many there are.

        Raises:
            WrongLoop: the run goes on, and this is another thread than its event loop's.
        """
        from ._core.overview import told

        overview = self._overview("explain()")
        return repr(self) if overview is None else told(overview)

    def live(self) -> AbstractAsyncContextManager[None]:
        """Show how the run stands while this is not left: ``async with engine.live(): ...``; at its end, how it went.

        It is shown in a terminal, in a notebook, or line by line where there is neither, on the standard error. The
        engine is started if it was not. Inside of another display of the same engine nothing is added.

        Raises:
            ValueError: the engine records nothing.
        """
        from .live.engines import live

        if not self._settings.report_limit:
            raise ValueError("live(): with report_limit=0 nothing is recorded that could be shown")
        return live(self)

    @overload
    def on_shutdown(self, hook: H, /) -> H: ...
    @overload
    def on_shutdown(self, /, *, timeout: float | timedelta | None = None) -> Callable[[H], H]: ...

    def on_shutdown(self, hook: Any = None, /, *, timeout: float | timedelta | None = None) -> Any:
        """Have a function called at the end of each shutdown, when all work has ended; bare or with an option.

        Those that were added last are called first. What one raises is logged, and the others are called all the same.
        A ``def`` runs on a thread of its own, an ``async def`` on the event loop. In a dry run they are not called.

        Args:
            hook: takes no argument. One at the top of a module that is defined again takes the place of the one before.
            timeout: seconds or `timedelta` that it may take before it is left behind with a warning; the engine's
                ``grace`` if not given.

        Returns:
            The function itself.

        Raises:
            TypeError: it cannot be called without an argument.
            ValueError: the timeout is out of range.
        """
        seconds = None if timeout is None else duration("timeout", timeout, is_limit=True)
        if hook is None:
            return partial(self._add_hook, seconds)
        return self._add_hook(seconds, hook)

    def remove_on_shutdown(self, hook: Callable[[], object], /) -> None:
        """Have a function not called at shutdowns any more.

        Args:
            hook: as `on_shutdown` was given it.

        Raises:
            ValueError: it was not.
        """
        if not self._hooks.remove(hook):
            raise ValueError(f"remove_on_shutdown() got {hook!r}, which is not called at shutdowns")

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
        given: object = callback
        if not callable(given) or is_coroutine_function(given):
            raise TypeError(
                f"subscribe() got {callback!r}; a plain function is needed, which is called with a list of events"
            )
        if not self._settings.report_limit:
            raise ValueError("subscribe(): with report_limit=0 nothing is recorded")
        teller = self._teller(self._usable_run(), "subscribe()")
        leave = self._audience.add(callback)
        if teller is not None:
            teller.listen()
        return leave

    # -- inside -------------------------------------------------------------------------------------------

    def _shown(self) -> Display | None:
        from .live.engines import show

        return None if self._run is None else show(self, self._run)

    def __reduce__(self) -> tuple[object, ...]:
        return FarEngine, ()  # what it is in another process

    def _outline(self) -> Outline:
        from ._engine.cells import of_engine

        report = self.report() if self._run is not None and self._settings.report_limit else None
        return of_engine(self._backends, self._state(), self._overview("to show the engine"), report)

    def _state(self) -> str:
        return "not started" if self._run is None else lifecycle.in_words(self._run)

    def __repr__(self) -> str:
        dry = ", dry run" if self._settings.dry_run else ""
        return f"<WorkflowEngine {', '.join(self._backends)}{dry}: {self._state()}>"


def _in_calls(engine: WorkflowEngine, target: object, site: tuple[CodeType, int]) -> object:
    """What calls a graph's steps, in place of a graph; any other target as it is."""
    from .graph import Graph
    from .graph.calls import call_all, no_graph

    if not isinstance(target, Graph):
        if isinstance(target, Mapping):
            raise no_graph(target, "plan")
        return target

    def graph() -> object:
        return call_all(target, target.stages, engine, site)

    return graph
