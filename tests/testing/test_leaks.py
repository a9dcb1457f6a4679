"""What is left behind is named."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import shared_memory
from pathlib import Path

import pytest

from asyncflow.testing import Leaked, no_leaks

HASTY = 0.05


def leave_a_descriptor() -> Callable[[], object]:
    file = open(__file__, encoding="utf-8")  # noqa: SIM115 - the point
    return file.close


def leave_a_pipe() -> Callable[[], object]:
    ends = os.pipe()
    return lambda: [os.close(end) for end in ends]


def leave_a_thread() -> Callable[[], object]:
    release = threading.Event()
    thread = threading.Thread(target=release.wait, name="lingering")
    thread.start()
    return lambda: (release.set(), thread.join())


def leave_a_process() -> Callable[[], object]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    return lambda: process.communicate(b"\n")


def leave_a_zombie() -> Callable[[], object]:
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", ""], os.environ)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return lambda: os.waitpid(pid, 0)


def leave_a_file() -> Callable[[], object]:
    descriptor, _ = tempfile.mkstemp(suffix="-forgotten")
    os.close(descriptor)
    return lambda: None


def leave_shared_memory() -> Callable[[], object]:
    memory = shared_memory.SharedMemory(f"asyncflow-test-{os.getpid()}", create=True, size=64)
    return lambda: (memory.close(), memory.unlink())


@pytest.mark.parametrize(
    ("leave", "named"),
    [
        (leave_a_descriptor, __file__),
        (leave_a_pipe, "pipe:["),
        (leave_a_thread, "thread 'lingering'"),
        (leave_a_process, "-c input()"),
        (leave_a_zombie, "a zombie"),
        (leave_a_file, "-forgotten'"),
        (leave_shared_memory, "shared memory 'asyncflow-test-"),
    ],
)
def test_what_is_left_is_named(leave: Callable[[], Callable[[], object]], named: str) -> None:
    with pytest.raises(Leaked) as caught, no_leaks(patience=HASTY):
        release = leave()
    release()
    assert named in str(caught.value)


def test_what_is_given_back_is_no_leak() -> None:
    with no_leaks(patience=HASTY):
        for leave in (leave_a_descriptor, leave_a_pipe, leave_a_thread, leave_a_process, leave_shared_memory):
            leave()()


def test_what_was_there_before_is_no_leak() -> None:
    releases = [
        leave() for leave in (leave_a_descriptor, leave_a_thread, leave_a_process, leave_shared_memory)
    ]
    with no_leaks(patience=HASTY):
        pass
    for release in releases:
        release()


def test_what_is_about_to_end_is_waited_for() -> None:
    release = threading.Event()
    ending = threading.Thread(target=release.wait)
    try:
        with no_leaks():
            ending.start()
            threading.Timer(0.05, release.set).start()  # real time is the subject
    finally:
        release.set()


def test_what_hangs_in_a_circle_is_collected_first() -> None:
    class Holder:
        def __init__(self) -> None:
            self.ends = os.pipe()
            self.me = self

        def __del__(self) -> None:
            for end in self.ends:
                os.close(end)

    gc.disable()
    try:
        with no_leaks():
            Holder()
    finally:
        gc.enable()


def test_the_blocks_own_exception_comes_first() -> None:
    releases = []
    with pytest.raises(ZeroDivisionError), no_leaks(patience=HASTY):
        releases.append(leave_a_pipe())
        raise ZeroDivisionError
    releases[0]()


def test_temporary_files_go_to_a_folder_that_is_gone_after() -> None:
    before = tempfile.gettempdir()
    with no_leaks(patience=HASTY):
        inside = tempfile.gettempdir()
        assert inside != before
        assert os.environ["TMPDIR"] == inside
        with tempfile.NamedTemporaryFile() as file:
            assert Path(file.name).parent == Path(inside)
    assert tempfile.gettempdir() == before
    assert not Path(inside).exists()


SHARED = {
    # Mapped under a name that it had only at first.
    "a semaphore": "import _multiprocessing as m; it = m.SemLock(1, 1, 1, '/asyncflow-shared-{pid}', False)",
    "a segment": "import mmap; f = open(path, 'wb+', opener=full); it = mmap.mmap(f.fileno(), 64); f.close()",
    "an open file": "it = open(path, 'wb+', opener=full)",
}
MAKER = """if True:
    import os
    path = '/dev/shm/asyncflow-shared-{pid}'
    def full(name, flags):
        descriptor = os.open(name, flags)
        os.truncate(descriptor, 64)
        return descriptor
    input()
    {code}
    print('made', flush=True)
    input()
"""


@contextmanager
def maker_of(what: str, *, is_a_child: bool) -> Iterator[Callable[[], None]]:
    """A program that makes shared memory when it is told to and holds it until the end."""
    pid = os.getpid()
    code = MAKER.format(pid=pid, code=SHARED[what].format(pid=pid))
    # Whose parent is over is nobody's child here. A shell's background has no standard input.
    started = "exec python -c" if is_a_child else "exec 3<&0; python <&3 -c"
    command = f'{started} "$0"' + ("" if is_a_child else " & ")
    environ = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with subprocess.Popen(
        ["sh", "-c", command, code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None

        def make() -> None:
            program.stdin.write(b"\n")
            program.stdin.flush()
            assert program.stdout.readline() == b"made\n"

        if not is_a_child:
            program.wait()
        try:
            yield make
        finally:
            program.stdin.close()
            program.stdout.read()  # until it is over
            for name in (f"asyncflow-shared-{pid}", f"sem.asyncflow-shared-{pid}"):
                Path("/dev/shm", name).unlink(missing_ok=True)


@pytest.mark.parametrize("what", SHARED)
def test_shared_memory_that_another_program_holds_is_no_leak(what: str) -> None:
    with maker_of(what, is_a_child=False) as make, no_leaks(patience=HASTY):
        make()


@pytest.mark.parametrize("what", SHARED)
def test_shared_memory_that_a_child_has_made_is_a_leak(what: str) -> None:
    with (
        maker_of(what, is_a_child=True) as make,
        pytest.raises(Leaked, match="asyncflow-shared-"),
        no_leaks(patience=HASTY),
    ):
        make()


async def test_tasks_of_the_loop_that_go_on_are_named() -> None:
    async def lingering() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Leaked, match="lingering"), no_leaks(patience=HASTY):
        task = asyncio.create_task(lingering())
    task.cancel()
    await asyncio.wait([task])


def test_what_asyncio_complains_of_is_told() -> None:
    # Elsewhere: around each test here, too, somebody listens.
    script = """if True:
        import asyncio
        from asyncflow.testing import no_leaks

        async def main():
            asyncio.get_running_loop().call_soon(lambda: 1 / 0)
            await asyncio.sleep(0)

        with no_leaks():
            asyncio.run(main())
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False, timeout=30)
    assert done.returncode == 1
    assert b"Leaked: left behind:\n  asyncio's word: Exception in callback" in done.stderr
