"""Opaque stand-ins: what code may do with a result of which nothing is known, and what is told of its decisions."""

from __future__ import annotations

import asyncio
import copy
import json
import math
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asyncflow._stand_ins.decisions import Decisions
from asyncflow._stand_ins.opaque import StandIn

Told = list[tuple[str, str, int]]


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
def it(told: Told) -> Any:
    """A stand-in; what is decided on it is told, with the line counted from the beginning of the function."""

    def decided(kind: str, origin: str, filename: str, line: int) -> None:
        assert filename == __file__
        told.append((kind, origin, line))

    return StandIn("fit#1", Decisions(decided))


def lines(told: Told, function: Callable[..., Any]) -> list[tuple[str, str, int]]:
    """What was told, with lines counted from that of a function's first statement as 1."""
    return [(kind, origin, line - function.__code__.co_firstlineno) for kind, origin, line in told]


def kinds(told: Told) -> list[str]:
    return [kind for kind, _, _ in told]


# -- what it tolerates ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("use", "origin"),
    [
        (lambda it: it.model["weights"](3).shape, "fit#1.model['weights'](...).shape"),
        (lambda it: it[0, 1:2], "fit#1[(0, slice(1, 2, None))]"),
        (lambda it: it + 1, "(fit#1 + 1)"),
        (lambda it: 1 - it, "(1 - fit#1)"),
        (lambda it: "a" + it, "('a' + fit#1)"),
        (lambda it: [1] * it, "([1] * fit#1)"),
        (lambda it: it.a @ it.b, "(fit#1.a @ fit#1.b)"),
        (lambda it: -it / 2, "(-fit#1 / 2)"),
        (lambda it: divmod(it, 3)[1], "(fit#1 % 3)"),
        (lambda it: divmod(3, it)[0], "(3 // fit#1)"),
        (
            lambda it: ~(((it << 1 >> 2) | (4 & it ^ 1)) ** 2),
            "~((((fit#1 << 1) >> 2) | ((4 & fit#1) ^ 1)) ** 2)",
        ),
        (lambda it: abs(round(it, 2)), "abs(round(fit#1, 2))"),
        (
            lambda it: math.floor(it) + math.ceil(it) + math.trunc(it),
            "((floor(fit#1) + ceil(fit#1)) + trunc(fit#1))",
        ),
        (lambda it: +it, "fit#1"),
        (lambda it: sum(it), "(0 + fit#1[0])"),
        (lambda it: Path("a") / it, "(<PosixPath> / fit#1)"),
        (lambda it: it + np.ones(3), "(fit#1 + <ndarray>)"),
        (lambda it: it > 0.5, "(fit#1 > 0.5)"),
        (lambda it: it < 0.5, "(fit#1 < 0.5)"),
        (lambda it: it == "done", "(fit#1 == 'done')"),
        (lambda it: it._asdict(), "fit#1._asdict(...)"),
        (lambda it: it["x" * 500], "fit#1['xxxxxxxxxxxx...xxxxxxxxxxxxx']"),
    ],
)
def test_what_code_makes_of_it_is_one_and_says_what_it_stands_for(it: Any, use: Any, origin: str) -> None:
    made = use(it)
    assert isinstance(made, StandIn)
    assert repr(made) == f"<stand-in for {origin}>"


def test_it_can_be_shown_in_any_form(it: Any) -> None:
    shown = "<stand-in for fit#1>"
    assert [str(it), f"{it}", f"{it:.2f}", f"{it!s:>3}", "%s" % it, "{}".format(it)] == [shown] * 6  # noqa: UP031, UP032


def test_it_says_little_however_long_it_goes_on(it: Any) -> None:
    for number in range(10_000):
        it = (it + number).rows[number]
    assert len(repr(it)) < 200


def test_it_is_a_number_where_one_is_needed(it: Any) -> None:
    assert (int(it), float(it), complex(it), len(it), math.sqrt(it)) == (1, 1.0, 1, 1, 1)
    assert list(range(9))[it] == 1
    assert list(range(it)) == [0]
    assert [1, 2, 3][:it] == [1]


