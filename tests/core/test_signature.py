"""A call's arguments are refused exactly when the function itself would refuse them, and in words."""

from __future__ import annotations

import functools
import inspect
import string
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from profiles import examples

from asyncflow._core.signature import Parameters


def none() -> None: ...
def one(a: int) -> None: ...
def defaulted(a: int, b: int = 2) -> None: ...
def by_position(a: int, b: int = 2, /) -> None: ...
def by_position_and_any_keyword(a: int = 1, /, **rest: int) -> None: ...
def by_keyword(*, a: int, b: int = 2) -> None: ...
def optional_by_keyword(a: int, *, b: int = 2) -> None: ...
def anything(*args: int, **kwargs: int) -> None: ...
def at_least_one(a: int, *rest: int) -> None: ...
def all_kinds(a: int, /, b: int, c: int = 3, *args: int, d: int, e: int = 5, **kwargs: int) -> None: ...
async def coroutine(a: int, b: int = 2) -> None: ...


class Model:
    """Everything of a class that can be called."""

    def __init__(self, a: int, b: int = 2) -> None: ...
    def method(self, a: int, b: int = 2) -> None: ...
    @classmethod
    def of_class(cls, a: int) -> None: ...
    @staticmethod
    def static(a: int) -> None: ...
    def __call__(self, a: int, *, b: int) -> None: ...


def wrapper_that_adds_an_argument(fn: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(fn)
    def wrapper(*args: int) -> None:
        fn(0, *args)

    return wrapper


with_session = wrapper_that_adds_an_argument(defaulted)

CALLABLES: dict[str, Callable[..., Any]] = {
    fn.__name__: fn
    for fn in (
        none,
        one,
        defaulted,
        by_position,
        by_position_and_any_keyword,
        by_keyword,
        optional_by_keyword,
        anything,
        at_least_one,
        all_kinds,
    )
} | {
    "lambda": lambda a, b=1: None,
    "class": Model,
    "method": Model(1).method,
    "function of a class": Model.method,
    "class method": Model.of_class,
    "static method": Model.static,
    "callable object": Model(1),
    "partial by position": functools.partial(defaulted, 1),
    "partial by keyword": functools.partial(defaulted, a=1),
    "partial of all kinds": functools.partial(all_kinds, 1, c=4, d=5),
    "partial of a method": functools.partial(Model(1).method, b=3),
    "builtin": id,
    "builtin method": [].append,
    "builtin with keywords": "".expandtabs,
}


def problem(call: Callable[[], Any]) -> TypeError | None:
    try:
        call()
    except TypeError as error:
        return error
    return None


arguments = st.lists(st.just(1), max_size=7).map(tuple)
keywords = st.dictionaries(st.sampled_from("abcdex"), st.just(1), max_size=6)


@pytest.mark.parametrize("fn", CALLABLES.values(), ids=CALLABLES)
@settings(examples(60))
@given(args=arguments, kwargs=keywords)
@example(args=(), kwargs={})
@example(args=(1,), kwargs={})
@example(args=(), kwargs={"a": 1})
@example(args=(1, 1), kwargs={"d": 1})
@example(args=(), kwargs={"a": 1, "d": 1})
def test_arguments_are_refused_exactly_when_the_call_would_refuse_them(
    fn: Callable[..., Any], args: tuple[int, ...], kwargs: dict[str, int]
) -> None:
    fitted = Parameters(fn, "fit").fitted
    refused = problem(lambda: fitted(args, kwargs))
    assert (refused is None) == (problem(lambda: fn(*args, **kwargs)) is None)


@st.composite
def functions(draw: st.DrawFn) -> Callable[..., None]:
    """A function with any parameters there can be."""
    names = draw(st.lists(st.sampled_from(string.ascii_lowercase[:6]), unique=True, max_size=6))
    kinds = sorted(draw(st.lists(st.sampled_from(range(5)), min_size=len(names), max_size=len(names))))
    parameters, starred, optional = [], set(), False
    for name, number in zip(names, kinds, strict=True):
        kind = list(inspect._ParameterKind)[number]
        if kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            if kind in starred:
                continue
            starred.add(kind)
            parameters.append(inspect.Parameter(name, kind))
            continue
        positional = kind is not inspect.Parameter.KEYWORD_ONLY
        has_default = (positional and optional) or draw(st.booleans())
        optional = optional or (positional and has_default)
        default = 0 if has_default else inspect.Parameter.empty
        parameters.append(inspect.Parameter(name, kind, default=default))
    made: dict[str, Any] = {}
    exec(f"def made{inspect.Signature(parameters)}: pass", made)
    fn: Callable[..., None] = made["made"]
    return fn


@settings(examples(400))
@given(functions(), arguments, st.dictionaries(st.sampled_from("abcdefx"), st.just(1), max_size=5))
def test_arguments_of_any_function_are_refused_exactly_when_the_call_would_refuse_them(
    fn: Callable[..., None], args: tuple[int, ...], kwargs: dict[str, int]
) -> None:
    fitted = Parameters(fn, "fit").fitted
    for _ in range(2):  # what is made for the first check serves the second
        refused = problem(lambda: fitted(args, kwargs))
        assert (refused is None) == (problem(lambda: fn(*args, **kwargs)) is None)


def test_checking_never_runs_the_function() -> None:
    def explode(a: int, b: int = 2) -> None:
        raise AssertionError

    for args, kwargs in (((1,), {}), ((1,), {"b": 2})):
        Parameters(explode, "explode").fitted(args, kwargs)


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        (
            (),
            {},
            "fit() missing a required argument: 'a'; its parameters are (a: 'int', b: 'int' = 2) -> 'None'",
        ),
        ((1, 2, 3), {}, "fit() too many positional arguments; its parameters are"),
        ((1,), {"degree": 3}, "fit() got an unexpected keyword argument 'degree'; its parameters are"),
        (
            (1,),
            {"bb": 3},
            "fit() got an unexpected keyword argument 'bb' (did you mean 'b'?); its parameters are",
        ),
        (
            (),
            {"aa": 3},
            "fit() missing a required argument: 'a' ('aa' is no parameter; did you mean 'a'?); its parameters are",
        ),
        (
            (1,),
            {"timeout": 3},
            "fit() got an unexpected keyword argument 'timeout' (options go before the call:  fit.with_options(",
        ),
        ((1,), {"a": 3}, "fit() multiple values for argument 'a'; its parameters are"),
    ],
)
def test_a_refusal_names_the_task_the_problem_and_the_parameters(
    args: tuple[int, ...], kwargs: dict[str, int], message: str
) -> None:
    error = problem(lambda: Parameters(defaulted, "fit", options=lambda: ["timeout"]).fitted(args, kwargs))
    assert error is not None
    assert str(error).startswith(message)
    assert "(a: 'int', b: 'int' = 2)" in str(error)
    assert error.__suppress_context__


