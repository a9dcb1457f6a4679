"""Graphs that are declared before they run: what is wrong with one is told when it is made, and all of it runs."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow import (
    Graph,
    GraphError,
    InputFile,
    OutputFile,
    Report,
    Skip,
    State,
    TaskSkipped,
    UnknownBackend,
    UpstreamFailed,
    WorkflowEngine,
    ref,
    step,
)


def load(path: str) -> list[int]:
    return [len(path), 2, 3]


def fit(rows: list[int], degree: int = 1) -> int:
    return sum(rows) * degree


def render(models: list[int], title: str = "") -> str:
    return f"{title}{models}"


def audit(rows: list[int]) -> int:
    return len(rows)


def fail(*_: object) -> None:
    raise ValueError("no luck")


GRAPH = Graph(
    {
        "out": step(render, [ref("model")], title="T", after="audit"),
        "rows": step(load, "a.csv"),
        "audit": step(audit, ref("rows"), detached=True),
        "model": step(fit, ref("rows"), degree=3, retries=2),
    }
)


def faults_of(**steps: object) -> list[str]:
    with pytest.raises(GraphError) as caught:
        Graph(steps)  # type: ignore[arg-type]
    return list(caught.value.faults)


# -- what is wrong ----------------------------------------------------------------------------------------


def test_all_that_is_wrong_is_told_at_once() -> None:
    faults = faults_of(
        a=step(fit, ref("b"), degre=3),
        b=step(fit, ref("c")),
        c=step(load, ref("b")),
        d=step(fit, ref("rowz"), retries=-1),
        rows=step(load, (x for x in "ab")),
        z=3,
    )
    told = "\n".join(faults)
    assert "'a': fit() got an unexpected keyword argument 'degre' (did you mean 'degree'?)" in told
    assert "'d': retries=-1: a whole number is needed, 0 or more" in told
    assert "'d': there is no step 'rowz'. Did you mean 'rows'?" in told
    assert "'rows': a generator makes its items only once; pass a list" in told
    assert "'z': 3 is no step; say:  step(function, ...)" in told
    assert "a circle: 'b' -> 'c' -> 'b'" in told
    assert len(faults) == 6


def test_one_fault_is_one_line() -> None:
    with pytest.raises(GraphError, match=r"^this graph cannot run: 'a': there is no step 'b'\.$"):
        Graph({"a": step(fit, ref("b"))})


def test_several_circles_are_all_drawn() -> None:
    faults = faults_of(
        a=step(fit, ref("b")),
        b=step(fit, ref("a")),
        c=step(fit, ref("c")),
        d=step(fit, [0], after=["e"]),
        e=step(fit, [0], after=["d"]),
    )
    assert sorted(map(len, (fault.split(" -> ") for fault in faults))) == [2, 3, 3]


def test_an_argument_that_belongs_to_a_run_is_refused() -> None:
    async def coroutine() -> int:
        return 1

    made = coroutine()
    [fault] = faults_of(a=step(fit, made))
    assert "belongs to a run" in fault and "ref(...)" in fault
    made.close()


@pytest.mark.parametrize("wrap", [lambda inner: inner, lambda inner: [{"deep": inner}]])
def test_a_step_inside_of_another_is_told_to_need_a_name(wrap: Any) -> None:
    (fault,) = faults_of(a=step(audit, wrap(step(load, "x"))))
    assert fault.startswith("'a': a step of load among the arguments is no value of it.")


def test_a_reference_where_no_step_looks_is_told() -> None:
    (fault,) = faults_of(a=step(load, "x"), b=step(partial(render, [ref("a")])))
    assert fault == "'b': render is a partial with a reference in it; pass that as an argument of the step"


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: ref(3), "takes the name of a step, and was given 3"),
        (lambda: ref(step(load, "x")), "was given a step; give it a name in the graph"),
        (lambda: step(load, "x", after=5), "after=5: names of steps are needed"),
        (lambda: step(load, "x", after=[["a"]]), "names of steps are needed"),
        (lambda: step(load, "x", after=ref("a")), "names of steps are needed:  after='a'"),
    ],
)
def test_what_is_no_name_of_a_step_is_told_where_it_stands(made: Any, told: str) -> None:
    with pytest.raises(TypeError, match=told):
        made()


def test_a_file_that_no_step_makes_is_told_before_anything_runs() -> None:
    library = WorkflowEngine()

    def sort(rows: object = None, made: Path = OutputFile("sorted.txt")) -> None:  # type: ignore[assignment]
        made.write_text("a")

    @library.executable_task
    def command(rows: object = None) -> str:
        return "touch x"

    @library.block
    async def block(made: Path = OutputFile("sorted.txt")) -> None:  # type: ignore[assignment]
        pass

    made = {
        "load": step(load, "x"),
        "sort": step(sort),
        "command": step(command),
        "open": step(command, ref("load")),
        "block": step(block),
    }
    assert faults_of(
        **made,
        a=step(audit, ref("load").outputs["x"]),
        b=step(audit, [InputFile(ref("sort").outputs["srted.txt"]), ref("sort").outputs["./sorted.txt"]]),
        c=step(audit, ref("command").outputs["x"]),
        d=step(audit, ref("open").outputs["x"]),  # it may come with what load gives
        e=step(audit, ref("block").outputs["sorted.txt"]),
    ) == [
        "'a': 'load' declares no output 'x'; it has: none",
        "'b': 'sort' declares no output 'srted.txt'; it has: sorted.txt",
        "'c': 'command' declares no output 'x'; it has: none",
        "'e': 'block' is a block, which makes no files of its own",
    ]


def test_of_a_large_circle_both_ends_are_drawn() -> None:
    (fault,) = faults_of(
        **{f"s{number}": step(audit, ref(f"s{(number + 1) % 1000}")) for number in range(1000)}
    )
    assert fault.startswith("a circle: 's0' -> 's999' -> ") and fault.endswith("-> 's0'")
    assert " -> ... 981 more ... -> " in fault and len(fault) < 300


def test_arguments_that_are_missing_are_told_with_the_step() -> None:
    [fault] = faults_of(a=step(fit))
    assert fault.startswith("'a': fit() missing a required argument: 'rows'")


def test_what_cannot_be_called_is_told() -> None:
    [fault] = faults_of(a=step("fit"))  # type: ignore[arg-type]
    assert fault == "'a': 'fit' cannot be called; a task or a function is needed"


def test_an_unknown_target_is_told_with_what_was_meant() -> None:
    with pytest.raises(GraphError, match=r"there is no step 'modle'\. Did you mean 'model'\?"):
        GRAPH.only("modle")


# -- as data ----------------------------------------------------------------------------------------------


def test_a_graph_is_a_mapping_that_does_not_change() -> None:
    assert list(GRAPH) == ["out", "rows", "audit", "model"]
    assert GRAPH.stages == [["rows"], ["audit", "model"], ["out"]]
    assert GRAPH.needs("out") == ["model", "audit"]
    more = GRAPH | {"rows": step(load, "longer.csv"), "again": step(fit, ref("rows"))}
    assert len(GRAPH) == 4 and len(more) == 5 and more["rows"].args == ("longer.csv",)
    assert list(GRAPH.only("model")) == ["rows", "model"]
    assert repr(GRAPH) == "<Graph of 4 steps in 3 stages>"


def test_a_graph_and_a_dict_are_joined_either_way_and_nothing_else_is() -> None:
    more = {"rows": step(load, "longer.csv"), "new": step(load, "b")}
    assert (GRAPH | more)["rows"].args == ("longer.csv",) and (more | GRAPH)["rows"].args == ("a.csv",)
    assert set(more | GRAPH) == set(GRAPH | more) == {*GRAPH, "new"}
    for other in ([], 5, None):
        with pytest.raises(TypeError, match="unsupported operand"):
            GRAPH | other  # type: ignore[operator]


def test_what_the_function_has_a_parameter_for_is_an_argument() -> None:
    def slow(timeout: float) -> float:
        return timeout

    assert step(slow, timeout=3).kwargs == {"timeout": 3}
    assert step(slow, 1, retries=2).options == {"retries": 2}


def test_a_parameter_that_is_called_after_is_an_argument_as_any_other() -> None:
    def wait(after: float, rows: object = None) -> float:
        return after

    graph = Graph({"rows": step(load, "x"), "wait": step(wait, after=0.5, rows=ref("rows"))})  # type: ignore[arg-type]
    assert graph["wait"].kwargs == {"rows": ref("rows"), "after": 0.5} and graph.needs("wait") == ["rows"]


@given(st.integers(1, 30).flatmap(lambda n: st.tuples(*(st.sets(st.integers(0, i)) for i in range(n)))))
def test_each_step_stands_behind_all_that_it_needs(needs: tuple[set[int], ...]) -> None:
    def add(*values: int) -> int:
        return sum(values) + 1

    graph = Graph(
        {
            str(number): step(add, *(ref(str(each)) for each in sorted(those) if each < number))
            for number, those in enumerate(needs)
        }
    )
    place = {name: index for index, stage in enumerate(graph.stages) for name in stage}
    assert set(place) == set(graph)
    for name in graph:
        assert place[name] == max((place[other] + 1 for other in graph.needs(name)), default=0)


# -- how it runs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["thread", "process", "sequential"])
async def test_values_go_where_steps_refer_to_them(backend: str) -> None:
    async with WorkflowEngine(backend, workers=2) as engine:
        assert await engine.run_graph(GRAPH) == {"out": "T[30]", "rows": [5, 2, 3], "model": 30}
        assert await engine.run_graph(GRAPH, targets=["model"]) == {"model": 30}


@dataclass
class Pair:
    left: object
    right: object


@pytest.mark.parametrize(
    "wrap",
    [
        lambda value: [value],
        lambda value: {"a": (1, value)},
        lambda value: Pair(1, value),
        lambda value: deque([value], maxlen=3),
        lambda value: SimpleNamespace(x=value),
        lambda value: partial(fit, value),
    ],
)
async def test_a_reference_counts_wherever_a_future_does(wrap: object) -> None:
    def seen(value: object) -> str:
        return str(value)

    assert callable(wrap)
    graph = Graph({"a": step(load, "x"), "b": step(seen, wrap(ref("a")))})
    async with WorkflowEngine() as engine:
        values = await engine.run_graph(graph)
        assert values["b"] == seen(wrap([1, 2, 3]))
        assert (await engine.run_graph(graph))["b"] == values["b"]  # what was declared is as it was


async def test_steps_are_told_apart_by_their_names() -> None:
    graph = Graph({"first": step(fail), "second": step(fit, [1], label="own")})
    async with WorkflowEngine() as engine:
        futures = graph.call(engine)
        assert futures["first"].label == "first" and futures["second"].label == "own"
        with pytest.raises(ValueError, match="no luck"):
            await futures["first"]
        assert len(engine.report().functions) == 2  # by function, not by step


async def test_steps_that_do_not_need_a_failed_one_go_on() -> None:
    graph = Graph({"bad": step(fail), "after": step(fit, ref("bad")), "good": step(load, "a")})
    async with WorkflowEngine() as engine:
        with pytest.raises(ValueError, match="no luck"):
            await engine.run_graph(graph)
        futures = graph.call(engine)
        assert await futures["good"] == [1, 2, 3]
        with pytest.raises(UpstreamFailed):
            await futures["after"]
        with pytest.raises(ValueError, match="no luck"):
            await futures["bad"]


async def test_of_several_failures_none_is_lost() -> None:
    graph = Graph({"a": step(fail, 1), "b": step(fail, 2), "c": step(fit, ref("a"))})
    async with WorkflowEngine() as engine:
        with pytest.raises(ExceptionGroup) as caught:
            await engine.run_graph(graph, targets=["c", "b"])
        assert [str(each) for each in caught.value.exceptions] == ["no luck", "no luck"]
        with pytest.raises(ValueError, match="no luck"):
            await engine.run_graph(graph, targets=["c"])


async def test_a_step_that_is_skipped_is_told_once_and_is_no_failure() -> None:
    def skips() -> list[int]:
        raise Skip("nothing new")

    graph = Graph({"rows": step(skips), "model": step(fit, ref("rows"))})
    async with WorkflowEngine() as engine:
        with pytest.raises(TaskSkipped, match="nothing new"):
            await engine.run_graph(graph)
        with pytest.raises(ValueError, match="no luck"):
            await engine.run_graph(graph | {"fail": step(fail)})


@pytest.mark.parametrize("wrap", [iter, list, tuple, set, lambda names: (name for name in names)])
async def test_targets_may_be_given_as_any_names(wrap: Any) -> None:
    async with WorkflowEngine() as engine:
        assert await engine.run_graph(GRAPH, targets=wrap(["rows"])) == {"rows": [5, 2, 3]}


async def test_of_a_graph_that_cannot_be_called_as_a_whole_nothing_goes_on() -> None:
    begun: list[str] = []
    graph = Graph(
        {"first": step(begun.append, "first"), "then": step(load, "x", backend="nowhere", after="first")}
    )
    async with WorkflowEngine() as engine:
        with pytest.raises(
            UnknownBackend, match=r"asks for backend 'nowhere'.*\n.*\nin step 'then' of the graph"
        ):
            await engine.run_graph(graph)
        assert [task.state for task in engine.report().tasks] == [State.CANCELLED]
    assert begun == []


async def test_a_detached_step_is_not_waited_for() -> None:
    opened = threading.Event()

    def wait(_: object) -> bool:
        return opened.wait(60)

    graph = Graph({"rows": step(load, "a"), "tail": step(wait, ref("rows"), detached=True)})
    async with WorkflowEngine() as engine:
        assert await engine.run_graph(graph) == {"rows": [1, 2, 3]}
        opened.set()


async def test_to_cancel_a_run_of_a_graph_is_to_cancel_its_steps() -> None:
    opened = threading.Event()
    graph = Graph({"slow": step(opened.wait, 60), "next": step(fail, ref("slow"))})
    async with WorkflowEngine() as engine:
        running = asyncio.create_task(engine.run_graph(graph))
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        opened.set()
    assert {row.state for row in engine.report().tasks} <= {State.CANCELLED, State.SUCCEEDED}


async def test_tasks_of_another_engine_run_on_the_one_that_is_given() -> None:
    library = WorkflowEngine("process")

    @library.function_task
    def here() -> int:
        return threading.get_ident()

    async with WorkflowEngine("sequential") as engine:
        assert await engine.run_graph(Graph({"a": step(here)})) == {"a": threading.get_ident()}


async def test_commands_and_files_are_steps(tmp_path: Path) -> None:
    library = WorkflowEngine()

    @library.executable_task
    def write(text: str, made: Path = OutputFile("made.txt")) -> str:  # type: ignore[assignment]
        return f"echo {text} > {made}"

    def read(path: Path) -> str:
        return path.read_text()

    graph = Graph(
        {
            "write": step(write, "hello"),
            "read": step(read, InputFile(ref("write").outputs["made.txt"])),
        }
    )
    async with WorkflowEngine(work_dir=tmp_path) as engine:
        assert (await engine.run_graph(graph, targets=["read"])) == {"read": "hello\n"}


async def test_a_plan_of_a_graph_says_what_running_it_does() -> None:
    engine = WorkflowEngine()
    plan = await engine.plan(GRAPH)
    plan.check()
    assert [task.name for task in plan.tasks] == ["load", "audit", "fit", "render"]
    assert sorted((edge.dependency, edge.dependent, edge.kind) for edge in plan.edges) == [
        (1, 2, "data"),
        (1, 3, "data"),
        (2, 4, "order"),
        (3, 4, "data"),
    ]


def test_steps_without_names_are_no_graph() -> None:
    steps: Any = [step(load, "a.csv")]
    with pytest.raises(TypeError, match=r"Graph\(\) got a list: steps by name are needed"):
        Graph(steps)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"a": step(len, "abc")}, r"got a dict; a Graph is needed:  Graph\(\.\.\.\)"),
        ([1], r"got a list; a Graph is needed:  Graph\(\{'name': step\(function, \.\.\.\)\}\)"),
        (None, "got a NoneType; a Graph is needed"),
    ],
)
async def test_what_is_no_graph_is_named(given: Any, told: str) -> None:
    engine = WorkflowEngine()
    with pytest.raises(TypeError, match=rf"run_graph\(\) {told}"):
        await engine.run_graph(given)
    if given:
        with pytest.raises(TypeError, match=r"plan(\(\))? got"):
            await engine.plan(given)


@pytest.mark.parametrize("targets", ["out", 3])
async def test_targets_that_are_no_list_are_told(targets: Any) -> None:
    graph = Graph({"out": step(len, "abc")})
    async with WorkflowEngine() as engine:
        with pytest.raises(TypeError, match=rf"targets={targets!r}: a list of names of steps is needed"):
            await engine.run_graph(graph, targets=targets)
        with pytest.raises(TypeError, match="a list of names of steps is needed"):
            graph.call(engine, targets=targets)


async def test_a_report_tells_of_steps_by_their_names_and_of_their_stages(tmp_path: Path) -> None:
    def load(path: str) -> list[int]:
        return [1, 2]

    def fit(rows: list[int]) -> int:
        if len(rows) > 1:
            raise ValueError("too many")
        return 0

    def render(values: list[object]) -> str:
        return str(values)

    graph = Graph(
        {
            "rows": step(load, "a.csv"),
            "more": step(load, "b.csv"),
            "model": step(fit, ref("rows")),
            "out": step(render, [ref("model"), ref("more")]),
        }
    )
    journal = tmp_path / "run.jsonl"
    async with WorkflowEngine(journal=journal) as engine:
        with pytest.raises(ValueError, match="too many"):
            await engine.run_graph(graph)
    report = engine.report()
    for each in (report, Report.from_json(report.to_json()), Report.from_journal(journal)):
        assert {task.own_label: task.name for task in each.tasks} == {
            "rows": "load",
            "more": "load",
            "model": "fit",
            "out": "render",
        }
        assert [stage.tasks for stage in each.stages] == [len(stage) for stage in graph.stages]
        failed = next(task for task in each.tasks if task.state is State.FAILED)
        assert failed.label == f"fit[model] (#{failed.id})"
        assert f"First failure: {failed.label}" in str(each)
    assert engine.report().functions["load"].count == 2


def test_what_gives_no_single_value_is_no_step() -> None:
    engine = WorkflowEngine()

    def rows(count: int) -> Iterator[int]:
        yield from range(count)

    async def pages(count: int) -> AsyncIterator[int]:
        yield count

    @engine.service
    def server() -> Iterator[int]:
        yield 1

    with pytest.raises(GraphError) as caught:
        Graph(
            {
                "a": step(rows, 1),
                "b": step(pages, 1),
                "c": step(engine.function_task(rows), 1),
                "d": step(engine.block(pages), 1),
                "e": step(str, 1),
                "f": step(server),
            }
        )
    first, *faults = caught.value.faults
    assert first.startswith("'a': rows yields many values, and a step has one")
    assert [fault[:3] for fault in faults] == ["'b'", "'c'", "'d'", "'e'"]
    assert "is a class; a task or a function is needed" in faults[-1]


def test_a_name_of_a_step_that_is_no_text_is_what_is_told() -> None:
    with pytest.raises(GraphError, match="1, a int, is no name of a step; text is needed"):
        Graph({1: step(len, "a")})  # type: ignore[dict-item]