def test_it_has_one_item_or_as_many_as_an_unpacking_takes(it: Any, told: Told) -> None:
    assert [str(each) for each in it] == ["<stand-in for fit#1[0]>"]
    _, _, third = it
    (left, _), *rest, last = it.pairs
    assert [third._origin, left._origin, last._origin] == ["fit#1[2]", "fit#1.pairs[0][0]", "fit#1.pairs[2]"]
    assert len(rest) == 1
    assert dict(**it) == {}
    assert len(list(it)) == len([*it]) == len(dict(it)) == len({**it}) == 1
    assert kinds(told)[1:5] == ["unpacking"] * 3 + ["unpacking"]


def test_more_than_255_items_are_unpacked(it: Any) -> None:
    names = ", ".join(f"a{number}" for number in range(300))
    space: dict[str, Any] = {"it": StandIn("it")}
    exec(f"{names} = it", space)
    assert space["a299"]._origin == "it[299]"


def test_it_keeps_what_is_set_and_takes_what_is_put_in(it: Any) -> None:
    it.count += 1
    assert it.count._origin == "(fit#1.count + 1)"
    it["rows"] += 2
    del it["rows"]
    assert it["rows"]._origin == "fit#1['rows']"


async def test_it_goes_with_with_and_async(it: Any) -> None:
    with it as entered, it.lock:
        assert entered is it
    async with it as entered:
        assert entered is it
    assert [each._origin async for each in it] == ["fit#1[0]"]
    with pytest.raises(ZeroDivisionError), it:
        raise ZeroDivisionError


def test_it_is_equal_only_to_itself_and_can_be_found_again(it: Any) -> None:
    others = [it.a, it.b, it, it.c]
    assert others.index(it) == 2
    assert others.count(it) == 1
    assert len({it, it.a, it}) == 2
    same = it
    assert bool(it == same) is True
    assert bool(it != same) is False
    assert bool(it == it.a) is False
    assert {it: 1}[it] == 1


def test_copies_are_the_same_and_pickles_stand_for_the_same(it: Any) -> None:
    assert copy.copy(it) is it
    assert copy.deepcopy([it])[0] is it
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps([it, it > 1], protocol))
        assert repr(again) == repr([it, it > 1])
    pretending = StandIn("fit#1", pretends=Path)
    assert isinstance(pickle.loads(pickle.dumps(pretending)), Path)


def test_it_is_no_json(it: Any) -> None:
    with pytest.raises(TypeError, match="StandIn is not JSON serializable"):
        json.dumps(it)


@pytest.mark.parametrize(
    "name", ["__await__", "__fspath__", "__next__", "__array_interface__", "_private", "_repr_html_"]
)
def test_it_refuses_protocols_that_would_take_it_for_something_else(it: Any, name: str) -> None:
    assert not hasattr(it, name)


@pytest.mark.parametrize("use", ["it.get('u')", "it.ready", "it[0]", "it.a.b(1)", "it()"])
async def test_what_is_taken_out_of_it_may_be_awaited_and_gives_a_value(it: Any, use: str) -> None:
    part = eval(use, {"it": it})
    value = await part
    assert value._origin == part._origin and not hasattr(value, "__await__")
    assert (await asyncio.gather(part))[0]._origin == part._origin
    with pytest.raises(TypeError, match="StandIn"):
        await it


@pytest.mark.parametrize("made", ["it + 1", "it > 1", "(it > 1).all()", "abs(it.a)", "it.a + it.b"])
def test_what_is_worked_out_of_it_is_a_value(it: Any, made: str) -> None:
    assert not hasattr(eval(made, {"it": it}), "__await__")


def test_numpy_takes_it_for_an_array_of_one_number(it: Any) -> None:
    assert np.asarray(it).tolist() == [1.0]
    assert (np.ones(3) + it).tolist() == [2.0, 2.0, 2.0]
    assert np.asarray(it, dtype=int).dtype == int


