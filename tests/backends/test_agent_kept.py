"""What an agent holds for its engine."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from asyncflow._worker import wire
from asyncflow.agent.kept import KeptHere, written
from asyncflow.agent.memory import usable_memory

PAGE = resource.getpagesize()


def kept_from(size: int | None) -> KeptHere:
    kept = KeptHere()
    kept.keep_from = size
    kept.bound(10**13, 1)
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


def test_beyond_the_bound_nothing_is_kept_until_something_is_let_go() -> None:
    kept = kept_from(1)
    kept.bound(3 * PAGE, 1)
    assert kept.keeps(0, 3 * PAGE) and not kept.keeps(0, 3 * PAGE + 1)
    first = kept.keep(written(bytes(2 * PAGE)))
    assert kept.keeps(0, PAGE) and not kept.keeps(0, PAGE + 1)
    kept.keep(written(b"a little takes a page"))
    for flags in (0, wire.KEEP):
        assert not kept.keeps(flags, 1)
    assert not kept.keeps(wire.KEEP, 0)  # a small one, of which the size was not looked at
    copy = kept.keep(written(bytes(PAGE)))  # which a task here needs
    kept.free([first])
    assert not kept.keeps(0, PAGE + 1) and kept.keeps(0, PAGE)
    kept.free([copy, copy])
    assert kept.keeps(wire.KEEP, 2 * PAGE)
    kept.close()
    assert kept.keeps(0, 3 * PAGE)


def test_nothing_is_kept_where_nothing_may_be() -> None:
    kept = kept_from(0)
    kept.bound(0, 1)
    assert not kept.keeps(0, 1) and not kept.keeps(wire.KEEP, 0)


def test_unless_said_it_is_a_share_of_the_memory_that_there_is() -> None:
    kept = kept_from(0)
    kept.bound(None, 2)
    memory = usable_memory()
    assert 0 < memory <= os.sysconf("SC_PHYS_PAGES") * PAGE
    assert kept.keeps(0, memory // 5) and not kept.keeps(0, memory // 3)


@pytest.mark.parametrize(
    ("cgroup", "files", "most"),
    [
        ("0::/", {}, 8 << 30),
        ("0::/", {"memory.max": "max"}, 8 << 30),
        ("0::/job/step", {"job/step/memory.max": "max", "job/memory.max": str(2 << 30)}, 2 << 30),
        ("0::/job/step", {"job/step/memory.max": str(1 << 30), "job/memory.max": str(2 << 30)}, 1 << 30),
        ("0::/outside/docker-1", {"memory.max": str(3 << 30)}, 3 << 30),
        ("4:memory:/job\n0::/", {"memory/job/memory.limit_in_bytes": str(1 << 30)}, 1 << 30),
        ("4:cpu,memory:/job", {"memory/memory.limit_in_bytes": str(1 << 62)}, 8 << 30),
        ("3:cpu:/job", {"cpu/job/memory.limit_in_bytes": "1"}, 8 << 30),
    ],
)
def test_the_memory_is_that_of_the_machine_or_what_a_control_group_may_have(
    tmp_path: Path, cgroup: str, files: dict[str, str], most: int
) -> None:
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "meminfo").write_text(f"MemTotal:  {8 << 20} kB\nMemFree:  1 kB\n")
    (tmp_path / "proc" / "self" / "cgroup").write_text(f"{cgroup}\n")
    for name, text in files.items():
        (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / name).write_text(f"{text}\n")
    assert usable_memory(tmp_path / "proc", tmp_path / "groups") == most


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
