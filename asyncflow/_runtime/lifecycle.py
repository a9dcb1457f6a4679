"""Starts a run and ends it: after this no future is pending, no thread is left and the loop is clean."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from .._core.joins import KIND as JOIN
from .._core.services import is_idle
from .._core.states import CANCELLING, NOW, READY, RUNNING, state_of
from .._core.task import Task
from .._files.aside import aside
from .._show.words import counted
from .._worker.store import is_last
from ..backend import ExecutionBackend
from . import holders
from .hooks import run_hook
from .run import Run
from .timed import Timed

_log = logging.getLogger("asyncflow")
_KILLED: Final = 5.0  # seconds that the kernel may take to end what was killed
_SHUT_DOWN: Final = "the engine has been shut down; start it again:  async with engine: ..."
_SAYS_SO_AFTER: Final = 2.0  # seconds that an end may take without a word
_SHOWN: Final = 5
_closing: Final[set[asyncio.Task[None]]] = (
    set()
)  # of engines that are gone: a loop itself holds its tasks weakly


async def start(run: Run) -> None:
    """Start the backends, and then the tasks that were called meanwhile.

    Raises:
        asyncio.CancelledError: the start can be begun again.
        BackendInUse: another engine that runs has one of the backends; the others have been shut down, as next.
        Exception: what a backend raised; the others have been shut down and all calls have failed with it.
    """
    started: list[ExecutionBackend] = []
    try:
        for name, backend in run.backends.items():
            if any(each is backend for each in started):  # by another of its names
                continue
            holders.take(run, name, backend, abandon)
            report = run.inbox.report
            await backend.start(report if backend.reports_runs else Timed(report))
            started.append(backend)
    except asyncio.CancelledError:
        for backend in started:
            await backend.shutdown(grace=0)
        holders.release(run)
        raise
    except BaseException as error:
        run.log.could_not_begin(_name(run), error)
        run.close(f"its backend could not be started: {error!r}")
        _fail_all(run, error)
        for backend in started:
            await backend.shutdown(grace=0)
        holders.release(run)
        await _leave_store(run, 0)
        _end_record(run)
        if run.teller is not None:
            run.teller.close()
        raise
    if not run.is_rehearsal:
        run.log.began(_name(run), run.places.workers())
    run.steps.is_open = True
    run.steps.flush()


def _fail_all(run: Run, error: BaseException) -> None:
    """Fail all that was ready to run, because nothing can run it."""
    for task in list(run.scheduler.live.values()):
        if task.story & NOW == READY:
            run.failures.failed(task, error)
    run.stopping.cancel_all()


async def close(run: Run, *, wait: bool, tail_timeout: float, grace: float, skip_backends: bool) -> None:
    """End a run.

    Args:
        run: started.
        wait: finish what was called; otherwise cancel it.
        tail_timeout: seconds that is then waited for what nobody waits for.
        grace: seconds for what was cancelled to clean up, and again for backends to end.
        skip_backends: leave the backends running, for their owner to go on with.
    """
    try:
        if wait:
            if run.is_ours:
                run.end_streams(_SHUT_DOWN)
            telling = run.loop.call_later(_SAYS_SO_AFTER, _tell_under_way, run)
            try:
                await run.stopping.all_over(detached=run.is_dry)
                await _wait_for_detached(run, tail_timeout)
                await run.keeps.all_fetched()
            finally:
                telling.cancel()
    finally:
        if not run.is_ours:  # in a forked child, where all that was under way is cancelled
            raise asyncio.CancelledError
        run.close(_SHUT_DOWN)
        run.stopping.cancel_all()
        run.files.stager.stop()
        run.keeps.close()
        await _wait_for_coroutines(run, grace)
        if run.commands is not None and run.commands.waiting:  # they end: each is killed after its grace time
            await asyncio.wait(run.commands.waiting.values(), timeout=grace + _KILLED)
        if not skip_backends:
            for name, backend in holders.had(run):
                await _shut_down(run, name, backend, grace)
        holders.release(run)
        await run.services.close()
        await _leave_store(run, grace)
        await asyncio.gather(*run.stopping.under_way, return_exceptions=True)
        await _wait_for_files(run, grace)
        run.steps.catch_up()
        if run.commands is not None and run.sandboxes is not None:
            run.commands.close()
            if run.sandboxes.used:
                await aside(run.sandboxes.clear)
        _abandon_rest(run)
        run.coroutines.watch.close()
        _end_record(run)
        run.unseen.tell()
        if run.teller is not None and run.teller.journal is not None:
            await aside(run.teller.close)
        await _run_hooks(run, grace)


async def _run_hooks(run: Run, grace: float) -> None:
    """Nothing of the run is left, and its report is complete."""
    if run.hooks is None or run.is_dry:
        return
    if run.hooks_due is None:
        run.hooks_due = run.hooks.in_order()
    while run.hooks_due:
        await run_hook(run.hooks_due.pop(), grace)


async def _wait_for_detached(run: Run, tail_timeout: float) -> None:
    """All that somebody waits for is over."""
    if run.stopping.detached() and tail_timeout:
        over = run.loop.create_task(run.stopping.all_over(detached=True))
        try:
            await asyncio.wait([over], timeout=tail_timeout)
        finally:
            over.cancel()
    run.steps.catch_up()
    left = run.stopping.detached()
    if left:
        _log.warning(
            "%s that nobody waits for, not over after tail_timeout=%g s: cancelled: %s",
            counted(len(left), "task"),
            tail_timeout,
            _names(left),
        )


def _tell_under_way(run: Run) -> None:
    """Say once what is waited for: somebody may wonder why the program does not go on."""
    run.steps.catch_up()
    live = sorted(
        (task for task in run.scheduler.live.values() if task.definition.kind != JOIN and not is_idle(task)),
        key=lambda task: (task.story & NOW not in (RUNNING, CANCELLING), task.id),
    )
    if not live:
        return
    _log.warning(
        "the engine is shutting down and waits for %s: %s\n  shutdown(wait=False) cancels them.",
        counted(len(live), "task"),
        _names(live),
    )


def _names(tasks: Sequence[Task]) -> str:
    shown = [f"{task.name_shown!r} (#{task.id}, {state_of(task.story)})" for task in tasks[:_SHOWN]]
    return ", ".join(shown) + (f" and {len(tasks) - _SHOWN:,} more" if len(tasks) > _SHOWN else "")


async def _wait_for_coroutines(run: Run, grace: float) -> None:
    bodies = [*run.coroutines.waiting.values(), *run.foreign.begun.values()]
    bodies = [body for body in bodies if body is not asyncio.current_task()]
    if not bodies:
        return
    _, stubborn = await asyncio.wait(bodies, timeout=grace)
    for body in stubborn:
        _log.warning("%s ignores that it was cancelled; left behind after %g s", body.get_name(), grace)


async def _wait_for_files(run: Run, grace: float) -> None:
    if not run.files.stager.waiting:
        return
    _, stuck = await asyncio.wait(run.files.stager.waiting, timeout=grace)
    for work in stuck:  # a file system that does not answer
        _log.warning("%s could not be stopped; left behind after %g s", work.get_name(), grace)


async def _shut_down(run: Run, name: str, backend: ExecutionBackend, grace: float) -> None:
    try:
        left = await backend.shutdown(grace=grace)
    except Exception:
        _log.exception("backend %r did not shut down cleanly", name)
        return
    run.steps.catch_up()
    for task_id in left:
        task = run.scheduler.live.get(task_id)
        if task is not None:
            _log.warning(
                "%r (#%d) still runs on backend %r; left behind after %g s",
                task.name_shown,
                task.id,
                name,
                grace,
            )


async def _leave_store(run: Run, grace: float) -> None:
    """Tear down what the event loop keeps, if no other engine uses it."""
    if is_last(run.store, run):
        await run.store.leave_later(grace)


def _abandon_rest(run: Run) -> None:
    """Nobody will report these any more; their futures are done, and they must not be kept."""
    run.stopping.cancel_all()
    for task in list(run.scheduler.live.values()):
        run.stopping.left_behind.add(task.id)
        run.scheduler.left_behind(task)
    run.steps.flush()
    run.stopping.end_all()


def orphaned(run: Run, tail_timeout: float, grace: float) -> None:
    """The engine was collected. What was called goes on to its end where it can; then the run is closed.

    Args:
        run: of an engine that nobody holds any more; the collector may be on any thread.
        tail_timeout: as for `close`.
        grace: the same.
    """
    if run.closed is None and run.scheduler.live and run.loop.is_running():
        with suppress(RuntimeError):  # the loop was closed a moment ago
            run.loop.call_soon_threadsafe(_close_orphan, run, tail_timeout, grace)
    else:
        abandon(run)


def _close_orphan(run: Run, tail_timeout: float, grace: float) -> None:
    closing = run.loop.create_task(
        close(run, wait=True, tail_timeout=tail_timeout, grace=grace, skip_backends=False)
    )
    _closing.add(closing)
    closing.add_done_callback(_closing.discard)
    closing.add_done_callback(lambda _: abandon(run))  # if the loop ended before it could begin


def abandon(run: Run) -> None:
    """Let go of a run whose loop is closed or whose engine was collected; there is no loop to wait on."""
    if run.closed is None:
        run.close("its event loop was closed")
        run.files.stager.stop()
        run.gate.abandon()
        run.coroutines.watch.close()
        run.services.abandon()
        for _, backend in holders.had(run):
            backend.abandon()
        holders.release(run)
        if is_last(run.store, run):
            run.store.leave()
        if run.commands is not None and run.sandboxes is not None:
            run.commands.abandon()
            run.sandboxes.clear()
        _end_record(run)
        run.unseen.tell()
        if run.teller is not None:
            run.teller.close()


def _end_record(run: Run) -> None:
    """Say how the run has ended to all who hear of it, and record nothing more: what is left behind ends after the run,
    and belongs to no report."""
    live = len(run.scheduler.live)
    called = run.burst.last - run.joins.made
    run.log.ended(_name(run), called, live, len(run.stopping.left_behind), run.reports.dropped)
    if run.teller is not None:
        run.teller.end()
    run.stop_recording()


def _name(run: Run) -> str:
    kind = "dry run" if run.is_dry else "run"
    return kind if run.teller is None else f"{kind} {run.teller.name}"


def in_words(run: Run) -> str:
    """How many tasks run, wait and are over."""
    run.steps.catch_up()
    live = [task for task in run.scheduler.live.values() if task.definition.kind != JOIN]
    running = sum(RUNNING <= task.story & NOW <= CANCELLING for task in live)
    over = run.burst.last - run.joins.made - len(live)
    if run.closed is None:
        return f"{running:,} tasks run, {len(live) - running:,} wait, {over:,} are over"
    if live:
        return f"shutting down, {len(live):,} tasks are not over"
    return f"shut down, {over:,} {'task is' if over == 1 else 'tasks are'} over"
