"""`explain` tells where a task stands and why, for every state there is; `called_at`, where its user called it."""

from __future__ import annotations

import sys
from types import CodeType

import pytest

from asyncflow._core.lanes import Lane
from asyncflow._core.story import called_at, explain
from asyncflow._core.task import Task

from .kit import Bench, PlainTask, definition

BROKEN = ValueError("need 2 rows")


def told(task: Task, *dependencies: Task) -> str:
    """The reason, without the name before it; the rest of the story is the same for all."""
    first, second, *_, third = explain(task, dependencies).splitlines()
    assert first.startswith(f"'{task.name}' (#{task.id}) ")
    assert second in ("  called at an unknown place", "  called at an unknown place, as fit(1, 2, degree=3)")
    assert third.startswith("  story: PENDING") and third.endswith(task.state)
    return first.removeprefix(f"'{task.name}' (#{task.id}) ")


def test_a_story_tells_every_step() -> None:
    bench = Bench()
    task = bench.run()
    bench.scheduler.succeeded(task)
    assert explain(task) == (
        "'fit' (#1) succeeded on backend 'thread'\n"
        "  called at an unknown place\n"
        "  story: PENDING -> READY -> SUBMITTED -> RUNNING -> SUCCEEDED"
    )


# -- waiting ----------------------------------------------------------------------------------------------


def test_a_waiting_task_names_what_it_waits_for_and_where_that_stands() -> None:
    bench = Bench()
    done, loaded = bench.run(), bench.run(name="load")
    cleaned = bench.call(loaded, name="clean")
    task = bench.call(done, loaded, cleaned)
    assert told(task, done, loaded, cleaned) == (
        "waits for 3 of 3 dependencies: fit (#1, RUNNING), load (#2, RUNNING), clean (#3, PENDING)"
    )
    bench.scheduler.succeeded(done)
    assert (
        told(task, done, loaded, cleaned)
        == "waits for 2 of 3 dependencies: load (#2, RUNNING), clean (#3, PENDING)"
    )


def test_a_dependency_that_is_named_twice_is_told_once() -> None:
    bench = Bench()
    first = bench.run()
    assert told(bench.call(first, first), first, first) == "waits for 1 of 1 dependencies: fit (#1, RUNNING)"


def test_of_many_dependencies_the_first_few_are_named() -> None:
    bench = Bench()
    above = [bench.call() for _ in range(8)]
    expected = ", ".join(f"fit (#{number}, READY)" for number in range(1, 6))
    assert told(bench.call(*above), *above) == f"waits for 8 of 8 dependencies: {expected}, and 3 more"


@pytest.mark.parametrize("end", ["failed", "cancel"])
def test_a_waiting_task_that_will_not_run_says_so(end: str) -> None:
    bench = Bench()
    bad, slow = bench.run(name="load"), bench.run()
    task = bench.call(bad, slow)
    bench.scheduler.failed(bad, BROKEN) if end == "failed" else bench.scheduler.cancel(bad)
    assert told(task, bad, slow) == (
        "waits for 1 of 2 dependencies: fit (#2, RUNNING); it will not run, because 'load' (#1) gave no result"
    )


def test_a_task_that_was_given_back_with_its_chain_waits_for_what_was_before_it() -> None:
    bench = Bench()
    bench.lane = Lane("backend 'process'", links=True)
    first = bench.call()
    second = bench.call(first)
    bench.take()
    assert told(second) == "was handed to backend 'process' together with what it waits for"
    bench.scheduler.given_back(second)
    assert told(second) == "waits for what was before it in a chain"


# -- ready and under way ----------------------------------------------------------------------------------


def test_a_ready_task_says_where_it_goes() -> None:
    assert told(Bench().call()) == "could run; it goes to backend 'thread' next"


def test_a_task_that_is_held_by_a_limit_names_the_limit() -> None:
    bench = Bench(capacity=2)
    bench.run(), bench.run()
    assert told(bench.call()) == "could run; workers=2 holds it: 2 are running"


def test_a_task_that_its_backend_has_no_need_of_yet_says_what_is_before_it() -> None:
    bench = Bench(capacity=2)
    bench.lane.limit = ""
    bench.run(), bench.run(), bench.call()
    assert told(bench.call()) == "could run; backend 'thread' has 3 others to run first"


def test_a_task_whose_files_are_on_their_way_says_so() -> None:
    bench = Bench()
    bench.lane = Lane("backend 'thread'", 1, leads_to=bench.lane)
    assert told(bench.call()) == "could run on backend 'thread', but for staging: its files are being brought"


def test_a_submitted_task_says_who_has_it() -> None:
    bench = Bench()
    task = bench.call()
    bench.take()
    assert told(task) == "was handed to backend 'thread', which has not begun it"


def test_a_running_task_says_where() -> None:
    assert told(Bench().run()) == "runs on backend 'thread'"


