"""The functions that a worker process was sent, loaded when they are first called."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import reduce
from importlib import import_module
from types import CodeType, TracebackType
from typing import Any, NoReturn

from .gives_resources import with_resources
from .marks import plain_function

Loaded = tuple[Callable[..., object], bool]
"""A function, and whether it touches nothing but its arguments."""


class Functions:
    """Those that are loaded, by number, and the definitions of the others."""

    def __init__(self) -> None:
        self.loaded: dict[int, Loaded] = {}  # where most calls find theirs; else there is `load`
        self._definitions: dict[int, object] = {}
        self._problem: BaseException | None = None
        self._traceback: TracebackType | None = None

    def define(self, number: int, definition: object) -> None:
        """Take a definition: pickled, or the names of a module and of what is in it."""
        self._definitions[number] = definition

    def forget(self, number: int) -> None:
        """Nobody will call it any more."""
        self.loaded.pop(number, None)
        self._definitions.pop(number, None)

    def load(self, number: int) -> Loaded:
        """Load a function that is not loaded yet."""
        if self._problem is not None:
            return self._fail, False
        definition = self._definitions.pop(number)
        try:
            fn = _found(definition)
        except BaseException:
            self._definitions[number] = definition  # the next task of this function fails with the same words
            raise
        fn = with_resources(fn)
        loaded = self.loaded[number] = fn, _touches_nothing(fn)
        return loaded

    def fail_with(self, error: BaseException) -> None:
        """Let whatever is called fail as the initializer has."""
        self._problem, self._traceback = error, error.__traceback__
        self.loaded.clear()

    def _fail(self, *args: object, **kwargs: object) -> NoReturn:
        assert self._problem is not None
        raise self._problem.with_traceback(self._traceback)  # else it would grow with each call


def _found(definition: Any) -> Callable[..., object]:
    if isinstance(definition, bytes):
        fn: Callable[..., object] = pickle.loads(definition)
        return fn
    module, path = definition
    found: object = reduce(getattr, path.split("."), import_module(module))
    plain: Callable[..., object] = plain_function(found)  # by now the name may stand for the decorated task
    return plain


def _touches_nothing(fn: Callable[..., object]) -> bool:
    """Whether a function, called with plain values, can do nothing to the process: its code mentions no global, no
    attribute and no other function. After such a call there is nothing to tidy up."""
    code = getattr(fn, "__code__", None)
    if not isinstance(code, CodeType) or code.co_names or code.co_freevars:
        return False
    return not any(isinstance(constant, CodeType) for constant in code.co_consts)
