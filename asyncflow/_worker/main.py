"""The main loop of a worker process: reads calls, runs them one after another, records what happened.

Two threads. The main thread runs the tasks. The other waits for orders and only then takes the interpreter; all it
does is to take calls out of the queue that the main thread takes them from, and to send the main thread a signal.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import pickle
import signal
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from functools import reduce
from importlib import import_module, invalidate_caches
from struct import Struct
from time import perf_counter
from types import CodeType
from typing import Any, Final, NoReturn

from .._causes import brief
from . import wire
from .by_value.known import HOME, hold_modules
from .chain import with_previous
from .exceptions import largest
from .house import House
from .marks import WORKER_OF, plain_function
from .results import UNFIT_TO_SEND, why_unfit

_LENGTH: Final = Struct("=I")
_TOLD: Final = 0.001  # seconds of imports before a call, from which on they are told
_LOOK_AT_MEMORY: Final = 0.05  # seconds between two looks at how much memory the process holds
_NOBODY: Final = 0
_FIRST: Final = 1 << wire.ATTEMPT  # flags of first attempts are below
_NEVER: Final = (0.0, 0.0)
_NO_KWARGS: Final[dict[str, Any]] = {}

Ran = tuple[float, float]
"""When a function began and when it ended, by a clock that all processes of a machine share."""

Call = tuple[int, int, Any, int]
"""Task id, flags, payload, and memory file or -1. The payload: function number and plain arguments; or those and any
keyword arguments pickled; or the sizes of what is in the file, which is the same."""


class Stopped(BaseException):
    """Raised in a task that was told to stop."""


class Worker:
    """One process.

    Args:
        calls: the socket that packets of calls come from.
        orders: the socket for orders, and for large results.
        records: the pipe that records go to.
        page: a memory file of one page: the number of the task that runs, and when its function began; 0 if it has not.
        most_memory: bytes that the process may hold between two tasks; 0 for any.
    """

    def __init__(self, calls: int, orders: int, records: int, page: int, most_memory: int) -> None:
        self._calls = wire.blocking(socket.socket(fileno=calls))
        self._orders = wire.blocking(socket.socket(fileno=orders))
        self._records = records
        told = memoryview(mmap.mmap(page, mmap.PAGESIZE))
        self._page, self._began = told.cast("Q"), told.cast("d")[1:]
        self._most_memory = most_memory
        self._memory_seen = 0.0
        self._writing = threading.Lock()
        self._queue: deque[Call] = deque()
        self._functions: dict[int, tuple[Callable[..., Any], bool]] = {}
        self._definitions: dict[int, Any] = {}
        self._main = threading.main_thread().ident
        self._current = _NOBODY  # the task whose function runs, for the signal handler
        self._to_stop = _NOBODY
        self._event_loop: Any = None
        self._coroutine: Any = None  # the asyncio task that runs
        self._retired = False
        signal.signal(signal.SIGUSR1, self._on_stop)
        self._house = House(self._stop_if_told)

    def run(self) -> NoReturn:
        """Work until the engine closes the socket or is gone."""
        threading.Thread(target=self._obey, daemon=True).start()
        self._record(wire.UP, _NOBODY, _NEVER, (sys.stdout.encoding, sys.stderr.encoding))
        previous: list[Any] = []  # the value of the call before, if it gave one
        while True:
            try:
                call = self._queue.popleft()
            except IndexError:
                self._read_packet()
                continue
            task_id, flags, payload, file = call
            if flags & wire.LINKED and not previous:
                self._record(wire.NOT_BEGUN, task_id, _NEVER, [task_id])
            else:
                previous = self._run_one(task_id, flags, payload, file, previous)

    def _read_packet(self) -> None:
        data, files = wire.receive(self._calls)
        if not data:
            self._flush()
            os._exit(0)
        definitions, forgotten, calls = pickle.loads(data)
        for number in forgotten:
            self._functions.pop(number, None)
            self._definitions.pop(number, None)
        for number, definition in definitions.items():
            large = type(definition) is int  # its size, in a file of its own
            whole = wire.read_file(files.pop(0), definition) if large else definition
            if number == wire.PATH:
                with self._house.settling():
                    sys.path[:], sys.argv[:] = pickle.loads(whole)
                invalidate_caches()
            elif number == wire.START:
                self._page[0] = calls[0][
                    0
                ]  # if the process ends here, that task is lost with it, and no other
                self._start(*pickle.loads(whole))
                self._page[0] = _NOBODY
            else:
                self._definitions[number] = whole
        for task_id, flags, payload in calls:
            self._queue.append((task_id, flags, payload, files.pop(0) if flags & wire.IN_FILE else -1))
        if self._retired:
            self._hand_back()

    def _start(self, engine: str, pieces: list[bytes], initializer: bytes | None) -> None:
        """Set what the program has set for its process, and run the initializer."""
        HOME.engine = engine
        with self._house.settling():
            for piece in pieces:
                with suppress(Exception):  # it is the program's, but may make sense there alone
                    set_it, args = pickle.loads(piece)
                    set_it(*args)
            try:
                if initializer is not None:
                    fn, args = pickle.loads(initializer)
                    fn(*args)
            except BaseException as error:
                error.add_note("in the initializer of this worker process")
                self._functions = NoFunctions(error)

    # -- one call -----------------------------------------------------------------------------------------

    def _run_one(self, task_id: int, flags: int, payload: Any, file: int, previous: list[Any]) -> list[Any]:
        """Run one call and record how it ended. Returns its value, in a list, if a link of a chain goes on with it."""
        # The engine may look at the page at any moment: it must not find this task with the start of the one before.
        self._began[0] = 0.0
        self._page[0] = task_id  # whatever ends the process from here on, this task had begun
        started = 0.0
        harmless = False
        if flags & wire.TELLS_START:
            self._record(wire.BEGUN, task_id, (perf_counter(), 0.0), None)
        try:
            try:
                # What it is called with may take as long to load as the call itself.
                self._current = task_id if flags < _FIRST else wire.call_id(task_id, flags)
                if self._to_stop == self._current:  # the signal came before there was a task to stop
                    raise Stopped
                if file >= 0:
                    taken, file = file, -1
                    number, args, kwargs = wire.unpack_memory(taken, payload)
                elif type(payload) is tuple:
                    number, args = payload
                    kwargs = _NO_KWARGS
                else:
                    number, args, kwargs = pickle.loads(payload)
                plain = bool(flags & wire.PLAIN_ARGUMENTS)
                if flags & wire.LINKED:
                    args, kwargs = with_previous(args, kwargs, previous[0])
                    plain = plain and type(previous[0]) in wire.PLAIN
                    previous.clear()
                fn, harmless = self._functions.get(number) or self._load(number)
                harmless = harmless and plain
                if self._house.import_began:
                    self._tell_loading(task_id)
                self._began[0] = started = perf_counter()
                value = fn(*args, **kwargs) if harmless else copy_context().run(fn, *args, **kwargs)
                if flags & wire.COROUTINE:
                    value = self._awaited(value)
            finally:
                self._current = _NOBODY  # a signal that comes from here on stops nothing
            ran = started, perf_counter()
            if not harmless:
                self._house.send_children_away()
        except Stopped as error:
            self._current = _NOBODY  # the signal may have come before the `finally` did this
            if file >= 0:
                os.close(file)
            self._house.send_children_away(error)
            self._hand_back_links()
            self._record(wire.STOPPED, task_id, _until_now(started), None)
        except BaseException as error:
            self._current = _NOBODY
            self._house.send_children_away(error)
            self._hand_back_links()
            ran = _until_now(started)
            self._failed(task_id, ran, error)
        else:
            del args, kwargs  # before the result is packed: it may be as large
            given = self._give(task_id, ran, value)
            # Not before the result is written: if the process dies earlier, it is this task that has failed.
            self._page[0] = _NOBODY
            if not harmless:
                self._clean_up()
            return [value] if given and self._link_follows() else []
        self._page[0] = _NOBODY
        self._clean_up()
        return []

    def _tell_loading(self, task_id: int) -> None:
        began, self._house.import_began = self._house.import_began, 0.0
        if perf_counter() - began > _TOLD:
            self._record(wire.LOADED, task_id, (began, 0.0), None)

    def _hand_back_links(self) -> None:
        """What follows a call without a value is not begun; said first, so that its story shows no start."""
        task_ids = []
        while self._link_follows():
            try:
                task_ids.append(self._queue.popleft()[0])
            except IndexError:  # the other thread has just given it back
                break
        if task_ids:
            self._record(wire.NOT_BEGUN, _NOBODY, _NEVER, task_ids)

    def _link_follows(self) -> bool:
        try:
            return bool(self._queue[0][1] & wire.LINKED)
        except IndexError:
            return False

    def _load(self, number: int) -> tuple[Callable[..., Any], bool]:
        definition = self._definitions.pop(number)
        try:
            fn = _found(definition)
        except BaseException:
            self._definitions[number] = definition  # the next task of this function fails with the same words
            raise
        loaded = self._functions[number] = fn, _touches_nothing(fn)
        return loaded

    def _awaited(self, coroutine: Any) -> Any:
        if self._event_loop is None:
            import asyncio  # only for those who have coroutines: it takes as long to load as all the rest

            self._event_loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._event_loop)
        self._coroutine = self._event_loop.create_task(coroutine)
        try:
            return self._event_loop.run_until_complete(self._coroutine)
        except BaseException:
            if self._to_stop == self._current:
                raise Stopped from None
            raise
        finally:
            self._coroutine = None

    def _on_stop(self, number: int, frame: Any) -> None:
        """Runs on the main thread, between two instructions of whatever runs there."""
        if self._current and self._current == self._to_stop:
            if self._coroutine is not None:
                self._event_loop.call_soon_threadsafe(self._coroutine.cancel)
            elif not self._house.is_importing:  # half a package is not mended by importing it once more
                raise Stopped

    def _stop_if_told(self) -> None:
        if self._current and self._current == self._to_stop and self._coroutine is None:
            raise Stopped

    def _clean_up(self) -> None:
        why = self._house.tidy()
        if why is None and self._most_memory:
            why = self._too_large()
        if why is not None and not self._retired:
            self._retired = True
            self._hand_back()
            self._record(wire.RETIRES, _NOBODY, _NEVER, why)

    def _too_large(self) -> str | None:
        now = perf_counter()
        if now - self._memory_seen < _LOOK_AT_MEMORY:
            return None
        self._memory_seen = now
        with open("/proc/self/statm") as file:
            resident = int(file.read().split()[1]) * mmap.PAGESIZE
        return f"it holds {resident:,} bytes" if resident > self._most_memory else None

    # -- what happened ------------------------------------------------------------------------------------

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
            self._record(wire.VALUE, task_id, ran, value)
            return True
        why = why_unfit(value) if cls in UNFIT_TO_SEND else self._pack(task_id, ran, value)
        if why is not None:
            self._hand_back_links()
            self._record(wire.UNSENDABLE, task_id, ran, why)
        return why is None

    def _pack(self, task_id: int, ran: Ran, value: Any) -> str | None:
        """Record a value that has to be packed. Returns why, if it cannot be."""
        try:
            parts = wire.Parts(value, is_going_home=True)
            if parts.in_band:
                self._record(wire.PACKED, task_id, ran, bytes(parts.stream))
                return None
            file = parts.into_memory()
        except BaseException as error:
            from .parcel import why_unpicklable

            return why_unpicklable(value, error)
        sizes = parts.sizes()
        self._send_file(file)
        self._record(wire.IN_MEMORY, task_id, ran, sizes)
        return None

    def _send_file(self, file: int) -> None:
        """Send a memory file, before the record of what is in it."""
        socket.send_fds(self._orders, [_LENGTH.pack(0)], [file])
        os.close(file)

    def _failed(self, task_id: int, ran: Ran, error: BaseException) -> None:
        from . import parcel

        packed = parcel.pack_error(error)
        if len(packed) <= wire.IN_BAND:
            self._record(wire.ERROR, task_id, ran, packed)
            return
        try:
            file = wire.write_file(packed)
        except OSError as problem:  # no memory left
            why = f"{len(packed):,} bytes: {brief(problem)}; {largest(error)}"
            packed = parcel.pack_error(parcel.envelope(error, why))
            self._record(wire.ERROR, task_id, ran, packed)
        else:
            self._send_file(file)
            self._record(wire.ERROR, task_id, ran, len(packed))

    def _record(self, kind: int, task_id: int, ran: Ran, payload: Any) -> None:
        data = pickle.dumps((kind, task_id, *ran, payload), 5)
        data = _LENGTH.pack(len(data)) + data
        with self._writing:
            done = os.write(self._records, data)
            while done < len(data):
                done += os.write(self._records, data[done:])

    def _flush(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                pass  # a task has closed it

    # -- orders, on the other thread ----------------------------------------------------------------------

    def _obey(self) -> None:
        while data := self._orders.recv(wire.PACKET):
            order, call = pickle.loads(data)
            self._hand_back()
            if order == wire.STOP:
                self._to_stop = call  # seen by the main thread also if it is only about to begin the task
                if self._current == call and self._main is not None:
                    signal.pthread_kill(self._main, signal.SIGUSR1)
        os._exit(0)

    def _hand_back(self) -> None:
        """Give up all that has not begun. Each call is popped by one thread only, here or to be run."""
        task_ids = []
        while True:
            try:
                task_id, _, _, file = self._queue.pop()
            except IndexError:
                break
            task_ids.append(task_id)
            if file >= 0:
                os.close(file)
        if task_ids:
            self._record(wire.NOT_BEGUN, _NOBODY, _NEVER, task_ids[::-1])


class NoFunctions(dict[int, tuple[Callable[..., Any], bool]]):
    """Takes the place of the functions of a worker whose initializer has failed: each call fails with that error."""

    def __init__(self, error: BaseException) -> None:
        self._error = error
        self._traceback = error.__traceback__

    def get(self, number: int, _: Any = None) -> Any:
        """In place of any function."""
        return self._fail, False

    def _fail(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise self._error.with_traceback(self._traceback)


def _until_now(started: float) -> Ran:
    return (started, perf_counter()) if started else _NEVER


def _found(definition: Any) -> Callable[..., Any]:
    if isinstance(definition, bytes):
        fn: Callable[..., Any] = pickle.loads(definition)
        return fn
    module, path = definition
    found: Any = reduce(getattr, path.split("."), import_module(module))
    plain: Callable[..., Any] = plain_function(found)  # by now the name may stand for the decorated task
    return plain


def _touches_nothing(fn: Callable[..., Any]) -> bool:
    """Whether a function, called with plain values, can do nothing to the process: its code mentions no global, no
    attribute and no other function. After such a call there is nothing to tidy up."""
    code = getattr(fn, "__code__", None)
    if not isinstance(code, CodeType) or code.co_names or code.co_freevars:
        return False
    return not any(isinstance(constant, CodeType) for constant in code.co_consts)


def die_with(lifeline: int) -> None:
    """Have the kernel kill this process when the engine's process ends, however that ends.

    Args:
        lifeline: the reading end of a pipe whose writing end only the engine's process holds. Its hang-up is made
            to send SIGKILL, which needs no thread of ours to wait for it and no interpreter lock.

    What tasks have started ends with it, but for what has left the process group.
    """
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)


def main(
    calls: int, orders: int, records: int, page: int, lifeline: int, most_memory: int, engine: int
) -> NoReturn:
    """The whole life of a worker process. The descriptors are as for `Worker` and `die_with`; ``engine`` is the
    process id of the engine."""
    die_with(lifeline)
    os.environ.pop(WORKER_OF, None)  # before tasks start processes, which are none
    if os.getppid() != engine:
        os._exit(0)  # it ended before the kernel knew that we want to hear of it
    for descriptor in (calls, orders, records, page, lifeline):
        os.set_inheritable(descriptor, False)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    hold_modules()
    Worker(calls, orders, records, page, most_memory).run()
