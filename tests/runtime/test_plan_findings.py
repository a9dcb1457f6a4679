"""What a rehearsal finds wrong: all of it at once, with the user's line, the names and a mend."""

from __future__ import annotations

import asyncio
import gc
import json
import re
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import pytest

from asyncflow import InputFile, Limit, OutputFile, Plan, WiringError, WorkflowEngine
from asyncflow.plan import of_rehearsal
from asyncflow.plan.rehearsed import RehearsedCall

engine = WorkflowEngine("process")
other = WorkflowEngine("thread")


class Scores(TypedDict):
    best: float


class Pair(NamedTuple):
    low: int
    high: int


@engine.function_task
def load(path: str) -> list[float]:
    raise AssertionError


@engine.function_task
def fit(rows: list[float], degree: int) -> float:
    raise AssertionError


@engine.function_task
def scores(path: str) -> Scores:
    raise AssertionError


@engine.function_task
def pair(path: str) -> Pair:
    raise AssertionError


@engine.function_task(example={"a": 1})
def table(path: str) -> dict[str, int]:
    raise AssertionError


@engine.function_task
def anything(*args):  # type: ignore[no-untyped-def]
    raise AssertionError


@engine.executable_task
def numbers(out: OutputFile = OutputFile("numbers.txt")) -> str:
    return f"seq 3 > {out}"


@engine.executable_task
def published(to: Path, out: Any) -> str:
    return f"ls {to}"


@engine.function_task
def where() -> str:
    raise AssertionError


@other.function_task
def far(path: str) -> list[float]:
    raise AssertionError


@engine.function_task(example=lambda path: path.nothing)
def badly_exemplified(path: str) -> list[float]:
    raise AssertionError


async def helper() -> None:
    await load("helper")


# -- one mistake each: what it is, between whom, and what mends it ----------------------------------------

Mistake = Callable[[], Any]
MISTAKES: list[tuple[Mistake, str, tuple[str, ...], str]] = []


def mistake(what: str, ends: str, mend: str = "") -> Callable[[Mistake], Mistake]:
    """A target with one mistake in its last line."""

    def add(target: Mistake) -> Mistake:
        MISTAKES.append((target, what, tuple(ends.split()), mend))
        return target

    return add


@mistake(r"fit\(\) missing a required argument: 'degree'$", "load fit", "its parameters are (rows: ")
async def arguments_that_do_not_bind() -> None:
    rows = load("a")
    fit(rows)


@mistake(r"load\(\) got an unexpected keyword argument 'file'", "load")
async def an_unknown_keyword() -> None:
    load("a", file="a")  # type: ignore[call-overload]


@mistake(
    "'fit' was given <TaskFuture far#1 .*>, a future of another engine", "far fit", "fit(await far(...))"
)
async def a_future_of_another_engine() -> None:
    fit(far("a"), 2)


@mistake("'anything': a list among the arguments contains itself and a future", "anything")
async def a_list_that_contains_itself() -> None:
    circle: list[Any] = [load("a")]
    circle.append(circle)
    anything(circle)


@mistake(
    "asks for backend 'gpu', which this engine lacks", "fit", "WorkflowEngine(backends={..., 'gpu': ...})"
)
async def an_unknown_backend() -> None:
    _ = fit.with_options(backend="gpu")([1.0], 2)


@mistake("'numbers' (#1) declares no output 'nmbers.txt'; it has: numbers.txt", "numbers")
async def an_output_that_nobody_declares() -> None:
    anything(numbers().outputs["nmbers.txt"])


@mistake("would publish to .*, and so does 'published'", "published")
async def two_writers_of_one_file() -> None:
    published(Path(), OutputFile("a", to="/tmp/x"))
    published(Path(), OutputFile("b", to="/tmp/x"))


@mistake(
    "two inputs would be called 'numbers.txt' in the sandbox",
    "published",
)
async def two_inputs_of_one_name() -> None:
    made = [numbers(), numbers()]
    published(Path(), [InputFile(each.outputs["numbers.txt"]) for each in made])


@mistake("'published': OutputFile.* and .* would be one file", "published")
async def two_outputs_of_one_name() -> None:
    published(OutputFile("a", to="/tmp/x"), OutputFile("a", to="/tmp/y"))  # type: ignore[arg-type]


@mistake(
    "AttributeError: 'list' object has no attribute 'mean'; 'load' (#1) gives a value of type list, being "
    r"annotated list\[float\]",
    "load an_attribute_that_a_type_lacks",
    "if 'load' gives something else, its annotation or its example= should say so",
)
async def an_attribute_that_a_type_lacks() -> Any:
    rows: Any = await load("a")
    return rows.mean()


