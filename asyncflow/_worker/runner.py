"""Runs one call in a worker process, from its arguments to the record of its end."""

from __future__ import annotations

import mmap
import os
import pickle
from collections.abc import Mapping
from contextvars import copy_context
from time import perf_counter
from typing import Any, Final

from .._causes import name_of_function
from . import wire
from .call_queue import CallQueue
from .chain import with_previous
from .functions import Functions
from .gpus import show_only
from .orders import Orders
from .records import NEVER, NOBODY, Ran, Records
from .results import UNFIT_TO_SEND, close_unbegun, why_unfit
from .whose import IDENTITY, Identity, runs
from .wire import Stopped

_TOLD: Final = 0.001  # seconds of imports before a call, from which on they are told
_LOOK_AT_MEMORY: Final = 0.05  # seconds between two looks at how much memory the process holds
_FIRST: Final = 1 << wire.ATTEMPT  # flags of first attempts are below
_NO_KWARGS: Final[Mapping[str, Any]] = {}


def _identity(held: Mapping[str, Any]) -> Identity:
    """Which task a runner runs."""
    fn = held.get("fn")  # None while it is being loaded
    identity: Identity | None = held["self"].tags.get(held["task_id"])
    if identity is None:
        name = "" if fn is None else name_of_function(fn)
        identity = held["task_id"], name, held["flags"] >> wire.ATTEMPT or 1, None, None, ()
    if fn is not None:
        IDENTITY.set(identity)  # in the context of this task alone, which need not look it up again
    return identity


def _with_kept(payload: Any) -> Any:
    """The payload of a call that takes kept results, which are looked for from now on where it says."""
    from . import kept  # few workers ever need it

    inner, places = payload
    kept.take_from(places)
    return inner


