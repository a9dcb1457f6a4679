"""A program for a terminal: what it does waits for its tester, who opens gates.

Arguments: what to do ("all", "long", "prints"), then options of the engine's backend.
"""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
from pathlib import Path

from asyncflow import WorkflowEngine

what, backend = sys.argv[1], sys.argv[2]
engine = WorkflowEngine(backend=backend, workers=2, progress=True, grace=1.0)
HOSTILE = "evil\x1b[31m\x1b[2J\n\u202eright to left אבג 表計算表計算表計算 <b>" + "x" * 100
logging.basicConfig(stream=sys.stderr, format="%(message)s")


def wait_for(gate: str) -> None:
    with open(gate) as opened:
        opened.read()


@engine.function_task
def fit(number: int) -> int:
    if number % 10 == 3:
        raise ValueError(f"need 2 rows, got {number}\nand another line")
    return number


@engine.function_task
def hold(gate: str) -> None:
    wait_for(gate)


@engine.function_task
def talk(who: int, many: int) -> None:
    for number in range(many):
        print(f"line {number} of {who}, which is whole", flush=True)


def named(name: str) -> None:
    raise OSError("\x1b[2J\x1b[H wiped")


named.__name__ = named.__qualname__ = HOSTILE


@engine.block
async def main() -> None:
    if what == "all":
        first = [*fit.map(range(40)), engine.submit(named, "x")]
        await asyncio.gather(*first, return_exceptions=True)
        await asyncio.gather(hold("gate1"), *(fit(number) for number in range(1000, 1003)))
    elif what == "long":
        await asyncio.gather(*(hold("gate1") for _ in range(4)))
    else:
        talks = [talk(who, 40) for who in range(3)]
        log = logging.getLogger("mine")
        for number in range(20):
            log.warning("warning %d", number)
            print("printed in the program", number)
            await asyncio.sleep(0.01)
        await asyncio.gather(*talks)
        print("half a line, ", end="")
        thread = threading.Thread(target=print, args=("of a thread",))
        thread.start()
        thread.join()
        print("and its other half")
        if Path("gate1").exists():
            await hold("gate1")
        await asyncio.to_thread(subprocess.run, ["echo", "of a child"], check=True)


if __name__ == "__main__":
    engine.run(main)
