"""Starts services when they are needed, watches them, and stops them when nobody needs them any more.

Which those are and in which order is decided in `_core/services.py`. Each service is one asyncio task here, from its
start to its end; that it is ready ends the task whose future has its value.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import Context
from time import perf_counter
from typing import Any

from .._causes import add_note, brief
from .._core.lanes import Lane
from .._core.scheduler import Scheduler
from .._core.services import Service, in_order, is_idle, parted, want
from .._core.states import CANCELLING, NOW, PENDING, RUNNING, SUBMITTED
from .._core.states import STEP as STEP_OF_STORY
from .._core.task import Task
from .._record.record import Record
from .._show.words import counted
from ..backend import CANCELLED, FAILED, STARTED, SUCCEEDED, Report
from ..errors import CommandFailed, ServiceDied
from .asyncio_tasks import AsyncioTasks
from .attempts import Attempts
from .burst import Burst
from .commands import Commands
from .failure import NO_VALUES, unfit
from .failures import Failures
from .future import ServiceFuture
from .generators import serve
from .place import Place
from .renewals import exchange, remember
from .steps import Steps

_log = logging.getLogger("asyncflow")


class Services(AsyncioTasks):
    """The services of one run, and the place where they run.

    Args:
        loop: the event loop.
        steps: the run loop.
        burst: the calls since the event loop had its turn.
        scheduler: decides when one starts.
        behind: where tasks run, by lane.
        failures: takes the failure of tasks whose service has died.
        attempts: knows whether one is started again; None where nothing is tried again.
        commands: runs those that are commands; None if nothing is run.
        report: as a backend's.
        grace: seconds that one may take to end.
        record: where ends are recorded; None where nothing is.
        call_again: makes a call anew, with the arguments that it had.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        steps: Steps,
        burst: Burst,
        scheduler: Scheduler,
        behind: Mapping[Lane, Place],
        failures: Failures,
        attempts: Attempts | None,
        commands: Commands | None,
        report: Report,
        grace: float,
        record: Record | None,
        call_again: Callable[[Task, tuple[object, ...], Mapping[str, object]], Task],
    ) -> None:
        super().__init__(report)
        self._loop = loop
        self._steps = steps
        self._burst = burst
        self._scheduler = scheduler
        self._behind = behind
        self._failures = failures
        self._attempts = attempts
        self._commands = commands
        self._grace = grace
        self.record = record
        self._call_again = call_again
        self._up: list[Any] = []  # tasks that have started one, in the order in which they came to be ready
        self._stopped: set[int] = set()  # of these, those that are told to stop
        self._lost: dict[int, ServiceDied] = {}  # of these, those that cannot go on because another has died
        self._again: Service | None = None  # that the next call starts once more
        self._before: dict[
            int, asyncio.Task[None]
        ] = {}  # by the task that follows: what has to end before it starts
        self._stopping: set[asyncio.Task[None]] = set()
        self.is_closing = False
        """The run is: those that nobody needs are stopped in their order, by `close`."""

    # -- calls --------------------------------------------------------------------------------------------

    def called(self, task: Any) -> None:
        """A call starts a service, when somebody needs it."""
        task.site.run.looks_closer = True
        service = self._again
        if service is None:
            service = Service(task.args, task.kwargs, task.definition.options.stop_after)
        task.__class__ = ServiceFuture
        task.service = service
        task.story = PENDING << STEP_OF_STORY | PENDING  # so that whoever depends on it looks at it
        block = task.owner
        service.called(task, block)
        if block is not None and block.id in service.keepers:
            block.uses = (*block.uses, service)

    def taken_by(self, task: Task, futures: Sequence[Any]) -> Sequence[Any]:
        """A call depends on services. Returns what it depends on: other tasks, where a service has to start again.

        Args:
            task: its arguments are those of the call.
            futures: among them.
        """
        used = [
            each.service for each in futures if each.service is not None and each.site.run is task.site.run
        ]
        if not used:
            return futures
        replaced = {service: self.current(service) for service in used if service.is_over}
        if replaced:

            def replace(future: Any) -> Any:
                return replaced.get(future.service, future)

            exchange(task, replaced)
            task.after = [replace(each) for each in task.after]
            futures = [replace(each) for each in futures]
        for service in used:
            service.taken(task.id)
        task.uses = (*task.uses, *dict.fromkeys(used))
        if task.definition.retries is not None:
            remember(task, used)
        return futures

    def current(self, service: Service) -> Task:
        """A task that starts a service once more; one that has failed, if it has died too often."""
        before, how = service.task, service.end
        self._again = service
        try:
            started = self._call_again(before, service.args, service.kwargs)
        finally:
            self._again = None
            self._burst.site = None
        if before.id in self.waiting:
            self._before[started.id] = self.waiting[before.id]
        if service.is_dead:
            how = f"{how}; it has died {counted(service.deaths, 'time')}, and is not started again"
            died = ServiceDied(started.id, started.name, before.name_shown, how, "")
            self._failures.cut_off(started, died)
            self._steps.flush_soon()
        return started

    def wanted(self, task: Task) -> None:
        """Somebody awaits a service."""
        if task.id in self._scheduler.live and is_idle(task):
            want(self._scheduler, task)
            self._steps.flush_soon()

    # -- as a place ---------------------------------------------------------------------------------------

    async def _carry_out(self, task: Any) -> None:
        service: Service = task.service
        is_up = False

        def up(value: object) -> None:
            nonlocal is_up
            if type(value) in NO_VALUES:
                raise unfit(task, value)
            is_up = service.is_up = True
            self._up.append(task)
            self._report([(SUCCEEDED, task.id, value)])
            if service.is_unused:
                self._leave([service])  # meanwhile all are over that wanted it

        error: BaseException | None = None
        try:
            before = self._ended_before(task)
            if before:
                await asyncio.wait(before)
            await asyncio.sleep(max(0.0, service.not_before - self._loop.time()))
            self._report([(STARTED, task.id, None)])
            if task.definition.is_command:
                assert self._commands is not None
                await self._commands.serve(task, up)
            else:
                await serve(task, up, self._grace)
        except asyncio.CancelledError:
            if not is_up:
                self._report([(CANCELLED, task.id, None)])
        except GeneratorExit:  # the loop was closed under it
            raise
        except BaseException as raised:
            error = raised
            if not is_up:
                if isinstance(raised, CommandFailed):
                    add_note(raised, "a service, which ended before it was ready")
                self._report([(FAILED, task.id, raised)])
        self.waiting.pop(task.id, None)
        if is_up:
            self._ended(task, error)

    def _ended_before(self, task: Task) -> list[asyncio.Task[None]]:
        """What has to end before a service starts: its own predecessor, and those of the same function that are being
        stopped, as in the attempt before of a block. They may hold a port."""
        before = [self._before.pop(task.id)] if task.id in self._before else []
        return before + [
            self.waiting[each.id]
            for each in self._up
            if each.id in self._stopped and each.id in self.waiting and each.fn is task.fn
        ]

    # -- their ends ---------------------------------------------------------------------------------------

    def _ended(self, task: Task, error: BaseException | None) -> None:
        self._up.remove(task)
        was_stopped = task.id in self._stopped
        self._stopped.discard(task.id)
        lost = self._lost.pop(task.id, None)
        service = task.service
        assert service is not None
        is_current = service.task is task
        how = "stopped"
        if error is not None:
            how = error.how if isinstance(error, CommandFailed) else brief(error)
        elif lost is not None:
            how = lost.how
        if is_current:
            service.is_up = service.is_stopping = False
            service.end = how
        if not was_stopped and is_current and (lost or error) is not None:
            self._died(service, task, lost or error)
        elif error is not None:
            _log.error("service %r (#%d) did not end cleanly: %s", task.name_shown, task.id, brief(error))
        if self.record is not None:
            self.record.service_ended(task.id, perf_counter(), how)
        left = parted(task.id, task.uses)
        task.uses = ()
        self._leave(left)
        self._steps.flush_soon()  # somebody may listen

    def _died(self, service: Service, task: Task, error: Any) -> None:
        """Those that use it fail, and those that wait for it."""
        how = service.end
        assert how is not None
        stderr = error.stderr if isinstance(error, (CommandFailed, ServiceDied)) else ""
        service.deaths += 1
        delay = None if self._attempts is None else self._attempts.after_death(task, error, service.deaths)
        service.is_dead = delay is None
        service.not_before = self._loop.time() + (delay or 0.0)
        _log.warning("service %r (#%d) died: %s", task.name_shown, task.id, how)
        live = self._scheduler.live
        for number in sorted(service.users):
            user = live.get(number)
            if user is not None and user.story & NOW < CANCELLING:
                died = ServiceDied(user.id, user.name, task.name_shown, how, stderr)
                if not self._is_tried_again(user, died):
                    self._failures.cut_off(user, died)
            elif number in self.waiting:  # another service, which cannot go on without it
                self._lost[number] = ServiceDied(number, "", task.name_shown, how, stderr)
                self.waiting[number].cancel()
        self._steps.flush_soon()

    def _is_tried_again(self, user: Task, died: ServiceDied) -> bool:
        """Whether the attempt of a task that has lost its service is stopped, and another follows by its retries."""
        if self._attempts is None or not SUBMITTED <= user.story & NOW <= RUNNING:
            return user.is_held and bool(user.failed_attempts)  # one follows anyway
        return self._behind[user.lane].can_kill and self._attempts.stop(user, died)

    def look(self) -> None:
        """Tasks are over that have used services, or an attempt of a block is, for which some were kept: those stop
        that nobody needs any more."""
        over, self._scheduler.parted = self._scheduler.parted, []
        left: list[Service] = []
        for task in over:
            if task.id in self._scheduler.live:
                kept = [each for each in task.uses if task.id in each.keepers]
                left += parted(task.id, kept)
                task.uses = tuple(each for each in task.uses if each not in kept)
            elif task not in self._up:  # else it is a service, which is over later
                left += parted(task.id, task.uses)
                task.uses = ()
        self._leave(left)

    def _leave(self, left: Sequence[Service]) -> None:
        """Stop what is kept for nobody; what was never needed is cancelled when its block is over."""
        if self.is_closing:
            return
        for service in left:
            is_live = service.task.id in self._scheduler.live
            if is_live and is_idle(service.task) and service.stop_after == "block":
                self._scheduler.cancel(service.task)
                self._steps.flush_soon()
        stopped = in_order(self._up, left)
        if stopped:
            for task in stopped:
                self._is_to_stop(task)
            stopping = self._loop.create_task(self._stop(stopped), context=Context())
            self._stopping.add(stopping)
            stopping.add_done_callback(self._stopping.discard)

    def _is_to_stop(self, task: Any) -> None:
        self._stopped.add(task.id)
        if task.service.task is task:
            task.service.is_stopping = True

    async def _stop(self, tasks: Iterable[Task]) -> None:
        """Stop them, one after another."""
        for task in tasks:
            running = self.waiting.get(task.id)
            if running is not None:
                running.cancel()
                await asyncio.wait([running])

    async def over(self, task: Task) -> None:
        """Wait until the service has ended that a task has started."""
        running = self.waiting.get(task.id)
        if running is not None:
            await asyncio.wait([running])

    def abandon(self) -> None:
        """There is no loop any more on which their clean-up could run; commands are killed by others."""
        left = [task for task in self._up if not task.definition.is_command]
        if left:
            shown = ", ".join(f"{task.name_shown!r} (#{task.id})" for task in left)
            _log.warning("the event loop was closed before these services were cleaned up: %s", shown)

    async def close(self) -> None:
        """Stop all: the last that came to be ready first."""
        self.is_closing = True
        while self._up:
            task = self._up[-1]
            self._is_to_stop(task)
            await self._stop([task])
            if self._up and self._up[-1] is task:  # it was lost, as by Ctrl-C
                self._up.pop()
        if self.waiting:
            _, stubborn = await asyncio.wait(self.waiting.values(), timeout=self._grace)
            for running in stubborn:
                _log.warning(
                    "service %s could not be stopped; left behind after %g s", running.get_name(), self._grace
                )