class Runner:
    """One call after another, on the main thread.

    Args:
        page: shared with the engine: the number of the task that runs, 0 for none.
        began: shared, too: when its function began, 0 if it has not.
        records: where it is told what has happened.
        calls: what follows.
        orders: what is to stop.
        most_memory: bytes that the process may hold between two tasks; 0 for any.
    """

    def __init__(
        self,
        page: memoryview[int],
        began: memoryview[float],
        records: Records,
        calls: CallQueue,
        orders: Orders,
        most_memory: int,
    ) -> None:
        self._page, self._began = page, began
        self._records = records
        self._calls = calls
        self._orders = orders
        self._process_state = orders.process_state
        self._most_memory = most_memory
        self._memory_seen = 0.0
        self.tags: Mapping[int, Identity] = {}  # of tasks that have other names than their functions, or more
        self.functions = Functions()
        self._loaded = self.functions.loaded

    @runs(_identity)
    def run(self, task_id: int, flags: int, payload: Any, file: int, previous: list[object]) -> list[object]:
        """Run a call, of whose parts `Call` tells.

        Returns:
            Its value, if another call goes on with that.
        """
        orders = self._orders
        # The engine may look at the page at any moment: it must not find this task with the start of the one before.
        self._began[0] = 0.0
        self._page[0] = task_id  # whatever ends the process from here on, this task had begun
        started, value = 0.0, None
        if flags & wire.TELLS_START:
            self._records.add(wire.BEGUN, task_id, (perf_counter(), 0.0), None)
        try:
            try:
                # From here on it can be stopped: what it is called with may take as long to load as the call itself.
                orders.current = task_id if flags < _FIRST else wire.call_id(task_id, flags)
                if orders.to_stop == orders.current:  # the order came before: nobody sends a signal
                    raise Stopped
                if type(payload) is tuple and file < 0:
                    (number, args), kwargs = payload, _NO_KWARGS
                else:
                    taken, file = file, -1
                    if flags & wire.TAKES:
                        payload = _with_kept(payload)
                    number, args, kwargs = (
                        wire.unpack_memory(taken, payload) if taken >= 0 else pickle.loads(payload)
                    )
                harmless = bool(flags & wire.PLAIN_ARGUMENTS)
                if flags & wire.LINKED:
                    args, kwargs = with_previous(args, kwargs, previous[0])
                    harmless = harmless and type(previous[0]) in wire.PLAIN
                    previous.clear()
                fn, touches_nothing = self._loaded.get(number) or self.functions.load(number)
                harmless = harmless and touches_nothing
                if self._process_state.import_began:
                    self._tell_loading(task_id)
                if flags & wire.TAGGED and task_id in self.tags and self.tags[task_id][-1]:
                    show_only(self.tags[task_id][-1])
                    harmless = False  # the environment is put back then
                self._began[0] = started = perf_counter()
                value = fn(*args, **kwargs) if harmless else copy_context().run(fn, *args, **kwargs)
                if flags & wire.COROUTINE:
                    value = orders.awaited(value)
            finally:
                orders.current = NOBODY  # a signal that comes from here on stops nothing
            ran = started, perf_counter()
            if not harmless:
                self._process_state.send_children_away()
        except BaseException as error:
            orders.current = NOBODY  # once more: the signal may have cut that `finally` short
            if flags & wire.COROUTINE:
                close_unbegun(value)  # stopped before the loop had it
            self._unfinished(task_id, started, file, error)
            given, harmless, value = False, False, None
        else:
            del args, kwargs  # before the result is packed: it may be as large
            given = self._give(task_id, ran, value)
        # Not before the end is recorded: if the process dies earlier, it is this task that has failed.
        self._page[0] = NOBODY
        if not harmless:
            self._clean_up()
        return [value] if given and self._calls.link_follows() else []

    def _tell_loading(self, task_id: int) -> None:
        began, self._process_state.import_began = self._process_state.import_began, 0.0
        if perf_counter() - began > _TOLD:
            self._records.add(wire.LOADED, task_id, (began, 0.0), None)

    def _give(self, task_id: int, ran: Ran, value: Any) -> bool:
        """Record a value. False if it is none that can be sent, and so none that a link could go on with."""
        cls = type(value)
        try:
            is_plain = cls in wire.PLAIN and (
                (cls is not bytes and cls is not str) or len(value) < wire.IN_BAND
            )
        except TypeError:  # a class that cannot be hashed
            is_plain, cls = False, object
        if is_plain:
            self._records.add(wire.VALUE, task_id, ran, value)
            return True
        why = why_unfit(value) if cls in UNFIT_TO_SEND else self._records.add_packed(task_id, ran, value)
        if why is not None:
            self._calls.hand_back_links()
            self._records.add(wire.UNSENDABLE, task_id, ran, why)
        return why is None

    def _unfinished(self, task_id: int, started: float, file: int, error: BaseException) -> None:
        """Record a call that has failed, or was stopped, with what was to follow it."""
        ran = (started, perf_counter()) if started else NEVER
        if file >= 0:  # nobody has read it
            os.close(file)
        self._process_state.send_children_away(error)
        self._calls.hand_back_links()
        if isinstance(error, Stopped):
            self._records.add(wire.STOPPED, task_id, ran, None)
        elif isinstance(error, wire.Gone) and not started:
            self._records.add(wire.GONE, task_id, NEVER, error.args)
        else:
            self._records.add_error(task_id, ran, error)

    def _clean_up(self) -> None:
        why = self._process_state.tidy()
        if why is None and self._most_memory:
            why = self._too_large()
        if why is not None:
            self._calls.retire(why)

    def _too_large(self) -> str | None:
        now = perf_counter()
        if now - self._memory_seen < _LOOK_AT_MEMORY:
            return None
        self._memory_seen = now
        with open("/proc/self/statm") as file:
            resident = int(file.read().split()[1]) * mmap.PAGESIZE
        return f"it holds {resident:,} bytes" if resident > self._most_memory else None