@pytest.mark.parametrize(
    "use",
    [
        open,
        os.close,
        os.dup,
        lambda it: open(it),  # noqa: SIM115 - it is not to open
        lambda it: os.open(it, 0),
        lambda it: os.fdopen(it),
        lambda it: shutil.copy(it, "nowhere"),
        lambda it: Path(it),
        lambda it: ThreadPoolExecutor(1).submit(open, it).result(),
    ],
)
def test_it_is_never_taken_for_an_open_file(it: Any, use: Any) -> None:
    with pytest.raises(TypeError):
        use(it)
    os.fstat(1)


def test_code_without_a_source_does_not_open_it_either() -> None:
    for text in ("open(it)", "__import__('os').close(it)", "(lambda: open(it))()"):
        with pytest.raises(TypeError):
            exec(text, {"it": StandIn("it")})
    os.fstat(1)
    assert eval("list(range(it))", {"it": StandIn("it")}) == [0]


# -- what it tells of decisions ---------------------------------------------------------------------------


def test_each_kind_of_decision_is_told_with_its_line(it: Any, told: Told) -> None:
    def decides() -> None:
        if it:
            pass
        if not it.ok and it.size > 3:
            pass
        elif it.other:
            it()
        while it.left:
            pass
        for _ in it.rows:
            pass
        _ = 1 if it.small else 2
        assert it.sound
        _ = [row for row in it.rows if row.good]
        _ = {key: value for key, value in it.items()}
        match it.name:
            case "a":
                pass
        _ = it.value or 3
        _ = bool(it), len(it), 3 in it, list(it), int(it), float(it), range(it)
        _ = it.x < 2 or max(it.x, it.y)
        for _ in range(len(it.n)):
            pass

    decides()
    assert lines(told, decides) == [
        ("if", "fit#1", 1),
        ("if", "fit#1.ok", 3),
        ("if", "fit#1.other", 5),
        ("while", "fit#1.left", 7),
        ("while", "fit#1.left", 7),
        ("for", "fit#1.rows", 9),
        ("if", "fit#1.small", 11),
        ("assert", "fit#1.sound", 12),
        ("for", "fit#1.rows", 13),
        ("if", "fit#1.rows[0].good", 13),
        ("for", "fit#1.items(...)", 14),
        ("unpacking", "fit#1.items(...)[0]", 14),
        ("match", "(fit#1.name == 'a')", 16),
        ("bool", "fit#1.value", 18),
        ("bool", "fit#1", 19),
        ("length", "fit#1", 19),
        ("membership", "fit#1", 19),
        ("iteration", "fit#1", 19),
        ("int", "fit#1", 19),
        ("float", "fit#1", 19),
        ("index", "fit#1", 19),
        ("comparison", "(fit#1.x < 2)", 20),
        ("for", "fit#1.n", 21),
    ]


async def test_decisions_of_coroutines_are_told(it: Any, told: Told) -> None:
    async def decides() -> None:
        async for _ in it:
            pass
        _ = [row async for row in it if row]

    await decides()
    assert lines(told, decides) == [("for", "fit#1", 1), ("for", "fit#1", 3), ("if", "fit#1[0]", 3)]


def test_a_decision_in_a_lambda_or_a_call_is_told_where_it_is_taken(it: Any, told: Told) -> None:
    def decides() -> None:
        sorted(
            [it.a, it.b],
            key=lambda each: each.error,
        )
        if any(row.ok for row in it):
            pass

    decides()
    assert [(kind, origin) for kind, origin, _ in told] == [
        ("comparison", "(fit#1.b.error < fit#1.a.error)"),
        ("for", "fit#1"),
        ("if", "fit#1[0].ok"),
    ]


