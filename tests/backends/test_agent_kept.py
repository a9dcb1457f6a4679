"""What an agent holds for its engine."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from asyncflow._worker import wire
from asyncflow.agent.kept import KeptHere, written


def kept_from(size: int | None) -> KeptHere:
    kept = KeptHere()
    kept.keep_from = size
    return kept


@pytest.mark.parametrize("size", [0, 99, 100, 10**12])
def test_what_the_task_says_goes_before_the_bound(size: int) -> None:
    kept = kept_from(100)
    assert kept.keeps(0, size) is (size >= 100)
    assert kept.keeps(wire.KEEP, size) is True
    assert kept.keeps(wire.BRINGS, size) is False
    assert kept_from(None).keeps(0, size) is False
    assert kept_from(None).keeps(wire.KEEP, size) is True


def test_what_is_let_go_is_closed_and_who_reads_it_reads_on() -> None:
    kept = kept_from(0)
    number = kept.keep(written(b"rows"))
    source = kept.source(number, ((wire.READ, 4),))
    assert source is not None
    kept.free([number, 12345])
    with pytest.raises(OSError):
        os.fstat(number)
    assert b"".join(bytes(data) for _, data in source.pieces(3)) == b"rows"
    assert kept.source(number, ((wire.READ, 4),)) is None


def test_it_asks_for_more_open_files_when_they_are_needed_and_keeps_no_more_than_it_gets() -> None:
    told = subprocess.run(
        [sys.executable, "-W", "error", "-c", _IN_A_PROCESS], capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == [str(610 - 512), "610", "True"]


_IN_A_PROCESS = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (600, 610))
from asyncflow.agent.kept import KeptHere, written
kept = KeptHere()
kept.keep_from = 0
many = 0
while kept.keeps(0, 1):
    kept.keep(written(b"1"))
    many += 1
print(many, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
kept.close()
print(kept.keeps(0, 1))
"""
