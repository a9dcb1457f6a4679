"""What is sent to another process, and what cannot be."""

import io
import socket
import sqlite3
import threading
from collections.abc import Generator
from typing import Any, TextIO

import numpy as np

from asyncflow import WorkflowEngine

from .kit import right, wrong

CLOSED = sqlite3.connect(":memory:")
CLOSED.close()  # which makes it no more fit to be sent


class Held:
    def __init__(self) -> None:
        self.lock = threading.Lock()


class Packs:
    def __init__(self) -> None:
        self.lock = threading.Lock()

    def __reduce__(self) -> Any:
        return Packs, ()


def passed(value: Any) -> Any:
    """A task in another process that is given a value."""

    def workflow(engine: WorkflowEngine) -> Any:
        @engine.function_task(backend="cpu")
        def work(number: int, value: Any) -> int: ...

        async def flow() -> int:
            return await work(1, value)  # here

        return flow

    return workflow


for case_name, case_value, case_kind in [
    ("connection", CLOSED, "cannot pickle 'sqlite3.Connection'"),
    ("lock", threading.Lock(), "cannot pickle '_thread.lock'"),
    ("object_with_a_lock", Held(), "Held' (TypeError: cannot pickle '_thread.lock' object)"),
    (
        "lock_in_a_list",
        [threading.Lock()],
        "cannot pickle 'list' (TypeError: cannot pickle '_thread.lock' object)",
    ),
]:
    case_workflow = passed(case_value)
    case_workflow.__name__ = case_name
    wrong(f"argument 'value' of 'work' (#1): {case_kind}" if "Held" not in case_kind else case_kind, "work")(
        case_workflow
    )


@wrong("'work' was given a generator in argument 'value'", "work", mend="Pass a list: work([...])")
def a_generator(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def work(value: Any) -> int: ...

    async def flow() -> int:
        return await work(number for number in range(3))  # here

    return flow


@wrong("the function of 'work' cannot be sent to", "work", mend="make inside of it")
def a_function_that_holds_a_lock(engine: WorkflowEngine) -> Any:
    lock = threading.Lock()

    @engine.function_task(backend="cpu")
    def work(number: int) -> int:
        with lock:
            return number

    async def flow() -> int:
        return await work(1)  # here

    return flow


@wrong("'connect' gives a Connection, which cannot be sent back from", "connect", mend="return plain data")
def a_connection_as_a_result(engine: WorkflowEngine) -> Any:
    @engine.function_task(backend="cpu")
    def connect(path: str) -> sqlite3.Connection: ...

    async def flow() -> Any:
        return await connect("a.db")  # here

    return flow


@wrong("'listen' gives a socket | None, which cannot be sent back", "listen")
def a_socket_as_a_result(engine: WorkflowEngine) -> Any:
    @engine.function_task(backend="cpu")
    def listen(port: int) -> socket.socket | None: ...

    async def flow() -> Any:
        return await listen(80)  # here

    return flow


@wrong(
    "'lines' gives a Generator[int, None, None], which runs only where it is read",
    "lines",
    mend="return a list",
)
def a_generator_as_a_result(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def lines() -> Generator[int, None, None]: ...

    async def flow() -> Any:
        return await lines()  # here

    return flow


@right
def plain_data(engine: WorkflowEngine) -> Any:
    @engine.function_task(backend="cpu")
    def work(*values: Any, **more: Any) -> dict[str, list[int]]: ...

    @engine.function_task
    def load() -> list[int]: ...

    async def flow() -> Any:
        given = {"rows": [load(), load()], "names": {"a", "b"}}
        return await work(1, given, Packs(), np.ones((3, 3))[:, 1], fn=len, later=load())

    return flow


@right
def a_large_array(engine: WorkflowEngine) -> Any:
    @engine.function_task(backend="cpu")
    def work(array: np.ndarray, text: bytes) -> float: ...

    async def flow() -> Any:
        return await work(np.zeros(1 << 27, dtype=np.uint8), bytes(1 << 24))

    return flow


@right
def threads_share_everything(engine: WorkflowEngine) -> Any:
    lock = threading.Lock()

    @engine.function_task
    def work(connection: sqlite3.Connection, rows: Any) -> io.StringIO:
        with lock:
            return io.StringIO()

    @engine.function_task
    def reads(path: str) -> TextIO: ...

    async def flow() -> Any:
        await reads("a")
        return await work(CLOSED, iter(range(3)))

    return flow


@right
def functions_of_all_kinds(engine: WorkflowEngine) -> Any:
    factor = 3

    @engine.function_task(backend="cpu")
    def scale(number: int) -> int:
        return number * factor

    @engine.function_task(backend="cpu")
    async def wait(number: int) -> int:
        return number

    both = engine.function_task(lambda a, b: a + b, backend="cpu")

    async def flow() -> Any:
        return await both(scale(1), wait(2))

    return flow


@right
def the_engine_in_a_closure(engine: WorkflowEngine) -> Any:
    @engine.function_task(backend="cpu")
    def inner(number: int) -> int:
        return number

    @engine.function_task(backend="cpu")
    def outer(number: int) -> int:
        return inner.fn(number)

    async def flow() -> Any:
        return await outer(1)

    return flow
