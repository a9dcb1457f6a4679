"""A supervised agent gets its secret where nobody else can read it, and does not outlive whoever has started it."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from asyncflow.backends.carried.lease import Lease
from asyncflow.backends.carried.supervise import Supervised, command

LEASE = Lease(("127.0.0.1:1",), bytes(range(32)), None, "test", "slot 1", 2)

READS = """
import sys
lease = sys.stdin.buffer.readline()
"""
STAYS = READS + "sys.stdin.buffer.read()"


@pytest.fixture
def interpreter(tmp_path: Path) -> object:
    """Makes a program that is started in the place of an agent, with the arguments of one."""

    def made(program: str) -> str:
        (tmp_path / "program.py").write_text(program)
        wrapper = tmp_path / "python"
        wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} {tmp_path}/program.py "$@"\n')
        wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
        return str(wrapper)

    return made


def agent(interpreter: object, program: str, **options: object) -> Supervised:
    assert callable(interpreter)
    made = Supervised(LEASE, python=interpreter(program), **options)  # type: ignore[arg-type]
    made.start()
    return made


def test_the_lease_comes_on_the_standard_input_and_is_in_no_argument_and_no_environment(
    interpreter: object, tmp_path: Path
) -> None:
    program = READS + (
        "import os\n"
        f"with open({str(tmp_path / 'read')!r}, 'wb') as file: file.write(lease)\n"
        "sys.stderr.write(repr((sys.argv[1:], dict(os.environ))))"
    )
    told = agent(interpreter, program).wait()
    assert Lease.from_text((tmp_path / "read").read_text()) == LEASE
    assert told.startswith("exit code 0; the last it wrote to stderr:\n")
    assert "'--lease', '-'" in told
    assert LEASE.token.hex() not in told
    assert "127.0.0.1:1" not in told


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ("sys.exit(3)", "exit code 3"),
        ("import os; os.kill(os.getpid(), 9)", "signal SIGKILL"),
        ("sys.exit('no room')", "exit code 1; the last it wrote to stderr:\nno room"),
    ],
)
def test_how_it_ended_is_told_in_words(interpreter: object, end: str, told: str) -> None:
    supervised = agent(interpreter, READS + end)
    assert supervised.wait() == told
    assert supervised.wait() == supervised.end(5) == told


def test_of_what_it_wrote_to_stderr_the_last_is_told(interpreter: object) -> None:
    told = agent(interpreter, READS + "sys.stderr.write('x' * 100_000 + 'the end')").wait()
    assert told.endswith("the end")
    assert len(told) < 2_200


def test_one_that_ends_before_it_reads_is_told_like_any_other(interpreter: object) -> None:
    assert agent(interpreter, "import sys; sys.exit(4)").wait() == "exit code 4"


def test_it_is_told_to_end_and_killed_if_it_does_not(interpreter: object, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "listens")
    for told, how in (("lambda *_: sys.exit(5)", "exit code 5"), ("signal.SIG_IGN", "signal SIGKILL")):
        ready = f"open({str(tmp_path / 'listens')!r}, 'w')"
        program = f"import signal, sys; signal.signal(signal.SIGTERM, {told}); {ready}\n"
        supervised = agent(interpreter, program + STAYS)
        open(tmp_path / "listens").close()
        with pytest.raises(TimeoutError, match=r"has not ended within 0.01 s"):
            supervised.wait(0.01)
        assert supervised.end(0.2 if "IGN" in told else 30) == how
    assert agent(interpreter, STAYS).end() == "signal SIGKILL"


def test_one_that_is_stopped_can_be_ended(interpreter: object) -> None:
    supervised = agent(interpreter, STAYS)
    os.kill(supervised.pid, signal.SIGSTOP)
    assert supervised.end(0.1) in ("signal SIGTERM", "signal SIGKILL")  # it has got both


async def test_its_end_can_be_awaited_by_many_and_by_threads_at_the_same_time(interpreter: object) -> None:
    supervised = agent(interpreter, STAYS)
    with ThreadPoolExecutor(3) as pool:
        in_threads = [pool.submit(supervised.wait) for _ in range(3)]
        on_the_loop = [asyncio.ensure_future(supervised.ended()) for _ in range(3)]
        await asyncio.sleep(0)
        assert not any(each.done() for each in on_the_loop)
        supervised.kill()
        assert await asyncio.gather(*on_the_loop) == ["signal SIGKILL"] * 3
        assert [each.result() for each in in_threads] == ["signal SIGKILL"] * 3
    assert await supervised.ended() == "signal SIGKILL"


async def test_who_no_longer_waits_for_its_end_leaves_nothing(interpreter: object) -> None:
    supervised = agent(interpreter, STAYS)
    waits = asyncio.ensure_future(supervised.ended())
    await asyncio.sleep(0)
    before = len(os.listdir("/proc/self/fd"))
    waits.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waits
    assert len(os.listdir("/proc/self/fd")) == before - 1
    supervised.end()


def test_nothing_is_left_open_of_one_that_has_ended_or_could_not_be_started(interpreter: object) -> None:
    before = len(os.listdir("/proc/self/fd"))
    agent(interpreter, STAYS).end()
    supervised = Supervised(LEASE, python="/no/such/python")
    with pytest.raises(FileNotFoundError):
        supervised.start()
    with pytest.raises(RuntimeError, match="was not started yet"):
        supervised.wait()
    assert len(os.listdir("/proc/self/fd")) == before


def test_one_is_started_once(interpreter: object) -> None:
    supervised = agent(interpreter, STAYS)
    with pytest.raises(RuntimeError, match="started already"):
        supervised.start()
    supervised.end()


def test_ctrl_c_in_a_terminal_does_not_reach_it(interpreter: object) -> None:
    supervised = agent(interpreter, STAYS)
    assert os.getsid(supervised.pid) == os.getpgid(supervised.pid) == supervised.pid
    supervised.end()


SUPERVISES = """
import os, signal, sys
from asyncflow.backends.carried.lease import Lease
from asyncflow.backends.carried.supervise import Supervised
supervised = Supervised(Lease(("127.0.0.1:1",), bytes(32)), python=sys.argv[1])
supervised.start()
{more}
print(supervised.pid, flush=True)
supervised.wait()
"""


@pytest.mark.parametrize(
    "more",
    [
        "",
        # A process that the program has forked, as a pool of multiprocessing does, and that lives on.
        "import warnings; warnings.simplefilter('ignore')\n"
        "if os.fork() == 0:\n    os.close(1); os.close(2); signal.pause()",
        "import threading; threading.Thread(target=supervised.wait, daemon=True).start()",
    ],
    ids=["alone", "with a fork", "with a thread"],
)
def test_it_does_not_outlive_whoever_has_started_it(interpreter: object, more: str) -> None:
    assert callable(interpreter)
    program = SUPERVISES.format(more=more)
    words = [sys.executable, "-c", program, interpreter(STAYS)]
    host = subprocess.Popen(words, stdout=subprocess.PIPE, process_group=0)
    assert host.stdout is not None
    try:
        pid = int(host.stdout.readline())
        pidfd = os.pidfd_open(pid)
        host.kill()
        host.wait()
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        assert poll.poll(20_000), "it is still there"
        os.close(pidfd)
    finally:
        try:
            os.killpg(host.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        host.stdout.close()


def test_the_command_finds_what_this_program_finds_and_nothing_in_the_current_directory_before_it() -> None:
    words = command()
    assert words[0] == sys.executable
    assert "-P" in words
    assert repr([folder for folder in sys.path]) in words[words.index("-c") + 1]
    assert "sys.path" not in " ".join(command("/usr/bin/python3"))
