"""One worker process, seen from the engine: its process, its sockets and what it was given."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import pickle
import signal
import socket
import subprocess
import weakref
from collections.abc import Container
from contextlib import ExitStack, suppress
from itertools import starmap
from struct import Struct
from time import perf_counter
from typing import Any, Final

from ..._worker import wire
from ..._worker.descriptors import Descriptors
from ..._worker.marks import WORKER_OF
from .output import Relay, Write
from .packing import Function, Packed
from .program import Program, folders

_LENGTH: Final = Struct("=I")
_RUNS: Final = Struct("=Qd")  # the number of the task that runs, and when its function began
_READ: Final = 1 << 15  # bytes at a time: some hundred small results, after which others have their turn
_PIPE: Final = 1 << 20
_KEPT: Final = 1024  # functions that it is sent, before it is told which of them nobody will ask for again

Message = tuple[int, int, float, float, Any]

_ALL: Final[weakref.WeakSet[WorkerProcess]] = weakref.WeakSet()


def _let_go() -> None:
    for worker in list(_ALL):
        worker.let_go()
    _ALL.clear()


# A pool of forked processes, say, in the same program may outlive it; our workers must not live as long as that.
os.register_at_fork(after_in_child=_let_go)


class WorkerProcess:
    """A worker process.

    Args:
        program: that it works for.
        most_memory: bytes that it may hold between two tasks; 0 for any.
        write: takes what it prints.
    """

    def __init__(self, program: Program, most_memory: int, write: Write) -> None:
        self.asked_for = perf_counter()  # 0 once a task is told to have waited for that
        self.first = 0  # which that was
        self.given: dict[int, Packed] = {}  # in the order in which they are run
        self.load = 0.0  # seconds of work in it, as far as known
        self.known: dict[int, Function] = {}  # that it was sent
        self._most_known = _KEPT
        self._path: list[str] = []  # where it looks for modules
        self._program = program
        self._start_with: bytes | None = program.start_with  # until it was sent
        self.done = 0  # tasks that it has run
        self.is_up = False
        self.retires = False
        self.is_in_doubt = False
        """Ctrl-C came in the midst of what was being read from it or written to it: nobody knows what it has."""
        self._reaped: list[Any] = []  # what the kernel has told of its end
        self._bytes = b""
        self.came = 0  # bytes that the last read has brought, perhaps of a record that is not complete
        with ExitStack() as undo:  # a machine may have no process, descriptor or memory left
            self._start(most_memory, write, undo)
            self.pid = self.process.pid
            self.name = f"process {self.pid}"
            self.pidfd = self._ours.open(os.pidfd_open, self.pid)
            undo.pop_all()
        self._engine = os.getpid()
        _ALL.add(self)

    def _start(self, most_memory: int, write: Write, undo: ExitStack) -> None:
        self._calls, worker_calls = _sockets(undo)
        self._unread = worker_calls  # kept: what the worker has not read can be read back here
        self.orders, worker_orders = _sockets(undo)
        self._ours, self._hold, theirs = Descriptors(), Descriptors(), Descriptors()
        for opened in (self._ours, self._hold, theirs):
            undo.callback(_close, opened)
        self.records, worker_records = self._ours.pipe(theirs)
        # While the engine's process holds the second end, the worker lives. One for each: an opened pipe has one owner.
        lifeline, _ = theirs.pipe(self._hold)
        out, worker_out = self._ours.pipe(theirs)
        err, worker_err = self._ours.pipe(theirs)
        page = theirs.open(os.memfd_create, "asyncflow-page", os.MFD_CLOEXEC)
        os.ftruncate(page, mmap.PAGESIZE)
        self._map = mmap.mmap(page, mmap.PAGESIZE)  # which keeps a descriptor of its own
        undo.callback(self._map.close)
        self._page = memoryview(self._map)
        undo.callback(self._page.release)
        self.out, self.err = Relay(out, "stdout", write), Relay(err, "stderr", write)
        for fd in (self.records, out, err):
            os.set_blocking(fd, False)
        with suppress(OSError):  # the most that an ordinary user may ask for; a busy machine may refuse
            fcntl.fcntl(self.records, fcntl.F_SETPIPE_SZ, _PIPE)
        self._calls.setblocking(False)
        passed = [worker_calls.fileno(), worker_orders.fileno(), worker_records, page, lifeline]
        self.process = subprocess.Popen(
            [self._program.python, *self._program.flags, "-c", _text(self._program, passed, most_memory)],
            stdin=subprocess.DEVNULL,
            stdout=worker_out,
            stderr=worker_err,
            pass_fds=passed,
            cwd=self._program.folder,
            env=self._program.environment() | {WORKER_OF: str(os.getpid())},
            process_group=0,  # Ctrl-C in a terminal is for the engine, which then decides
        )
        undo.callback(self.process.wait)
        undo.callback(self.process.kill)
        worker_orders.close()
        theirs.close()

    def rise(self, out: str, err: str) -> None:
        """The process is up; ``out`` and ``err`` are the encodings of its standard streams."""
        self.is_up = True
        self.out.speaks(out)
        self.err.speaks(err)

    def send(self, packed: list[Packed]) -> bool:
        """Give it calls.

        Returns:
            False if its socket is full: nothing was sent.
        """
        known = self.known
        definitions: dict[int, object] = {}
        functions: dict[int, Function] = {}
        calls, written, tags = [], [], {}
        for each in packed:
            function = each.function
            if function.number not in known:
                definitions[function.number] = function.definition
                functions[function.number] = function
            if each.flags & wire.IN_FILE:
                each.write()
                written.append(each.file)
            if each.flags & wire.TAGGED:
                tags[each.work.id] = each.work.identity
            calls.append((each.work.id, each.flags, each.payload))
        if tags:
            definitions[wire.TAGS] = tags
        program = self._program
        if self._path != program.path:
            definitions[wire.PATH] = pickle.dumps((folders(program.path), program.arguments))
        if self._start_with is not None:
            definitions[wire.START] = self._start_with
        files = []
        for number, definition in definitions.items():
            if type(definition) is bytes and len(definition) > wire.IN_BAND:
                files.append(wire.write_file(definition))
                definitions[number] = len(definition)
        frame = pickle.dumps((definitions, self._forgotten(functions), calls), 5)
        try:
            if files or written:
                socket.send_fds(self._calls, [frame], files + written)
            else:
                self._calls.send(frame)
        except BlockingIOError:
            return False
        finally:
            for file in files:
                os.close(file)
        known.update(functions)
        if wire.PATH in definitions:
            self._path = [*program.path]
        self._start_with = None
        given, load = self.given, self.load
        for each in packed:
            each.drop()
            given[each.work.id] = each
            load += each.function.pace.seconds
        self.load = load
        return True

    def _forgotten(self, needed: Container[int]) -> list[int]:
        """The functions that the worker need not keep. It takes a packet only when it has no call left."""
        if len(self.known) < self._most_known:
            return []
        old = [n for n, function in self.known.items() if not function.is_current and n not in needed]
        for number in old:
            del self.known[number]
        self._most_known = len(self.known) + _KEPT
        return old

    def take_unread(self) -> list[int]:
        """Take back the calls that it has not read yet; the kernel sees to it that nobody else has them."""
        task_ids: list[int] = []
        while True:
            try:
                data, files = wire.receive(self._unread, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return task_ids
            for file in files:
                os.close(file)
            if not data:
                return task_ids
            definitions, _, calls = pickle.loads(data)
            for number in definitions:
                self.known.pop(number, None)
            if wire.PATH in definitions:
                self._path = []
            if wire.START in definitions:
                self._start_with = self._program.start_with
            task_ids += [task_id for task_id, _, _ in calls]

    def take(self, task_id: int) -> Packed | None:
        """Remove a call from those that the process has."""
        packed = self.given.pop(task_id, None)
        if packed is not None:
            self.load = self.load - packed.function.pace.seconds if self.given else 0.0
        return packed

    def order(self, what: int, task_id: int = 0) -> None:
        """Send the process an order, which it reads at once."""
        with suppress(OSError):  # it is just ending
            self.orders.send(pickle.dumps((what, task_id)))

    def read(self) -> list[Message]:
        """Read the records that the process has sent since the last time."""
        try:
            data = os.read(self.records, _READ)
        except BlockingIOError:
            data = b""
        self.came = len(data)
        data = self._bytes + data
        records, position, end, view = [], 4, len(data), memoryview(data)
        while position <= end:
            following = position + _LENGTH.unpack_from(data, position - 4)[0]
            if following > end:
                break
            records.append(pickle.loads(view[position:following]))
            position = following + 4
        self._bytes = data[position - 4 :]
        return records

    def result_file(self) -> int:
        """The memory file of a large result; it was sent before its record.

        Raises:
            OSError: this process may open no more files, and so the kernel has thrown it away.
        """
        _, files = wire.receive(self.orders)
        if not files:
            raise OSError(errno.EMFILE, "a large result could not be taken in: too many files are open here")
        return files[0]

    @property
    def running(self) -> int:
        """The number of the task that runs; 0 for none. True also after the process has died."""
        return int(_RUNS.unpack_from(self._page)[0])

    @property
    def began(self) -> float:
        """When the function of that task began, by `time.perf_counter`; 0 if it has not."""
        return float(_RUNS.unpack_from(self._page)[1])

    def kill(self) -> None:
        """End it, and what it has started, at once."""
        if os.getpid() == self._engine:  # a child that the program has forked has no say in it
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def dismiss(self) -> None:
        """Let it end when it has run what it was given."""
        self.retires = True
        self._calls.close()

    def reap(self) -> tuple[str, int]:
        """How the process ended, in words, and the most memory that it held, in bytes. Once, after it has.

        What its tasks have started and left behind in its process group ends here: before the process is reaped, while
        its number surely is its own.
        """
        if not self._reaped:  # else Ctrl-C came after it: the number may be another's by now
            self.kill()
            # By an iterator, so that nothing comes between the two: see `Descriptors`.
            self._reaped.extend(starmap(os.wait4, ((self.pid, 0),)))
        _, status, usage = self._reaped[0]
        code = self.process.returncode = os.waitstatus_to_exitcode(status)
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return how, usage.ru_maxrss * 1024

    def close(self) -> None:
        """Give back every descriptor."""
        self._calls.close()
        self._unread.close()
        self.orders.close()
        for relay in (self.out, self.err):
            relay.close()
        self._ours.close()
        self._hold.close()
        self._page.release()
        self._map.close()
        _ALL.discard(self)

    def let_go(self) -> None:
        """Close what tells the worker that the engine's process lives, in a child which that has forked."""
        self._calls.close()
        self.orders.close()
        self._hold.close()


def _sockets(undo: ExitStack) -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    undo.callback(ours.close)
    undo.callback(theirs.close)
    return wire.blocking(ours), wire.blocking(theirs)


def _close(opened: Descriptors) -> None:
    opened.close()


def _text(program: Program, passed: list[int], most_memory: int) -> str:
    # The path is set before anything of ours is imported; the main script is not run again, so it needs no guard.
    arguments = ", ".join(map(str, [*passed, most_memory, os.getpid()]))
    path = folders(program.path)
    return f"import sys; sys.path[:] = {path!r}; from asyncflow._worker.main import main; main({arguments})"
