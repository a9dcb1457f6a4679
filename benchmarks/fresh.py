"""Runs a function in an interpreter of its own, so that one measurement leaves nothing behind for the next.

It runs in a session of its own and with a mark in its environment, too: whatever it has started can be ended with it if
it hangs, also what has left the session.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

from asyncflow._worker.watch import kill_marked

from . import processes

ROOT = Path(__file__).resolve().parent.parent
_MARKED = "ASYNCFLOW_BENCHMARK"
_MARK = "benchmarks result: "  # what others print on the same stream does not begin like this
_SO_FAR = "benchmarks so far: "
_SHOWN = 2_000  # characters of what a failed run wrote to stderr


class Failed(Exception):
    """The function raised, or did not come back. The text is for a table.

    Attributes:
        so_far: what it had told with `tell` by then; None for nothing.
    """

    def __init__(self, text: str, so_far: Any = None) -> None:
        super().__init__(text)
        self.so_far = so_far


def tell(value: Any) -> None:
    """Say what is known so far, in case that the end does not come."""
    print(f"\n{_SO_FAR}{json.dumps(value)}", flush=True)


def run(
    fn: Callable[..., Any],
    *args: Any,
    timeout: float = 900,
    watch: bool = False,
    environment: dict[str, str] | None = None,
) -> Any:
    """Run a function.

    Args:
        fn: at the top of a module; what it takes and returns must go through JSON.
        args: its arguments.
        timeout: seconds.
        watch: also tell the peak of the memory that it and its workers held.
        environment: variables to add.

    Returns:
        What it returned; with ``watch``, that and the peak in bytes (None where it cannot be told).

    Raises:
        Failed: it did not return.
    """
    command = [sys.executable, "-m", "benchmarks.fresh", fn.__module__, fn.__qualname__, json.dumps(args)]
    mark = uuid4().hex
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | (environment or {}) | {_MARKED: mark},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        try:
            peak = _until_end(child, timeout, watch)
        except subprocess.TimeoutExpired:
            result = _found_in(_text(out), _MARK)
            what = "has told its result, but did not end within" if result else "not over after"
            raise Failed(f"{what} {timeout:g} s", _found_in(_text(out), _SO_FAR)) from None
        finally:
            _end(child, mark)
        result = _found_in(_text(out), _MARK)
        if result is None or "error" in result:
            errors = _text(err)
            sys.stderr.write(errors[-_SHOWN:])
            text = result["error"] if result else f"ended with exit code {child.returncode}"
            raise Failed(text, _found_in(_text(out), _SO_FAR))
    return (result["value"], peak) if watch else result["value"]


def _until_end(child: subprocess.Popen[bytes], timeout: float, watch: bool) -> int | None:
    if not watch or not processes.TOLD:
        child.wait(timeout)
        return None
    peak, end, holdings = 0, monotonic() + timeout, processes.Holdings()
    while monotonic() < end:
        peak = max(peak, holdings.of_tree(child.pid))
        try:
            child.wait(0.01)
        except subprocess.TimeoutExpired:
            continue
        return peak
    raise subprocess.TimeoutExpired(child.args, timeout)


def _end(child: subprocess.Popen[bytes], mark: str) -> None:
    """End the whole session, and what has left it; a no-op if all of it has ended."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    child.wait()
    if processes.TOLD:
        while kill_marked(f"{_MARKED}={mark}".encode(), badge=mark, group=""):
            sleep(0.05)


def _text(file: Any) -> str:
    file.seek(0)
    return str(file.read().decode(errors="replace"))


def _found_in(output: str, mark: str) -> Any:
    lines = [line for line in output.splitlines() if line.startswith(mark)]
    return json.loads(lines[-1].removeprefix(mark)) if lines else None


def _main(module: str, name: str, args: str) -> None:
    try:
        result = {"value": getattr(importlib.import_module(module), name)(*json.loads(args))}
    except Exception as error:
        traceback.print_exc()
        result = {"error": f"{type(error).__name__}: {error}".partition("\n")[0][:150]}
    print(f"\n{_MARK}{json.dumps(result)}", flush=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])