@mistake("AttributeError: 'float' object has no attribute 'nope'", "load an_attribute_of_an_item")
async def an_attribute_of_an_item() -> Any:
    rows: Any = await load("a")
    return rows[0].nope


@mistake("KeyError: 'worst'; 'scores' (#1) gives a value of type dict, being annotated", "scores a_key")
async def a_key() -> Any:
    found: Any = await scores("a")
    return found["worst"]


@mistake("IndexError: tuple index out of range; 'pair' (#1) gives", "pair an_index")
async def an_index() -> Any:
    found: Any = await pair("a")
    return found[2]


@mistake("TypeError: unsupported operand .* 'str'.*; 'load' (#1) gives", "load an_operation")
async def an_operation() -> Any:
    rows: Any = await load("a")
    return rows - "a"


@mistake(
    "AttributeError: .*; 'table' (#1) gives a value of type dict, as its example= says", "table of_an_example"
)
async def of_an_example() -> Any:
    found: Any = await table("a")
    return found.nope


@mistake(
    "AttributeError: 'TaskFuture' object has no attribute 'mean': what 'load' gives is a future here",
    "load an_await_that_was_forgotten",
    "await it first:  await load(...)",
)
async def an_await_that_was_forgotten() -> Any:
    rows: Any = load("a")
    return rows.mean()


@mistake(
    "TypeError: what 'fit' gives is a future here, and not yet its value: it does not go with operators$",
    "fit another",
    "await",
)
async def another() -> Any:
    return fit([1.0], 2) + 1  # type: ignore[operator]


@mistake(
    "TypeError: what 'load' gives is a future here, and not yet its value: it is not iterable$",
    "load a_loop",
    "in await load(...)",
)
async def a_loop() -> Any:
    return list(load("a"))


@mistake(
    "'coroutine' object .*: what 'helper' gives is a future", "helper a_coroutine", "await it first:  await"
)
async def a_coroutine() -> Any:
    later: Any = helper()
    anything(later)
    return later.nope


@mistake("<TaskFuture load#1 READY> has no result yet", "a_result_too_early", "await load(...)")
async def a_result_too_early() -> Any:
    return load("a").result()


@mistake("'helper' gave a coroutine that was never awaited", "helper", "await helper(...)")
async def a_coroutine_that_was_dropped() -> None:
    helper()  # type: ignore[unused-coroutine]


@mistake("NameError: name 'nothing' is not defined", "a_name")
async def a_name() -> Any:
    return nothing  # type: ignore[name-defined]  # noqa: F821


@mistake("object list can't be used in 'await' expression", "an_await_too_much")
async def an_await_too_much() -> Any:
    rows: Any = await load("a")
    return await rows


@mistake("AttributeError: 'str' object has no attribute 'nothing'", "badly_exemplified")
async def an_example_that_fails() -> Any:
    return await badly_exemplified("a")


def last_line(target: Mistake) -> int:
    code = target.__code__
    return max(line for _, _, line in code.co_lines() if line)


@pytest.mark.parametrize("in_block", [False, True], ids=["target", "block"])
@pytest.mark.parametrize(
    ("target", "what", "ends", "mend"), [pytest.param(*each, id=each[0].__name__) for each in MISTAKES]
)
async def test_a_mistake_is_told_with_its_line_its_ends_and_a_mend(
    target: Mistake, what: str, ends: tuple[str, ...], mend: str, in_block: bool
) -> None:
    planned = engine.block(target) if in_block else target
    plan = await engine.plan(planned)
    (finding,) = plan.findings
    number = 2 if in_block else 1
    pattern = re.sub(r"\(#(\d)\)", rf"\\(#{number}\\)", what).replace("load#1", f"load#{number}")
    assert re.search(pattern, finding.what), finding.what
    assert set(ends) <= set(finding.ends) and finding.ends[-1] == ends[-1]
    assert mend in finding.mend
    if target is not an_example_that_fails:
        assert finding.where == f"{__file__}:{last_line(target)}, in {target.__name__}"
    with pytest.raises(WiringError) as caught:
        plan.check()
    assert caught.value.findings == plan.findings
    assert str(last_line(target)) in str(caught.value) or target is an_example_that_fails


