"""What takes too long is stopped, with the stacks of all threads."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import tempfile
import threading

import pytest

from asyncflow.testing import TookTooLong, deadline

SOON = 0.5  # seconds; less, and on a busy machine they pass before the hanging begins


def wait_for_ever() -> None:
    threading.Event().wait()


def run_for_ever() -> None:
    while True:
        pass


def await_for_ever() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    asyncio.run(main())


@pytest.mark.parametrize("hang", [wait_for_ever, run_for_ever, await_for_ever])
def test_what_hangs_is_stopped_and_the_stacks_are_shown(hang: object) -> None:
    assert callable(hang)
    with tempfile.TemporaryFile("w+") as file:
        with pytest.raises(TookTooLong, match=r"not over after 0\.5 s"), deadline(SOON, file=file):
            hang()
        file.seek(0)
        assert f"in {hang.__name__}" in file.read()


def test_every_thread_is_shown() -> None:
    release = threading.Event()

    def bystander() -> None:
        release.wait()

    thread = threading.Thread(target=bystander)
    thread.start()
    with tempfile.TemporaryFile("w+") as file:
        with pytest.raises(TookTooLong), deadline(SOON, file=file):
            wait_for_ever()
        file.seek(0)
        assert "in bystander" in file.read()
    release.set()
    thread.join()


def test_what_is_over_in_time_is_left_alone() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with deadline(60):
        pass
    assert signal.getsignal(signal.SIGALRM) == before


def test_an_exception_passes_through() -> None:
    with pytest.raises(ZeroDivisionError), deadline(60):
        raise ZeroDivisionError


def test_the_deadline_around_another_still_holds_after_it() -> None:
    with (
        tempfile.TemporaryFile("w") as file,
        pytest.raises(TookTooLong, match=r"after 0\.2 s"),
        deadline(0.2, file=file),
    ):
        with deadline(60, file=file):
            pass
        wait_for_ever()


def test_a_stop_that_the_code_catches_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asyncflow.testing.deadlines._AGAIN", SOON)
    caught = 0
    with tempfile.TemporaryFile("w") as file, pytest.raises(TookTooLong), deadline(SOON, file=file):
        while True:
            try:
                wait_for_ever()
            except TookTooLong:
                caught += 1
                if caught == 3:
                    raise


@pytest.mark.parametrize("where", ["in C", "on another thread"])
def test_a_process_that_cannot_be_stopped_is_ended(where: str) -> None:
    script = f"""if True:
        import ctypes, signal, threading
        from asyncflow.testing import deadline, deadlines
        deadlines._END = 0.05
        def hang():
            with deadline(0.05):
                threading.Event().wait()
        if {where!r} == "in C":
            signal.pthread_sigmask(signal.SIG_BLOCK, {{signal.SIGALRM}})
            with deadline(0.05):
                ctypes.PyDLL(None).pause()  # holds the interpreter, so that no handler runs either
        thread = threading.Thread(target=hang)
        thread.start()
        thread.join()
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False, timeout=30)
    assert done.returncode == 1
    assert b"Timeout" in done.stderr


def test_a_report_that_pytest_makes_of_a_failure_is_not_cut_off() -> None:
    def pytest_runtest_makereport() -> None:
        signal.raise_signal(signal.SIGALRM)

    with tempfile.TemporaryFile("w") as stacks, deadline(60, file=stacks):
        pytest_runtest_makereport()
        with pytest.raises(TookTooLong):
            signal.raise_signal(signal.SIGALRM)
