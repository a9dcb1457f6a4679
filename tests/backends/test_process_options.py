"""The options of worker processes are the same in all backends that have such, though each is written down once."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from asyncflow.backend import ExecutionBackend
from asyncflow.backends.carried import CarriedBackend
from asyncflow.backends.process import ProcessBackend
from asyncflow.backends.process.options import ProcessKeywords, ProcessOptions

SHOWN = inspect.signature(ProcessOptions).parameters
BACKENDS = pytest.mark.parametrize("backend", [ProcessBackend, CarriedBackend])


class OfAPlugin(CarriedBackend):
    """One that takes some of its own."""

    def __init__(self, nodes: int = 1, **more: Any) -> None:
        super().__init__(0, **more)


def test_what_type_checkers_take_is_what_is_taken() -> None:
    assert list(ProcessKeywords.__annotations__) == list(SHOWN)


@BACKENDS
def test_a_backend_shows_each_in_its_signature_and_its_documentation(backend: type[ExecutionBackend]) -> None:
    parameters = inspect.signature(backend).parameters
    assert {name: parameters[name] for name in SHOWN} == dict(SHOWN)
    assert not any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values())
    for name in parameters:
        assert f"\n    {name}: " in (inspect.getdoc(backend) or "")


@pytest.mark.parametrize("backend", [ProcessBackend, CarriedBackend, OfAPlugin])
def test_an_option_that_there_is_not_is_refused_in_the_name_of_the_backend(backend: Any) -> None:
    with pytest.raises(
        TypeError, match=rf"^{backend.__name__}\(\) got an unexpected keyword argument 'wrkers'$"
    ):
        backend(wrkers=2)


@BACKENDS
@pytest.mark.parametrize(
    "given",
    [
        {"recycle_after": -1},
        {"most_memory": 1.5},
        {"stop_grace": "1"},
        {"math_threads": 0},
        {"initializer": 5},
    ],
)
def test_one_that_cannot_be_is_refused_by_its_own_name(backend: Any, given: dict[str, object]) -> None:
    (name,) = given
    with pytest.raises((TypeError, ValueError), match=f"^{name}="):
        backend(**given)