async def test_all_is_found_at_once() -> None:
    async def target() -> None:
        for each, *_ in MISTAKES:
            await engine.block(each)()
        _ = load("the rest is looked at, too")

    plan = await engine.plan(target)
    assert len(plan.findings) == len(MISTAKES)
    assert plan.tasks[-1].called_at.endswith(", in target")
    with pytest.raises(WiringError) as caught:
        plan.check()
    told = str(caught.value)
    assert told.startswith(f"{len(MISTAKES)} things wrong with the wiring:\n")
    assert all(finding.what[:60] in told for finding in plan.findings)


async def test_what_is_wrong_again_and_again_is_told_once() -> None:
    async def target() -> None:
        for _ in range(10):
            fit([1.0])  # type: ignore[call-arg]

    plan = await engine.plan(target)
    assert len(plan.findings) == 1
    assert len(plan.tasks) == 10


async def test_a_wrong_call_of_submit_and_map_is_told_at_the_user_s_line() -> None:
    def two(a: int, b: int) -> None:
        raise AssertionError

    def target() -> None:
        engine.submit(two, 1)
        fit.map([1.0])  # type: ignore[call-arg, list-item]

    first, second = (await engine.plan(target)).findings
    line = last_line(target)
    assert first.where == f"{__file__}:{line - 1}, in target"
    assert second.where == f"{__file__}:{line}, in target"


async def test_a_target_whose_own_arguments_do_not_fit_is_told_where_it_was_planned() -> None:
    async def target(number: int) -> None: ...

    here = test_a_target_whose_own_arguments_do_not_fit_is_told_where_it_was_planned.__name__
    for wrong in (fit, target):
        (finding,) = (await engine.plan(wrong)).findings
        assert "missing" in finding.what
        assert finding.where.endswith(f", in {here}") and finding.where.startswith(__file__)


async def test_a_circle_is_told_and_the_rest_goes_on() -> None:
    async def target() -> None:
        own: list[Any] = []

        @engine.block
        async def inner() -> None:
            await asyncio.sleep(0)
            anything(own[0])

        own.append(inner())
        _ = load("after")

    plan = await engine.plan(target)
    (finding,) = plan.findings
    assert "would wait for 'inner' (#1), inside which it was called" in finding.what
    assert [task.name for task in plan.tasks] == ["inner", "load", "anything"]


async def test_a_wrong_call_still_gives_what_others_can_use() -> None:
    seen: list[Any] = []

    @engine.block
    async def block() -> int:
        rows = load("a", "b", "c")  # type: ignore[call-arg]
        seen.append(await rows)
        _ = fit(rows, 2)
        return 3

    @engine.block
    async def outer() -> None:
        seen.append(await block(7))  # type: ignore[call-arg]
        seen.append(await block())

    plan = await engine.plan(outer)
    assert len(plan.findings) == 2
    assert seen == [1, [1.0], 3]
    assert [(task.name, task.kind) for task in plan.tasks] == [
        ("outer", "block"),
        ("block", "block"),
        ("block", "block"),
        ("load", "function"),
        ("fit", "function"),
    ]
    assert [(edge.dependency, edge.dependent) for edge in plan.edges] == [(4, 5)]


async def test_the_value_of_a_block_that_fails_is_of_the_type_that_it_gives() -> None:
    seen: list[Any] = []

    @engine.block
    async def wrong() -> dict[str, int]:
        raise TypeError

    async def target() -> None:
        seen.append(await wrong())
        seen.append(await asyncio.gather(wrong(), return_exceptions=True))

    await engine.plan(target)
    assert [isinstance(each, dict) for each in (seen[0], seen[1][0])] == [True, True]


# -- no mistakes ------------------------------------------------------------------------------------------

RIGHT: list[tuple[Mistake, str]] = []


def right(note: str = "") -> Callable[[Mistake], Mistake]:
    """A target with which nothing is wrong; what stands in for results may still end it."""

    def add(target: Mistake) -> Mistake:
        RIGHT.append((target, note))
        return target

    return add


@right("'raises' ended with ValueError: not good enough")
async def raises() -> None:
    model: Any = await anything()
    if model.error > 0.1:
        raise ValueError("not good enough")


@right("'asserts' ended with AssertionError")
async def asserts() -> None:
    assert len(await load("a")) > 3


@right("'a_long_list' ended with IndexError: list index out of range")
async def a_long_list() -> Any:
    return (await load("a"))[3]


@right("'a_key_of_a_dict' ended with KeyError: '1'")
async def a_key_of_a_dict() -> Any:
    return {"a": 1}[str(int(await fit([1.0], 1)))]


