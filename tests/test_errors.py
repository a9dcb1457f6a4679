"""What errors say, what they carry, how large they grow, and that each survives being pickled."""

from __future__ import annotations

import builtins
import copy
import gc
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import asyncflow
from asyncflow import errors
from asyncflow._causes import brief
from asyncflow.errors import (
    AsyncflowError,
    Cause,
    CommandFailed,
    CommandNotFound,
    CommandNotStarted,
    GraphError,
    HiddenFuture,
    IdConflict,
    JobCancelled,
    OutputNotText,
    OutputTooLarge,
    RemoteError,
    ResultLost,
    RunStopped,
    ServiceClosed,
    ServiceDied,
    ServiceFull,
    ServiceNotReady,
    TaskCrashed,
    TaskSkipped,
    TaskTimeout,
    TooFewSucceeded,
    TooManyTasks,
    TypeMismatch,
    UnknownJob,
    UpstreamFailed,
    VersionMismatch,
    WiringError,
    WorkerDied,
)
from asyncflow.plan import Finding

NEED_ROWS = ValueError("need 2 rows")


def failed(number: int, name: str, error: Exception | None = NEED_ROWS, attempts: int = 1) -> Cause:
    return Cause(number, name, attempts, error)


def cancelled(number: int, name: str) -> Cause:
    return Cause(number, name, 0, None)


def skipped(number: int, name: str, reason: str = "no rows") -> Cause:
    return Cause(number, name, 1, None, skipped=reason)


def behind(number: int, name: str, *upstream: Cause) -> Cause:
    return Cause(number, name, 0, None, upstream)


def error_of(cause: Cause) -> UpstreamFailed:
    return UpstreamFailed(cause.task_id, cause.name, cause)


# -- UpstreamFailed: what it says -------------------------------------------------------------------------


def test_it_says_who_did_not_run_why_by_which_way_and_who_else() -> None:
    fit = failed(4, "fit", attempts=3)
    clean = behind(5, "clean", fit)
    plot = behind(7, "plot", clean)
    behind(8, "report", fit)
    assert str(error_of(plot)) == (
        "'plot' (#7) did not run: 'fit' (#4) failed, ValueError: need 2 rows.\n"
        "  fit (#4, 3 attempts) -> clean (#5) -> plot (#7)\n"
        "  Also not run for this reason: report (#8)."
    )


def test_what_stands_on_the_way_is_not_told_again_as_not_run() -> None:
    fit = failed(1, "fit")
    middle = behind(2, "clean", fit)
    last = behind(3, "plot", middle)
    assert str(error_of(last)).splitlines()[1:] == ["  fit (#1) -> clean (#2) -> plot (#3)"]
    # from the middle, the last is one of the others
    assert str(error_of(middle)).splitlines()[1:] == [
        "  fit (#1) -> clean (#2)",
        "  Also not run for this reason: plot (#3).",
    ]


def test_every_root_cause_is_told_with_its_own_way() -> None:
    first, second, third = failed(1, "load"), failed(2, "read", KeyError("x")), cancelled(3, "wait")
    task = behind(9, "join", behind(5, "clean", first), second, third)
    assert str(error_of(task)) == (
        "'join' (#9) did not run: 'load' (#1) failed, ValueError: need 2 rows; "
        "'read' (#2) failed, KeyError: 'x'; 'wait' (#3) was cancelled.\n"
        "  load (#1) -> clean (#5) -> join (#9)\n"
        "  read (#2) -> join (#9)\n"
        "  wait (#3) -> join (#9)"
    )


def test_what_failed_is_told_before_what_was_cancelled_and_that_before_what_was_skipped() -> None:
    task = behind(9, "join", skipped(1, "check"), cancelled(2, "wait"), failed(3, "load"))
    assert [root.name for root in task.firsts] == ["load", "wait", "check"]
    assert str(error_of(task)).splitlines()[0] == (
        "'join' (#9) did not run: 'load' (#3) failed, ValueError: need 2 rows; 'wait' (#2) was cancelled; "
        "'check' (#1) was skipped, no rows."
    )


def test_the_shortest_way_is_told() -> None:
    root = failed(1, "fit")
    detour = behind(3, "b", behind(2, "a", root))
    error = error_of(behind(5, "plot", detour, behind(4, "c", root)))
    assert [cause.name for cause in error.path(root)] == ["fit", "c", "plot"]
    assert "Also not run for this reason: a (#2), b (#3)." in str(error)


