"""The command line: ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
from pathlib import Path
from time import perf_counter
from typing import Any, cast

import asyncflow

from .measuring import Options, Part, Row
from .tables import as_text

PARTS = (
    "shapes",
    "ledger",
    "metg",
    "scale",
    "heartbeat",
    "arrays",
    "startup",
    "idle",
    "memory",
    "order",
    "spawn",
    "staging",
    "recording",
    "live",
    "policies",
    "streams",
    "agents",
    "serve",
    "others",
    "executors",
    "clusters",
)


def machine() -> dict[str, Any]:
    """What a reader has to know of where the numbers come from; nothing that tells whose it is."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cores": usable,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": platform.system(),
        "architecture": platform.machine(),
        "load_before": round(os.getloadavg()[0], 2),
        "asyncflow": asyncflow.__version__,
    }


def run_part(name: str, options: Options) -> tuple[dict[str, list[Row]], str | None]:
    """Run one part and print its tables; also what it had measured when it broke, if it did."""
    part = cast(Part, importlib.import_module(f".{name}", __package__))
    print(f"\n== {name}: {part.NOTE}", flush=True)
    began, tables = perf_counter(), dict[str, list[Row]]()
    broken = None
    try:
        for title, row in part.measure(options):
            tables.setdefault(title, []).append(row)
            # or one would not know whether it hangs
            print(f"  ... {' '.join(map(str, list(row.values())[:1]))}", file=sys.stderr, flush=True)
    except Exception as error:  # the other parts are still worth their while
        broken = f"{type(error).__name__}: {error}"
    for title, rows in tables.items():
        print(f"\n{as_text(title, rows)}")
    if broken:
        print(f"\n{name} broke off: {broken}")
    print(f"\n({name} took {perf_counter() - began:.0f} s)", flush=True)
    return tables, broken


def main() -> int:
    """Measure what was asked for.

    Returns:
        The exit code: 1 if something could not be measured that should have been. A missed target is a result.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="What asyncflow costs.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="the same as --only")
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="NAME", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--repeat", type=int, help="repetitions, in turns (default: 5; quick: 3)")
    parser.add_argument("--n", type=int, help="tasks in a graph (default: 20000; quick: 2000)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers there, samples included")
    parser.add_argument("--quick", action="store_true", help="smaller throughout: does it run at all?")
    parser.add_argument(
        "--beside", metavar="DIR", help="policies: compare with the version there, where no task has a policy"
    )
    given = parser.parse_args()
    options = Options(
        repeat=given.repeat or (3 if given.quick else 5),
        n=given.n or (2_000 if given.quick else 20_000),
        quick=given.quick,
        beside=given.beside,
    )
    names = [*given.names, *(given.only or ())] or PARTS
    if unknown := [name for name in names if name not in PARTS]:
        parser.error(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if options.repeat < 1 or options.n < 200:
        parser.error("--repeat takes 1 or more, --n 200 or more")

    facts = machine()
    print(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items()))
    told: dict[str, Any] = {"machine": facts, "options": vars(options), "parts": {}, "broken": {}}
    for name in names:
        told["parts"][name], broken = run_part(name, options)
        if broken:
            told["broken"][name] = broken
        if given.json:  # after each part: an hour's work should survive a Ctrl-C
            given.json.write_text(json.dumps(told, indent=1) + "\n")
    failed = [
        row
        for tables in told["parts"].values()
        for rows in tables.values()
        for row in rows
        if "failed" in row
    ]
    return 1 if failed or told["broken"] else 0


if __name__ == "__main__":
    sys.exit(main())
