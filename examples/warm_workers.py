"""Correct misspelt words by those that a folder of sources uses. Each worker process reads the folder once, before its
first word, and keeps what it has counted.

    python examples/warm_workers.py                   # some words
    python examples/warm_workers.py retrun improt     # words of yours
"""

import asyncio
import os
import re
import string
import sys
import sysconfig
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from asyncflow import WorkflowEngine, current, worker_local

FOLDER = Path(sysconfig.get_path("stdlib"), "email")
WORDS = ["adress", "charactr", "hedaer", "messge", "policy", "recieve", "retrun", "unkwown"]

engine = WorkflowEngine("process", workers=2)


class Corrected(NamedTuple):
    word: str
    by: str
    """The attempt and the process that has corrected it."""
    reads: int
    """How often that process has read the folder by then."""


@engine.resource
def vocabulary() -> Iterator[Counter[str]]:
    """How often each word is used. To count them takes as long as to correct hundreds."""
    worker_local.reads = getattr(worker_local, "reads", 0) + 1
    sources = (path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.py")))
    yield Counter(word for source in sources for word in re.findall("[a-z]+", source.lower()))
    print(f"process {os.getpid()} lets go of its words")


@engine.function_task
def correct(word: str, vocabulary: Counter[str] = vocabulary) -> Corrected:
    candidates = [word] if word in vocabulary else [each for each in edits(word) if each in vocabulary]
    best = max(candidates, key=lambda each: (vocabulary[each], each), default=word)
    me = current()
    return Corrected(best, f"{me.name}[{me.label}] in process {os.getpid()}", worker_local.reads)


def edits(word: str) -> set[str]:
    """What is one slip of the fingers away: a letter less, two swapped, another one, one more."""
    halves = [(word[:place], word[place:]) for place in range(len(word) + 1)]
    less = {left + right[1:] for left, right in halves if right}
    swapped = {left + right[1] + right[0] + right[2:] for left, right in halves if len(right) > 1}
    letters = string.ascii_lowercase
    other = {left + letter + right[1:] for left, right in halves if right for letter in letters}
    more = {left + letter + right for left, right in halves for letter in letters}
    return less | swapped | other | more


@engine.on_shutdown
def tell() -> None:
    """When all workers have ended, the report is complete."""
    print(f"{engine.report().counts['SUCCEEDED'] - 1} words corrected")  # one more is the block


@engine.block
async def main(words: list[str]) -> list[Corrected]:
    corrected = await asyncio.gather(*correct.map(words, label=str))
    for word, each in zip(words, corrected, strict=True):
        print(f"{word} -> {each.word}  ({each.by})")
    return corrected


if __name__ == "__main__":
    engine.run(main, sys.argv[1:] or WORDS)