def test_the_way_begins_at_the_root_cause_and_ends_at_the_task() -> None:
    root = failed(1, "fit")
    task = behind(2, "plot", root)
    assert error_of(task).path(root) == [root, task]


def test_a_message_that_ends_as_a_sentence_gets_no_second_full_stop() -> None:
    for message in ("No such file.", "Really?", "Stop!"):
        told = str(error_of(behind(2, "plot", failed(1, "fit", OSError(message)))))
        assert told.splitlines()[0].endswith(f"'fit' (#1) failed, OSError: {message}")


def test_a_way_from_what_is_no_root_cause_is_refused() -> None:
    error = error_of(behind(2, "plot", failed(1, "fit")))
    with pytest.raises(ValueError, match=r"^other \(#9\) is not a root cause of 'plot' \(#2\)$"):
        error.path(failed(9, "other"))


def test_a_failure_is_told_before_cancellations_however_many() -> None:
    many = [cancelled(number, "wait") for number in range(1, 10)]
    error = error_of(behind(20, "join", *many, failed(10, "fit")))
    first, *ways = str(error).splitlines()
    assert first == (
        "'join' (#20) did not run: 'fit' (#10) failed, ValueError: need 2 rows; "
        + "; ".join(f"'wait' (#{number}) was cancelled" for number in range(1, 5))
        + "; and 5 more."
    )
    assert ways[0] == "  fit (#10) -> join (#20)"
    # all of them, in order of number, are there for whoever asks
    assert [root.task_id for root in error.root_causes] == list(range(1, 11))


def test_of_a_long_way_both_ends_are_told() -> None:
    cause = root = failed(1, "step")
    for number in range(2, 101):
        cause = behind(number, "step", cause)
    error = error_of(cause)
    ends = [f"step (#{number})" for number in (*range(1, 6), *range(96, 101))]
    assert str(error).splitlines()[1] == "  " + " -> ".join([*ends[:5], "... 90 more ...", *ends[5:]])
    assert len(error.path(root)) == 100
    assert "Also" not in str(error)


def test_of_many_others_the_first_few_are_named_and_the_rest_counted() -> None:
    root = failed(1, "fit")
    others = [behind(number, "plot", root) for number in range(2, 60)]
    named = ", ".join(f"plot (#{number})" for number in range(2, 7))
    assert str(error_of(others[-1])).endswith(f"  Also not run for this reason: {named}, and 52 more.")
    assert str(error_of(others[1])).endswith(
        "  Also not run for this reason: plot (#2), plot (#4), plot (#5), plot (#6), plot (#7), and 52 more."
    )


def test_others_of_which_no_name_was_kept_are_counted() -> None:
    cause = root = failed(1, "step")
    for number in range(2, 51):
        cause = behind(number, "step", cause)
    error = error_of(cause)
    for number in range(51, 59):
        behind(number, "plot", root)
    assert str(error).endswith("  Also not run for this reason: 8 tasks.")


# -- UpstreamFailed: what it carries ----------------------------------------------------------------------


def test_the_facts_are_attributes() -> None:
    root = failed(4, "fit", attempts=3)
    error = error_of(behind(7, "plot", root))
    assert (error.task_id, error.name, error.root_causes) == (7, "plot", (root,))
    assert (root.task_id, root.name, root.attempts, root.error) == (4, "fit", 3, NEED_ROWS)
    assert root.roots == root.firsts == (root,)


def test_root_causes_are_each_told_once_however_many_ways_lead_to_them() -> None:
    roots = [failed(number, "load") for number in (3, 1, 2)]
    left, right = behind(4, "left", *roots[:2]), behind(5, "right", *roots[1:])
    both = behind(6, "both", left, right)
    for _ in range(2):  # what was looked up once is kept
        assert [root.task_id for root in both.roots] == [1, 2, 3]
    assert [root.task_id for root in behind(7, "after", both, left).roots] == [1, 2, 3]
    assert behind(8, "link", both).roots is both.roots


def test_a_cause_is_shown_by_name_number_and_attempts() -> None:
    assert str(failed(4, "fit")) == "fit (#4)"
    assert str(failed(4, "fit", attempts=2)) == "fit (#4, 2 attempts)"
    assert str(behind(5, "plot", failed(4, "fit"))) == "plot (#5)"


def test_a_failure_is_let_go_as_soon_as_nobody_holds_its_cause() -> None:
    class Large(Exception):
        """As heavy as what its traceback holds."""

    error = Large()
    gone = weakref.ref(error)
    gc.disable()
    try:
        root = failed(1, "fit", error)
        task = behind(2, "plot", behind(3, "clean", root), root)
        assert task.roots == (root,)
        del error, root, task
        assert gone() is None
    finally:
        gc.enable()