def test_code_without_a_source_is_told_by_what_it_asks() -> None:
    told: list[tuple[str, str, str, int]] = []
    it = StandIn("it", Decisions(lambda *each: told.append(each)))
    exec("if it: pass\nfor x in it: pass\nwhile it > 1: pass", {"it": it})
    assert told[:2] == [("bool", "it", "<string>", 1), ("iteration", "it", "<string>", 2)]
    assert set(told[2:]) == {("comparison", "(it > 1)", "<string>", 3)}


def test_who_is_told_cannot_hurt_and_is_asked_no_more(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[str] = []

    def broken(kind: str, *more: Any) -> None:
        calls.append(kind)
        raise ValueError("broken")

    it = StandIn("it", Decisions(broken))
    answers = [bool(it), bool(it)]
    assert answers == [True, True]
    assert calls == ["bool"]
    assert "decisions on stand-ins failed" in caplog.text


# -- what it finds ----------------------------------------------------------------------------------------


def rounds(loop: Iterator[Any]) -> int:
    """How often a loop goes round."""
    return sum(1 for _ in loop)


def compares(it: Any) -> Iterator[None]:
    while it.error > 0.1:
        it = it.better
        yield


def compares_both(it: Any) -> Iterator[None]:
    while it.error > 0.1 and it.steps < 5:
        it = it.better
        yield


def asks(it: Any) -> Iterator[None]:
    while it.more:
        it = it.next()
        yield


def asks_both(it: Any) -> Iterator[None]:
    while it.more and it.left:
        yield


def asks_not(it: Any) -> Iterator[None]:
    while not it.done:
        yield


def counts(it: Any) -> Iterator[None]:
    while len(it.queue) > 0:
        yield


def counts_down(it: Any) -> Iterator[None]:
    while int(it):
        it -= 1
        yield


def lists(it: Any) -> Iterator[None]:
    while list(it):
        yield


def looks_for(it: Any) -> Iterator[None]:
    while "x" in it:
        yield


def asks_all(it: Any) -> Iterator[None]:
    while all(row.open for row in it.rows):
        yield


def breaks(it: Any) -> Iterator[None]:
    while True:
        if it.error < 0.1:
            break
        yield


def goes_on(it: Any) -> Iterator[None]:
    while True:
        if it.error > 0.1:
            yield
            continue
        break


@pytest.mark.parametrize(
    ("loop", "times"),
    [
        (compares, 1),
        (compares_both, 1),
        (asks, 1),
        (asks_both, 1),
        (asks_not, 0),
        (counts, 1),
        (counts_down, 1),
        (lists, 1),
        (looks_for, 1),
        (asks_all, 1),
        (breaks, 0),
        (goes_on, 1),
    ],
)
def test_a_loop_on_a_stand_in_goes_round_once_at_most(it: Any, loop: Any, times: int) -> None:
    assert rounds(loop(it)) == times


def test_a_comparison_is_true_once_for_each_place_in_the_source_and_each_run(it: Any) -> None:
    def worse(each: Any) -> bool:
        return bool(each.error > 0.1)

    assert [worse(it), worse(it), worse(it.other)] == [True, False, False]
    assert bool(it.error > 0.1) is True
    assert worse(StandIn("fit#2", Decisions())) is True


def test_a_comparison_that_was_decided_stays_as_it_is(it: Any) -> None:
    answers = []
    for _ in range(3):
        worse = it.error > 0.1
        answers.append((bool(worse), bool(worse), bool(worse)))
    assert answers == [(True,) * 3, (False,) * 3, (False,) * 3]


def test_what_is_made_of_a_comparison_is_one(it: Any) -> None:
    def agree() -> list[bool]:
        return [bool((it > 1).all()), bool(~(it > 1)), bool((it > 1) & (it < 2))]

    assert [agree(), agree()] == [[True] * 3, [False] * 3]


def test_guards_let_a_result_pass_however_often(it: Any) -> None:
    for number in range(100):
        if not it.rows[number]:
            raise AssertionError
        assert it.sound


def test_a_loop_that_never_ends_by_itself_ends() -> None:
    it: Any = StandIn("it")
    while True:
        if not it.next():
            break
