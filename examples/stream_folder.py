"""Read a folder of any size through a stream: every text file becomes its most frequent words, a few at a time.

    python examples/stream_folder.py [FOLDER] [--window 50]

Without a folder, it reads a part of the standard library's own source. Files are found while others are read; what was
begun is finished first, and no more than a window of files is under way, however many there are.
"""

from __future__ import annotations

import argparse
import asyncio
import sysconfig
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from asyncflow import Skip, WorkflowEngine

engine = WorkflowEngine()


@engine.function_task
def text_files(folder: Path) -> Iterator[Path]:
    """Find files, one after another: a generator that runs in a worker, a slice at a time."""
    for path in sorted(folder.rglob("*.py")):
        if path.is_file():
            yield path


@engine.function_task
def read(path: Path) -> str:
    text = path.read_text(errors="replace")
    if not text.strip():
        raise Skip("nothing is in it")
    return text


@engine.function_task
def count(text: str) -> Counter[str]:
    return Counter(word for word in text.split() if word.isalpha() and len(word) > 4)


@engine.block
async def words(path: Path) -> Counter[str]:
    """One file through the graph."""
    return await count(read(path))


async def main(folder: Path, window: int) -> None:
    total: Counter[str] = Counter()
    async with engine, words.stream(text_files(folder), window=window, errors="collect") as results:
        async for found in results:
            total += found
            if results.counts.given % 500 == 0:
                print(results.counts)
        print(results.counts)
    for word, times in total.most_common(5):
        print(f"{word:12} {times:,}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path(sysconfig.get_paths()["stdlib"]) / "json"
    )
    parser.add_argument("--window", type=int, default=50, help="files that may be under way")
    args = parser.parse_args()
    asyncio.run(main(args.folder, args.window))
