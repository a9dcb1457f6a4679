"""Words are counted on a Dask cluster that grows with the work, and what Dask has made is an argument of a task.

python examples/adaptive.py
"""

from __future__ import annotations

import logging
from collections import Counter

from asyncflow_dask import DaskBackend
from distributed import Client, LocalCluster

from asyncflow import WorkflowEngine

TEXTS = ["the quick brown fox", "jumps over the lazy dog", "the end"]


def count(text: str) -> Counter[str]:
    return Counter(text.split())


def total(counts: list[Counter[str]], stop_words: set[str]) -> dict[str, int]:
    return {word: number for word, number in sorted(sum(counts, Counter()).items()) if word not in stop_words}


def main() -> None:
    with (
        LocalCluster(
            n_workers=0,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.ERROR,
        ) as cluster,
        Client(cluster) as client,
    ):
        cluster.adapt(minimum=0, maximum=2, interval="200 ms")
        stop_words = client.submit(set, ["the", "over"])  # stays on the cluster until a task needs it
        engine = WorkflowEngine(backend=DaskBackend(cluster, idle_after=1))
        count_words, add_up = engine.function_task(count), engine.function_task(total)

        @engine.block
        async def counted() -> dict[str, int]:
            return await add_up([count_words(text) for text in TEXTS], stop_words)

        print(engine.run(counted))


if __name__ == "__main__":  # LocalCluster starts its workers by importing this file
    main()