# -- UpstreamFailed: how large it grows -------------------------------------------------------------------

MANY = 100_000


def test_a_message_about_100_000_root_causes_is_short() -> None:
    error = error_of(behind(MANY + 1, "join", *(failed(number, "load") for number in range(1, MANY + 1))))
    assert len(error.root_causes) == MANY
    assert "and 99995 more" in str(error)
    assert len(str(error)) < 1_000
    assert len(str(error).splitlines()) == 6


def test_a_message_at_the_end_of_a_way_of_100_000_is_short() -> None:
    cause = failed(1, "step")
    for number in range(2, MANY + 1):
        cause = behind(number, "step", cause)
    assert len(str(error_of(cause))) < 1_000


def test_a_message_about_a_failure_with_100_000_dependents_is_short() -> None:
    root = failed(1, "fit")
    for number in range(2, MANY + 1):
        last = behind(number, "plot", root)
    assert f"and {MANY - 7} more." in str(error_of(last))
    assert len(str(error_of(last))) < 1_000
    assert len(root.held_up) < 20


def test_a_message_about_a_huge_message_is_short() -> None:
    error = error_of(behind(2, "plot", failed(1, "fit", ValueError("x" * 10_000_000))))
    assert len(str(error)) < 1_000


def test_a_message_about_a_hostile_exception_is_still_a_message() -> None:
    error = error_of(behind(2, "plot", failed(1, "fit", Hostile())))
    assert "'fit' (#1) failed, Hostile: <its message cannot be shown: LookupError>" in str(error)


# -- the others -------------------------------------------------------------------------------------------


def test_a_timeout_says_what_ran_how_long_and_where() -> None:
    error = TaskTimeout(4, "fit", 30, "the event loop", True)
    assert str(error) == "'fit' (#4) ran longer than 30 s on the event loop; it was told to stop."
    assert (error.task_id, error.name, error.timeout, error.where, error.stoppable) == (
        4,
        "fit",
        30,
        "the event loop",
        True,
    )
    error = TaskTimeout(4, "fit", 0.25, "backend 'thread'", False)
    assert str(error) == (
        "'fit' (#4) ran longer than 0.25 s on backend 'thread'; it cannot be stopped there and keeps its slot."
    )
    error = TaskTimeout(4, "fit", 0.25, "backend 'sequential'", None)
    assert str(error) == (
        "'fit' (#4) ran longer than 0.25 s on backend 'sequential'; "
        "nothing can interrupt it there, so that it has run to its end."
    )


def test_a_command_that_failed_shows_itself_and_its_last_words_in_bounds() -> None:
    error = CommandFailed(4, "sort", ["sort", "x y"], "exit code 2", 2, "cannot read\nx y", "/work/sort-4")
    assert str(error) == (
        "'sort' (#4) ended with exit code 2.\n"
        "  command: ['sort', 'x y']\n"
        "  The last it wrote to stderr:\n    cannot read\n    x y\n"
        "  sandbox: /work/sort-4"
    )
    long = CommandFailed(4, "sort", "echo " + "x" * 1_000_000, "signal SIGKILL", -9, "", "/work/sort-4")
    assert len(str(long)) < 3_000
    assert "stderr" not in str(long)


def test_a_crash_says_what_ended_the_task() -> None:
    error = TaskCrashed(4, "fit", "SystemExit: 3")
    assert str(error) == "'fit' (#4) ended by SystemExit: 3"
    assert (error.task_id, error.name, error.what) == (4, "fit", "SystemExit: 3")


def test_a_dead_worker_is_told_with_what_it_said_last() -> None:
    error = WorkerDied(4, "fit", "signal SIGKILL", 4711, "node7", 3 * 2**30, "warming up\nout of memory\n")
    assert str(error) == (
        "'fit' (#4) lost its worker: process 4711 on node7 ended by signal SIGKILL (peak memory at most 3,072 MiB).\n"
        "  The last it wrote to stderr:\n"
        "  warming up\n"
        "  out of memory"
    )
    assert (error.task_id, error.how, error.pid, error.host) == (4, "signal SIGKILL", 4711, "node7")
    assert "stderr" not in str(WorkerDied(4, "fit", "exit code 1", 4711, "node7", 0, ""))


