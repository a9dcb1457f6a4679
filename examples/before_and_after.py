"""A search for the best fit of a noisy curve: planned and checked before anything runs, and explained when it is over.

python examples/before_and_after.py [--backend process] [--journal run.jsonl] [--trace trace.json]
"""

from __future__ import annotations

import argparse
import json
import math
import random
from dataclasses import dataclass
from typing import Any

from asyncflow import WorkflowEngine


@dataclass
class Fit:
    """A polynomial, and how far it is off on points that it has not seen."""

    coefficients: list[float]
    error: float


def load(seed: int, count: int) -> list[tuple[float, float]]:
    """Points of a curve, with noise."""
    chance = random.Random(seed)
    return [
        (x, math.sin(3 * x) + chance.gauss(0, 0.1)) for x in (2 * chance.random() - 1 for _ in range(count))
    ]


def fit(points: list[tuple[float, float]], degree: int, rounds: int = 400) -> Fit:
    """Coefficients by gradient descent: slow, so that there is something to wait for."""
    train, test = points[::2], points[1::2]
    found = [0.0] * (degree + 1)
    for _ in range(rounds):
        slope = [0.0] * len(found)
        for x, y in train:
            off = sum(each * x**power for power, each in enumerate(found)) - y
            for power in range(len(slope)):
                slope[power] += 2 * off * x**power / len(train)
        found = [each - 0.3 * step for each, step in zip(found, slope, strict=True)]
    squares = [(sum(each * x**power for power, each in enumerate(found)) - y) ** 2 for x, y in test]
    return Fit(found, sum(squares) / len(squares))


def best(fits: list[Fit]) -> Fit:
    """The one that is off least."""
    return min(fits, key=lambda each: each.error)


def searching(engine: WorkflowEngine) -> Any:
    """The workflow, on an engine.

    Args:
        engine: where its tasks run.
    """
    load_points = engine.function_task(expected=0.01)(load)
    fit_curve = engine.function_task(expected=0.5)(fit)
    best_of = engine.function_task(best)

    @engine.block
    async def search(degrees: list[int]) -> Fit:
        points = load_points(7, 300)
        found = await best_of([fit_curve(points, degree) for degree in degrees])  # in parallel
        rounds = 400
        while found.error > 0.012 and rounds < 3000:  # plain Python decides what comes next
            rounds *= 2
            found = await fit_curve(points, len(found.coefficients) - 1, rounds)
        return found

    return search


def main() -> None:
    """Plan, check, run, report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backend", default="process")
    parser.add_argument("--journal", help="a file to which what happens is written")
    parser.add_argument("--trace", help="a file for ui.perfetto.dev")
    given = parser.parse_args()

    engine = WorkflowEngine(given.backend, workers=2, journal=given.journal)
    search = searching(engine)
    plan = engine.run(engine.plan(search, [1, 3, 5, 7]))
    print(plan.check())
    print(plan.limits(workers=2))

    found = engine.run(search, [1, 3, 5, 7])
    print(f"\nA polynomial of degree {len(found.coefficients) - 1} is off by {found.error:.3f}\n")

    report = engine.report()
    print(report)
    took = plan.with_durations(report.durations)
    print(f"\nOn 4 workers it would take {took.makespan(4):.2f} s, if tasks take what they have taken here.")
    if given.trace:
        with open(given.trace, "w") as file:
            json.dump(report.to_chrome_trace(), file)


if __name__ == "__main__":
    main()