@right("'of_what_is_not_annotated' ended with TypeError")
async def of_what_is_not_annotated() -> Any:
    return json.dumps(await anything())


@right("'a_file' ended with FileNotFoundError")
async def a_file() -> Any:
    return open("/nowhere/" + str(await fit([1.0], 1)))


@right()
async def inputs_of_names_that_only_stand_in() -> None:
    made = [numbers(), numbers()]
    published(
        Path(), [InputFile(each.outputs["numbers.txt"], name=f"{n}.txt") for n, each in enumerate(made)]
    )
    published(Path(), [InputFile(f"{n}/{await where()}") for n in range(2)])


@right()
async def an_error_that_is_caught() -> None:
    try:
        (await load("a"))[3]
    except IndexError:
        _ = load("b")


@right()
async def futures_that_are_used_as_such() -> None:
    first, second = load("a"), load("b")
    await asyncio.wait([first, second])
    done, _ = await asyncio.wait([first], return_when=asyncio.FIRST_COMPLETED)
    assert first in done and first.done() and not first.cancelled()
    for each in asyncio.as_completed([load("c")]):
        await each
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(helper())
    load("d").cancel()
    anything([first, {"a": second}], (fit(first, degree=2),))


@right()
async def commands_and_files() -> None:
    made = numbers()
    anything.with_options(after=made)(InputFile("numbers.txt"))
    await made
    assert made.returncode is None
    assert (await made.outputs["numbers.txt"]).name == "numbers.txt"


@pytest.mark.parametrize(("target", "note"), [pytest.param(*each, id=each[0].__name__) for each in RIGHT])
async def test_what_may_be_right_on_real_values_is_no_finding(target: Mistake, note: str) -> None:
    plan = await engine.plan(target)
    assert plan.findings == ()
    notes = [each for each in plan.decisions if "ended with" in each]
    assert len(notes) == bool(note)
    assert all(note in each for each in notes)


# -- coroutines that are dropped --------------------------------------------------------------------------


async def test_only_what_is_dropped_inside_a_rehearsal_is_its_own() -> None:
    dropped, go_on = asyncio.Event(), asyncio.Event()

    async def target() -> None:
        go_on.set()
        await dropped.wait()

    async def beside() -> None:
        await go_on.wait()
        with pytest.warns(RuntimeWarning, match="'helper' was never awaited"):
            helper()  # type: ignore[unused-coroutine]
            gc.collect()
        dropped.set()

    plan, _ = await asyncio.gather(engine.plan(target), beside())
    assert plan.findings == ()


async def test_other_warnings_are_passed_on() -> None:
    async def target() -> None:
        warnings.warn("mind this", DeprecationWarning, stacklevel=1)

    with pytest.warns(DeprecationWarning, match="mind this"):
        plan = await engine.plan(target)
    assert plan.findings == ()


# -- what is used -----------------------------------------------------------------------------------------

USES: dict[str, tuple[Callable[[Any], Any], bool]] = {
    "nothing": (lambda future: None, False),
    "looked at": (
        lambda future: (future.id, future.state, future.explain(), repr(future), future.done()),
        False,
    ),
    "kept": (lambda future: [future].clear(), False),
    "awaited": (lambda future: asyncio.ensure_future(waited(future)), True),
    "a callback": (lambda future: future.add_done_callback(print_nothing), True),
    "passed on": (lambda future: anything({"a": [future]}), True),
    "waited for": (lambda future: anything.with_options(after=future)(), True),
    "to another engine": (lambda future: far(future), True),
    "to a wrong call": (lambda future: fit(future), True),
    "returned": (lambda future: [future], True),
    "gathered": (lambda future: asyncio.gather(future), True),
    "its outputs": (lambda future: future.outputs, True),
}


async def waited(future: Any) -> Any:
    return await future


def print_nothing(future: Any) -> None: ...


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[RehearsedCall]]:
    """What was rehearsed."""
    calls: list[Sequence[RehearsedCall]] = []
    planned = of_rehearsal.planned

    def watched(given: Sequence[RehearsedCall], **options: Any) -> Any:
        calls.append(given)
        return planned(given, **options)

    monkeypatch.setattr(of_rehearsal, "planned", watched)
    return calls


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("in_block", [False, True], ids=["target", "block"])
async def test_whether_a_result_is_used_is_known(
    seen: list[Sequence[RehearsedCall]], use: str, in_block: bool
) -> None:
    do, is_used = USES[use]

    async def target() -> Any:
        given = do(numbers())
        await asyncio.sleep(0)
        return given if use == "returned" else None

    await engine.plan(engine.block(target) if in_block else target)
    call = next(each for each in seen[0] if each.name == "numbers")
    assert call.is_used is is_used