def test_a_lost_service_tells_which_task_used_it_and_its_last_words() -> None:
    assert str(ServiceDied(4, "fit", "db", "exit code 1", "no disk\nbye")) == (
        "'fit' (#4) lost the service 'db', which it uses: exit code 1.\n"
        "  The last it wrote to stderr:\n    no disk\n    bye"
    )
    assert "stderr" not in str(ServiceDied(4, "fit", "db", "exit code 1", ""))


def test_a_service_that_is_not_ready_tells_the_last_answer() -> None:
    error = ServiceNotReady(4, "db", "it was not ready after ready_timeout=3 s", "status 503", "no disk")
    assert str(error) == (
        "service 'db' (#4): it was not ready after ready_timeout=3 s.\n"
        "  The last answer: status 503\n  The last it wrote to stderr:\n    no disk"
    )
    assert isinstance(error, TimeoutError)


def test_a_mismatch_says_the_versions_of_both_sides_and_which_agent_it_is() -> None:
    error = VersionMismatch(
        "slot 1", "node7", "Python 3.12.1, cloudpickle 2.2.1", "Python 3.11.7, cloudpickle 3.1.2"
    )
    first, mend = str(error).splitlines()
    assert first.startswith(
        "agent 'slot 1' on node7 runs Python 3.12.1, cloudpickle 2.2.1, and the engine runs Python 3"
    )
    assert "3.11.7, cloudpickle 3.1.2" in first and "as for the engine" in mend


def test_a_dry_run_without_end_says_what_was_called_where_and_what_to_do() -> None:
    error = TooManyTasks("fit", 100_000, "pipeline.py:12, in main")
    first, *mends = str(error).splitlines()
    assert first.startswith(
        "'fit' was called at pipeline.py:12, in main, and 100,000 tasks were called before"
    )
    assert "example=" in mends[0] and "max_tasks=" in mends[1]
    assert (error.name, error.most, error.called_at) == ("fit", 100_000, "pipeline.py:12, in main")


def test_an_error_that_could_not_travel_tells_its_message_its_class_and_its_traceback() -> None:
    error = RemoteError("LocalError", "LocalError: no", "Traceback ...\n  line 3")
    assert (error.kind, error.message, error.traceback) == (
        "LocalError",
        "LocalError: no",
        "Traceback ...\n  line 3",
    )
    told = str(error)
    assert told.startswith("LocalError: no\n") and told.endswith("Traceback ...\n  line 3")
    assert "LocalError cannot be sent between processes" in told


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("UnknownBackend", "LookupError"),
        ("BackendInUse", "RuntimeError"),
        ("EngineClosed", "RuntimeError"),
        ("WrongLoop", "RuntimeError"),
        ("ForeignFuture", "ValueError"),
        ("CircularDependency", "ValueError"),
        ("ImpossibleTransition", "RuntimeError"),
        ("TaskTimeout", "TimeoutError"),
        ("TooManyTasks", "RuntimeError"),
        ("TypeMismatch", "TypeError"),
        ("GraphError", "ValueError"),
        ("UnknownJob", "LookupError"),
        ("ServiceFull", "RuntimeError"),
        ("ServiceClosed", "RuntimeError"),
        ("JobCancelled", "RuntimeError"),
        ("IdConflict", "ValueError"),
        ("VersionMismatch", "RuntimeError"),
        ("WiringError", "ValueError"),
    ],
)
def test_an_error_is_caught_as_what_python_would_call_it(name: str, base: str) -> None:
    assert issubclass(getattr(errors, name), getattr(builtins, base))


EXCEPTIONS = [cls for name in errors.__all__ if issubclass(cls := getattr(errors, name), BaseException)]


def test_every_exception_is_an_asyncflow_error_and_none_is_left_out() -> None:
    assert all(issubclass(cls, AsyncflowError) for cls in EXCEPTIONS)
    defined = {
        name for name, value in vars(errors).items() if isinstance(value, type) and not name.startswith("_")
    }
    assert {name for name in defined if issubclass(getattr(errors, name), BaseException)} == {
        cls.__name__ for cls in EXCEPTIONS
    }
    assert errors.__all__ == sorted(errors.__all__)


def test_those_that_a_user_meets_can_be_imported_from_the_top() -> None:
    for cls in (AsyncflowError, UpstreamFailed, TaskCrashed, TaskTimeout, errors.UnknownBackend):
        assert getattr(asyncflow, cls.__name__) is cls


# -- pickling ---------------------------------------------------------------------------------------------