def test_a_running_block_counts_what_is_not_over_inside_and_what_it_returned() -> None:
    bench = Bench()
    block = bench.run(is_block=True)
    first, second = bench.call(owner=block), bench.call(owner=block)
    assert told(block) == "runs on backend 'thread'; tasks inside that are not over: 2"
    bench.scheduler.returned_futures(block, [first])
    bench.scheduler.cancel(second)
    assert told(block) == (
        "runs on backend 'thread'; of what it returned, not over: 1; tasks inside that are not over: 1"
    )


# -- being stopped ----------------------------------------------------------------------------------------


def test_cancelled_work_that_still_runs_says_so() -> None:
    bench = Bench()
    task = bench.run()
    bench.scheduler.cancel(task)
    assert told(task) == "was cancelled; its work on backend 'thread' has not stopped yet"


def test_a_cancelled_block_counts_what_still_runs_inside() -> None:
    bench = Bench()
    block = bench.run(is_block=True)
    bench.run(owner=block)
    bench.scheduler.cancel(block)
    assert told(block) == (
        "was cancelled; its work on backend 'thread' has not stopped yet; tasks inside that are not over: 1"
    )


def test_work_that_ran_out_of_time_and_still_runs_says_both() -> None:
    bench = Bench()
    task = bench.run()
    bench.scheduler.timed_out(task, TimeoutError("longer than 30 s"))
    assert told(task) == (
        "failed: TimeoutError: longer than 30 s; its work on backend 'thread' has not stopped yet"
    )


def test_a_task_behind_a_failure_in_a_chain_says_who_still_has_it() -> None:
    bench = Bench()
    bench.lane = Lane("backend 'process'", links=True)
    first = bench.call(name="load")
    second = bench.call(first)
    bench.take()
    bench.scheduler.failed(first, BROKEN)
    assert told(second) == "did not run, because of load (#1); backend 'process' has not given it back yet"


# -- over -------------------------------------------------------------------------------------------------


def test_a_failed_task_tells_its_error_in_short() -> None:
    bench = Bench()
    task = bench.run()
    bench.scheduler.failed(task, ValueError("need 2 rows\n" + "and more" * 1_000))
    assert told(task).startswith("failed on backend 'thread': ValueError: need 2 rows")
    assert len(told(task)) < 500


def test_a_cancelled_task_says_so() -> None:
    bench = Bench()
    task = bench.call()
    bench.scheduler.cancel(task)
    assert told(task) == "was cancelled"


def test_a_task_that_did_not_run_names_its_root_causes() -> None:
    bench = Bench()
    load, cancelled = bench.run(name="load"), bench.run(name="read")
    task = bench.call(bench.call(load, name="clean"), cancelled)
    bench.scheduler.cancel(cancelled)
    bench.scheduler.failed(load, BROKEN)
    assert task.state == "UPSTREAM_FAILED"
    assert told(task) == "did not run, because of load (#1), read (#2)"


def test_a_task_that_was_cancelled_because_of_others_names_them() -> None:
    bench = Bench()
    first = bench.run(name="load")
    task = bench.call(first)
    bench.scheduler.cancel(first)
    assert task.state == "CANCELLED"
    assert told(task) == "did not run, because of load (#1)"


def test_of_many_root_causes_the_first_few_are_named() -> None:
    bench = Bench()
    above = [bench.run() for _ in range(8)]
    task = bench.call(*above)
    for each in above:
        bench.scheduler.failed(each, BROKEN)
    expected = ", ".join(f"fit (#{number})" for number in range(1, 6))
    assert told(task) == f"did not run, because of {expected} and 3 more"


def test_a_skipped_task_says_why() -> None:
    bench = Bench()
    task = bench.run(name="check")
    after = bench.call(task)
    bench.scheduler.skipped(task, "no rows")
    assert told(task) == "has raised Skip: no rows"
    assert told(after) == "was skipped with check (#1), no rows"


# -- where it was called ----------------------------------------------------------------------------------


def where() -> tuple[CodeType, int]:
    frame = sys._getframe(1)
    return frame.f_code, frame.f_lasti


def task_called_at(code: CodeType | None, instruction: int) -> Task:
    return PlainTask(1, definition(), Lane("backend 'thread'"), (), {}, code=code, at=instruction)


def test_a_task_knows_the_line_that_called_it() -> None:
    line = sys._getframe().f_lineno + 1
    here = where()
    assert called_at(task_called_at(*here)) == (
        f"{__file__}:{line}, in test_a_task_knows_the_line_that_called_it"
    )
    assert f"  called at {__file__}:{line}, in " in explain(task_called_at(*here))


def test_of_two_calls_in_one_function_each_knows_its_own_line() -> None:
    first = where()

    second = where()
    assert first[0] is second[0]
    lines = [called_at(task_called_at(*each)).split(":")[-1].split(",")[0] for each in (first, second)]
    assert int(lines[1]) == int(lines[0]) + 2


def test_a_call_from_code_without_lines_is_where_its_function_begins() -> None:
    code, _ = where()
    bare = code.replace(co_linetable=b"")
    assert (
        called_at(task_called_at(bare, 0)) == f"{code.co_filename}:{code.co_firstlineno}, in {code.co_name}"
    )


def test_a_call_from_nowhere_says_so() -> None:
    assert called_at(task_called_at(None, 0)) == "an unknown place"