def test_a_coroutine_function_is_checked_when_it_is_called_and_not_when_it_is_awaited() -> None:
    fitted = Parameters(coroutine, "coroutine").fitted
    fitted((1,), {"b": 2})
    with pytest.raises(TypeError, match="missing a required argument: 'a'"):
        fitted((), {"b": 2})


@pytest.mark.parametrize("fn", [min, iter, dict])
def test_a_builtin_that_tells_no_signature_is_taken_to_accept_everything(fn: Callable[..., Any]) -> None:
    parameters = Parameters(fn, "fn")
    assert parameters.signature is None
    parameters.fitted((1, 2, 3), {})
    parameters.fitted((), {"anything": 1})


def test_a_wrapper_that_gives_an_argument_itself_is_not_asked_for_it() -> None:
    # functools.wraps makes it show (a, b=2), of which its users give one at most
    fitted = Parameters(with_session, "with_session").fitted
    fitted((), {})
    fitted((1,), {})
    with_session(1)
    with pytest.raises(TypeError, match="unexpected keyword argument 'b'"):
        fitted((), {"b": 2})


def test_parameters_that_only_c_can_have_are_checked_too() -> None:
    def fn(*args: int, **kwargs: int) -> None: ...

    fn.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter("from", inspect.Parameter.POSITIONAL_ONLY),
            inspect.Parameter("flags", inspect.Parameter.KEYWORD_ONLY, default=0),
        ]
    )
    fitted = Parameters(fn, "fn").fitted
    fitted((1,), {"flags": 2})
    with pytest.raises(TypeError, match="'from'"):
        fitted((), {"flags": 2})


def test_a_default_of_any_class_is_only_a_default() -> None:
    class Hostile:
        def __repr__(self) -> str:
            raise AssertionError

        def __eq__(self, other: object) -> bool:
            raise AssertionError

        __hash__ = None  # type: ignore[assignment]

    def fn(a: int, b: Any = Hostile()) -> None: ...  # noqa: B008

    fitted = Parameters(fn, "fn").fitted
    fitted((1,), {})
    fitted((1,), {"b": 2})