MADE: dict[type[BaseException], Callable[[], BaseException]] = {
    TooManyTasks: lambda: TooManyTasks("fit", 100_000, "pipeline.py:12, in main"),
    HiddenFuture: lambda: HiddenFuture(4, "fit", "box", "<TaskFuture load#1 PENDING>", "box.rows", "Box"),
    TypeMismatch: lambda: TypeMismatch(4, "fit", "rows", "list[float]", "it is str, 'a'", ("load", 2)),
    errors.BackendInUse: lambda: errors.BackendInUse(
        "cpu", "ProcessBackend", "<WorkflowEngine cpu: 3 tasks>"
    ),
    IdConflict: lambda: IdConflict("fit", "order-17"),
    JobCancelled: lambda: JobCancelled("fit", "order-17"),
    ServiceClosed: lambda: ServiceClosed("fit"),
    ServiceFull: lambda: ServiceFull("fit", 8, 1000, 0.25),
    UnknownJob: lambda: UnknownJob("fit", "order-17", True),
    GraphError: lambda: GraphError(("'a': there is no step 'b'.", "a circle: 'c' -> 'c'")),
    VersionMismatch: lambda: VersionMismatch("slot 1", "node7", "Python 3.12.1", "Python 3.11.7"),
    WiringError: lambda: WiringError("1 thing wrong with the wiring: ...", (Finding("it does not fit"),)),
    TaskTimeout: lambda: TaskTimeout(4, "fit", 30, "the event loop", True),
    errors.DeadlinePassed: lambda: errors.DeadlinePassed(4, "fit", 30, "PENDING"),
    TaskCrashed: lambda: TaskCrashed(4, "fit", "SystemExit: 3"),
    ServiceDied: lambda: ServiceDied(4, "fit", "db", "exit code 1", "last words"),
    ServiceNotReady: lambda: ServiceNotReady(
        4, "db", "it was not ready after 3 s", "status 503", "last words"
    ),
    ResultLost: lambda: ResultLost(4, "fit", "node7", "node7 does not answer"),
    WorkerDied: lambda: WorkerDied(4, "fit", "exit code 1", 4711, "node7", 2**30, "last words"),
    RemoteError: lambda: RemoteError("LocalError", "LocalError: no", "Traceback"),
    CommandFailed: lambda: CommandFailed(
        4, "sort", "sort x", "exit code 2", 2, "no such file", "/tmp/run-1/sort-4"
    ),
    CommandNotFound: lambda: CommandNotFound(4, "sort", "sorrt", "in PATH=/bin"),
    CommandNotStarted: lambda: CommandNotStarted(4, "sort", "its arguments are too long", 7),
    OutputNotText: lambda: OutputNotText(4, "sort", 12, b"\xff"),
    OutputTooLarge: lambda: OutputTooLarge(4, "sort", 3 << 30, 256 << 20),
    RunStopped: lambda: RunStopped("plot", "'fit' (#4) failed, ValueError: need 2 rows"),
    TaskSkipped: lambda: TaskSkipped(7, "plot", behind(7, "plot", skipped(4, "check"), skipped(5, "load"))),
    TooFewSucceeded: lambda: TooFewSucceeded(
        7, "n_of", behind(7, "n_of", failed(4, "fit"), cancelled(5, "wait")), 2, 3
    ),
    UpstreamFailed: lambda: error_of(behind(7, "plot", failed(4, "fit", attempts=3), cancelled(5, "wait"))),
}


def made(cls: type[BaseException]) -> BaseException:
    return MADE[cls]() if cls in MADE else cls("the message")


@pytest.mark.parametrize("cls", EXCEPTIONS)
@pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy]
    + [
        lambda error, p=p: pickle.loads(pickle.dumps(error, p)) for p in range(2, pickle.HIGHEST_PROTOCOL + 1)
    ],
)
def test_every_exception_comes_back_from_a_pickle_as_it_was(
    cls: type[BaseException], again: Callable[[BaseException], BaseException]
) -> None:
    error = made(cls)
    back = again(error)
    assert type(back) is cls
    assert str(back) == str(error)
    facts = {name: value for name, value in vars(error).items() if not name.startswith("_")}
    assert {name: value for name, value in vars(back).items() if not name.startswith("_")} == facts


@pytest.mark.parametrize("cls", [cls for cls in EXCEPTIONS if issubclass(cls, OSError) and cls in MADE])
def test_the_fields_of_an_error_are_not_taken_for_those_of_the_system(cls: type[OSError]) -> None:
    error = made(cls)
    assert isinstance(error, OSError)
    assert (error.strerror, error.filename) == (None, None)
    assert error.errno == (7 if cls is CommandNotStarted else None)


