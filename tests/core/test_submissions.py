"""The jobs of a service: never more at once than may run, each id once, each job answered, none kept for ever."""

from __future__ import annotations

from operator import eq

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow._core.submissions import (
    CANCELLED,
    CANCELLING,
    FAILED,
    OVER,
    QUEUED,
    RUNNING,
    SUCCEEDED,
    Closed,
    Conflict,
    Full,
    Submission,
    Submissions,
)


def made(concurrency: int = 1, queue: int = 1, keep: float = 10.0, keep_most: int = 3) -> Submissions:
    return Submissions(concurrency, queue, keep, keep_most, eq)


@given(st.integers(1, 3), st.integers(0, 3), st.data())
def test_whatever_happens_no_more_run_than_may_and_each_job_has_one_end(
    concurrency: int, queue: int, data: st.DataObject
) -> None:
    jobs = made(concurrency, queue, keep=5.0, keep_most=4)
    known: dict[str, Submission] = {}
    running: list[Submission] = []
    ends: dict[int, str] = {}
    now = 0.0

    def over(job: Submission, state: str) -> None:
        assert id(job) not in ends
        ends[id(job)] = state
        keep_alive.append(job)

    keep_alive: list[Submission] = []
    for _ in range(data.draw(st.integers(0, 60))):
        now += data.draw(st.sampled_from([0.0, 0.5, 3.0]))
        way = data.draw(st.sampled_from(["submit", "submit", "end", "cancel", "expire", "close"]))
        if way == "submit":
            name = data.draw(st.sampled_from("abcdef"))
            arguments = data.draw(st.sampled_from([1, 2]))
            try:
                job = jobs.submit(name, arguments)
            except Conflict:
                assert known[name].arguments != arguments
            except Closed:
                assert jobs.is_closed and name not in known
            except Full:
                assert jobs.running == concurrency and jobs.waiting == queue
            else:
                assert known.setdefault(name, job) is job
        elif way == "end" and running:
            job = running.pop(data.draw(st.integers(0, len(running) - 1)))
            state = CANCELLED if job.state == CANCELLING else data.draw(st.sampled_from([SUCCEEDED, FAILED]))
            jobs.end(job, state, now)
            over(job, state)
        elif way == "cancel" and known:
            job = known[data.draw(st.sampled_from(sorted(known)))]
            was = job.state
            assert jobs.cancel(job, now) is (was in {RUNNING, CANCELLING})
            if was == QUEUED:
                over(job, CANCELLED)
        elif way == "expire":
            jobs.expire(now)
        elif way == "close" and data.draw(st.booleans()):
            for job in jobs.close(now):
                over(job, CANCELLED)
        running += jobs.begin(now)
        for name in jobs.forgotten:
            assert known.pop(name).state in OVER and jobs.was_there(name)
        jobs.forgotten.clear()
        assert jobs.running == len(running) <= concurrency
        assert jobs.waiting <= queue and jobs.kept <= 4
        assert len(known) == jobs.running + jobs.waiting + jobs.kept
        assert jobs.waiting == 0 or jobs.running == concurrency
    while running:
        job = running.pop()
        jobs.end(job, SUCCEEDED, now)
        over(job, SUCCEEDED)
        running += jobs.begin(now)
    assert jobs.waiting == 0 and all(job.state in OVER for job in known.values())


def test_a_job_is_kept_for_its_time_and_then_known_to_have_been_there() -> None:
    jobs = made()
    job = jobs.submit("a", 1)
    assert jobs.begin(0.0) == [job] and not jobs.was_there("a")
    jobs.end(job, SUCCEEDED, 2.0)
    assert jobs.next_expiry() == 12.0
    jobs.expire(11.9)
    assert jobs.submit("a", 1) is job
    jobs.expire(12.0)
    assert jobs.forgotten == ["a"] and jobs.was_there("a") and not jobs.was_there("b")
    assert jobs.submit("a", 2) is not job


def test_a_full_service_says_when_to_come_again_by_what_jobs_have_taken() -> None:
    jobs = made(concurrency=2, queue=0)
    for name in "ab":
        jobs.submit(name, name)
    for job in jobs.begin(0.0):
        jobs.end(job, SUCCEEDED, 8.0)
    for name in "cd":
        jobs.submit(name, name)
        jobs.begin(8.0)
    with pytest.raises(Full) as caught:
        jobs.submit("e", "e")
    assert caught.value.args == (4.0,)


def test_what_is_abandoned_is_cancelled_and_makes_room() -> None:
    jobs = made(concurrency=1, queue=1)
    open_ = [jobs.submit("a", 1), jobs.submit("b", 2)]
    jobs.begin(1.0)
    assert {job.id for job in jobs.abandon(2.0)} == {"a", "b"}
    assert {job.state for job in open_} == {CANCELLED} and (jobs.running, jobs.waiting, jobs.kept) == (
        0,
        0,
        2,
    )
    later = jobs.submit("c", 3)
    assert jobs.begin(3.0) == [later]