async def test_the_end_of_an_engine_uses_no_result(seen: list[Sequence[RehearsedCall]]) -> None:
    async def target() -> None:
        async with engine:
            load("a")
            await load("b")
            load("c")

    await engine.plan(target)
    assert [(each.args, each.is_used) for each in seen[0]] == [
        (("a",), False),
        (("b",), True),
        (("c",), False),
    ]


async def test_what_was_rehearsed_is_told_whole(seen: list[Sequence[RehearsedCall]], tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.write_text("123")

    async def target() -> None:
        rows = load("a")
        both = [rows, 3]
        anything(both, InputFile(given))
        both.clear()
        fit()  # type: ignore[call-arg]
        anything(numbers().outputs["numbers.txt"])

    await engine.plan(target)
    calls = {(each.name, each.kind): each for each in seen[0]}
    rows, used = calls["load", "function"], calls["anything", "function"]
    first = next(each for each in seen[0] if each.name == "anything")
    assert (rows.value, rows.args, rows.needs_pickle, rows.fn) == ([1.0], ("a",), True, load.fn)
    assert first.dependencies == (rows.id,)
    assert [len(first.args[0]), first.args[0][0].id] == [2, rows.id]
    assert [(each.name, each.path, each.size, each.maker) for each in first.reads] == [
        ("given", str(given), 3, None)
    ]
    refused = calls["fit", "function"]
    assert refused.is_refused and refused.args == () and not rows.is_refused
    output = calls["numbers.outputs['numbers.txt']", "output"]
    assert output.value == Path("numbers.txt")
    assert used.dependencies == (output.id,)
    assert [each.kind for each in seen[0]].count("executable") == 1


async def test_needs_pickle_is_told_of_the_real_backend(seen: list[Sequence[RehearsedCall]]) -> None:
    for backend, needs in (("thread", False), ("process", True), ("sequential", False)):
        for dry_run in (False, True):
            each = WorkflowEngine(backend, dry_run=dry_run)
            await each.plan(each.function_task(load.fn), "a")
            assert seen.pop()[0].needs_pickle is needs


async def test_a_limit_that_there_is_not_or_not_enough_of_is_found_at_the_line_of_the_call() -> None:
    engine = WorkflowEngine()
    engine.limit("gpu", concurrency=2)
    unknown = engine.function_task(abs, name="unknown", limits="gqu", retries=3)
    large = engine.function_task(abs, name="large", limits={"gpu": 3}, deadline=9)

    async def main() -> int:
        return await large(await unknown(1))

    plan = await engine.plan(main)
    (first, second) = plan.findings
    assert first.what == "'unknown': no limit is called 'gqu'. Did you mean 'gpu'?"
    assert second.what == "'large': limit 'gpu': 3 can never be met, since there is 2 at most"
    assert "test_plan_findings.py" in first.where
    assert [task.name for task in plan.tasks] == ["unknown", "large"]


async def test_a_plan_has_the_policies_of_its_tasks() -> None:
    engine = WorkflowEngine()
    engine.limit("gpu", concurrency=2)
    options: Any = {"retries": 3, "deadline": 9, "limits": {"gpu": 1.5, Limit("api", rate=1): len}}
    task = engine.function_task(abs, **options)

    async def main() -> int:
        return await task(1)

    plan = await engine.plan(main)
    (planned,) = plan.tasks
    assert (planned.retries, planned.deadline, planned.limits) == (3, 9.0, (("gpu", 1.5), ("api", None)))
    assert Plan.from_json(plan.to_json()) == plan
    assert '"retries": 3, "deadline": 9, "limits": [["gpu", 1.5], ["api", null]]' in plan.to_json()


@pytest.mark.parametrize("options", [{"retries": 1}, {"limits": "gpu"}, {"max_concurrent": 1}])
async def test_a_coroutine_a_block_and_a_command_with_policies_are_planned_like_others(options: Any) -> None:
    engine = WorkflowEngine()
    engine.limit("gpu", concurrency=2)

    async def coroutine() -> int:
        return 1

    tasks: list[Any] = [
        engine.function_task(coroutine, **options),
        engine.block(coroutine, **options),
        engine.executable_task(lambda: "true", **options),
    ]

    async def main() -> None:
        for task in tasks:
            await task()

    plan = await engine.plan(main)
    assert not plan.findings
    assert len(plan.tasks) == 3