def test_the_fields_of_an_error_may_be_given_by_name_and_are_what_it_shows() -> None:
    error = TaskTimeout(4, "fit", where="the event loop", timeout=30, stoppable=None)
    assert error.args == (4, "fit", 30, "the event loop", None)
    assert repr(error) == (
        "TaskTimeout(task_id=4, name='fit', timeout=30, where='the event loop', stoppable=None)"
    )


def test_a_field_that_is_missing_or_unknown_is_named() -> None:
    cls: Any = TaskCrashed
    with pytest.raises(TypeError, match=r"^TaskCrashed needs 'what'$"):
        cls(4, "fit")
    for args, named in (((4, "fit", "exit", 5), {}), ((4, "fit", "exit"), {"why": 5})):
        with pytest.raises(TypeError, match=r"^TaskCrashed takes task_id, name, what, and nothing else$"):
            cls(*args, **named)


def test_root_causes_come_back_from_a_pickle_with_their_errors() -> None:
    error = error_of(
        behind(7, "plot", behind(6, "clean", failed(4, "fit", attempts=3)), cancelled(5, "wait"))
    )
    back = pickle.loads(pickle.dumps(error))
    assert [(root.task_id, root.name, root.attempts) for root in back.root_causes] == [
        (4, "fit", 3),
        (5, "wait", 0),
    ]
    assert [type(root.error) for root in back.root_causes] == [ValueError, type(None)]
    assert str(back.root_causes[0].error) == "need 2 rows"
    assert [cause.name for cause in back.path(back.root_causes[0])] == ["fit", "plot"]


def test_an_error_at_the_end_of_a_way_of_100_000_can_be_pickled() -> None:
    cause = failed(1, "step")
    for number in range(2, MANY + 1):
        cause = behind(number, "step", cause)
    packed = pickle.dumps(error_of(cause))
    assert len(packed) < 10_000
    assert pickle.loads(packed).root_causes[0].task_id == 1


# -- brief ------------------------------------------------------------------------------------------------


class Hostile(Exception):
    """Its message is a trap."""

    def __str__(self) -> str:
        raise LookupError("not today")


class Dying(Exception):
    """Its message would end the program."""

    def __str__(self) -> str:
        raise SystemExit(3)


class Endless(Exception):
    """Its message calls itself."""

    def __str__(self) -> str:
        return str(self)


class NoText(Exception):
    """Its message is none."""

    def __str__(self) -> str:
        return 5  # type: ignore[return-value]  # noqa: PLE0307


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("need 2 rows"), "ValueError: need 2 rows"),
        (ValueError(), "ValueError"),
        (KeyError("x"), "KeyError: 'x'"),
        (ValueError("first\nsecond"), "ValueError: first ..."),
        (ValueError("\nsecond"), "ValueError:  ..."),
        (ValueError("first\n"), "ValueError: first"),
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (Hostile(), "Hostile: <its message cannot be shown: LookupError>"),
        (Dying(), "Dying: <its message cannot be shown: SystemExit>"),
        (Endless(), "Endless: <its message cannot be shown: RecursionError>"),
        (NoText(), "NoText: <its message cannot be shown: TypeError>"),
    ],
)
def test_an_exception_is_told_in_one_line_whatever_its_message_does(error: BaseException, told: str) -> None:
    assert brief(error) == told


def test_a_long_message_is_cut_and_its_length_told() -> None:
    assert brief(ValueError("x" * 1_000), limit=10) == "ValueError: xxxxxxxxxx... (1,000 characters)"
    assert brief(ValueError("x" * 10), limit=10) == "ValueError: xxxxxxxxxx"
    assert brief(ValueError("ab\n" + "x" * 1_000), limit=10) == "ValueError: ab ..."
    assert len(brief(ValueError("x" * 10_000_000))) < 400


def test_a_message_of_many_lines_is_told_by_its_first() -> None:
    told: Any = brief(ValueError("\n".join(map(str, range(100_000)))))
    assert told == "ValueError: 0 ..."


def test_what_did_not_run_is_told_without_addresses() -> None:
    error = UpstreamFailed(7, "plot", Cause(7, "plot", 0, None, (failed(4, "fit"),)))
    assert repr(error) == "<UpstreamFailed 'plot' (#7), because of fit (#4)>"
    assert repr(error.root_causes) == "(<Cause fit (#4)>,)"
