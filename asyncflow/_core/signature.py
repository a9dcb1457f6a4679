"""Tells whether arguments fit a function, fast when they do and in the standard library's words when not."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import update_wrapper
from types import FunctionType
from typing import Any, Final

from .._causes import spelled
from .arguments import holds_futures
from .containers import Kinds
from .files import declared

_NO_RESOURCES: Final[Mapping[str, object]] = {}
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Parameters:
    """The parameters of one function.

    Args:
        fn: any callable; one that tells no signature, as some of C, is taken to accept everything. Of a wrapper
            that shows the signature of what it wraps, its own parameters count: it may add arguments or drop some.
        name: the task's name, for the error.
        kinds: what each class is, for futures among the defaults; None if there are none.
        options: tells the names of those that the task has, for the error.
        resources: what parameters are given that need not be in a call, by name.

    Raises:
        TypeError: a parameter that a call has to give stands behind one that it has not.
    """

    __slots__ = ("_accept", "_defaults", "_futures", "_name", "_options", "least", "most", "signature")

    def __init__(
        self,
        fn: Callable[..., object],
        name: str,
        kinds: Kinds | None = None,
        options: Callable[[], Sequence[str]] = tuple,
        resources: Mapping[str, object] = _NO_RESOURCES,
    ) -> None:
        self._name = name
        self._options = options
        self.signature = _signature(fn)
        if resources and self.signature is not None:
            self.signature = _with_defaults(self.signature, name, resources)
        self._futures = (
            {} if kinds is None else _defaults(self.signature, lambda each: holds_futures(each, kinds))
        )
        self._defaults = {
            **_defaults(self.signature, lambda each: bool(declared((each,), {}))),
            **self._futures,
        }
        # With any of these among the defaults no number of arguments is simply right: those that are left out matter.
        self.least, self.most = (1, 0) if self._defaults else _simple_range(self.signature)
        self._accept: Callable[..., None] | None = None

    def fitted(
        self, args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> tuple[tuple[object, ...], Mapping[str, object]]:
        """The arguments of a call, completed by those defaults that declare files or contain futures.

        Raises:
            TypeError: they do not fit; the words are those of calling the function.
        """
        self._check(args, kwargs)
        if not self._defaults or self.signature is None:
            return args, kwargs
        bound = self.signature.bind(*args, **kwargs)
        for name, default in self._defaults.items():
            bound.arguments.setdefault(name, default)
        for parameter in self.signature.parameters.values():  # of those that cannot be named, no gap is left
            if parameter.kind is parameter.POSITIONAL_ONLY and parameter.default is not parameter.empty:
                bound.arguments.setdefault(parameter.name, parameter.default)
        return bound.args, bound.kwargs

    def without_futures(self, fn: Callable[..., object]) -> Callable[..., object]:
        """The function, with None in place of each default that contains a future: calls pass the value of that
        instead, and a copy of the function that goes to another process must not contain a future."""
        if not self._futures or not isinstance(fn, FunctionType):
            return fn
        bare: Any = FunctionType(fn.__code__, fn.__globals__, fn.__name__, None, fn.__closure__)
        update_wrapper(bare, fn, updated=("__dict__",))
        del bare.__wrapped__  # it is no wrapper
        left = {id(each) for each in self._futures.values()}
        bare.__defaults__ = (
            tuple(None if id(each) in left else each for each in fn.__defaults__ or ()) or None
        )
        bare.__kwdefaults__ = {
            name: None if id(each) in left else each for name, each in (fn.__kwdefaults__ or {}).items()
        }
        return bare  # type: ignore[no-any-return]

    def _check(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> None:
        if not kwargs and self.least <= len(args) <= self.most:  # callers in a hurry look themselves
            return
        if self.signature is None:
            return
        if self._accept is None:
            self._accept = _acceptor(self.signature)
        try:
            self._accept(*args, **kwargs)
        except TypeError as refusal:
            problem = refusal
            try:
                self.signature.bind(*args, **kwargs)
            except TypeError as in_better_words:
                problem = in_better_words
            meant = self._meant(kwargs, str(problem))
            told = f"{self._name}() {problem}{meant}; its parameters are {self.signature}"
            raise TypeError(spelled(told)) from None

    def _meant(self, kwargs: Mapping[str, object], problem: str) -> str:
        """What may have been meant by the first keyword that is no parameter; "" if nobody can say."""
        there: Mapping[str, object] = {} if self.signature is None else self.signature.parameters
        unknown = next((name for name in kwargs if name not in there), None)
        if unknown is None:
            return ""
        import difflib

        close = difflib.get_close_matches(unknown, there, 1)
        what = "" if repr(unknown) in problem else f"{unknown!r} is no parameter; "  # one is missing, too
        near = f" ({what}did you mean {close[0]!r}?)" if close else ""
        if unknown in self._options():
            near += f" (options go before the call:  {self._name}.with_options({unknown}=...)(...))"
        return near


def names_of(fn: Callable[..., object], args: Sequence[object], kwargs: Mapping[str, object]) -> list[str]:
    """The names of the arguments of a call: the parameter's, or a number where the signature is not known."""
    names: list[str] = []
    signature = _signature(fn)
    for parameter in signature.parameters.values() if signature is not None else ():
        if parameter.kind in _POSITIONAL:
            names.append(parameter.name)
        elif parameter.kind is parameter.VAR_POSITIONAL:
            names += [f"*{parameter.name}"] * len(args)
    names += [str(number) for number in range(len(names) + 1, len(args) + 1)]
    return [*names[: len(args)], *kwargs]


def _defaults(signature: inspect.Signature | None, is_wanted: Callable[[object], bool]) -> dict[str, object]:
    """Some of the defaults; others stay the function's own matter, as in another process they are others."""
    if signature is None:
        return {}
    defaults = ((each.name, each.default) for each in signature.parameters.values())
    return {name: default for name, default in defaults if is_wanted(default)}


def _signature(fn: Callable[..., object]) -> inspect.Signature | None:
    try:
        return inspect.signature(fn, follow_wrapped=False)
    except (TypeError, ValueError):
        return None


def _with_defaults(
    signature: inspect.Signature, name: str, resources: Mapping[str, object]
) -> inspect.Signature:
    parameters = [
        each.replace(default=resources[each.name]) if each.name in resources else each
        for each in signature.parameters.values()
    ]
    try:
        return signature.replace(parameters=parameters)
    except ValueError:
        raise TypeError(
            f"{name}(): parameters that are given resources stand behind those that calls have to give: "
            f"{', '.join(resources)}"
        ) from None


def _acceptor(signature: inspect.Signature) -> Callable[..., None]:
    """A function with the same parameters and no body: the interpreter itself is right about what fits, and twenty
    times as fast as ``Signature.bind``, which up to Python 3.12 also gets keywords named as positional-only
    parameters wrong.
    """
    empty = inspect.Parameter.empty
    parameters = []
    for number, old in enumerate(signature.parameters.values()):
        # in C a parameter that nobody can name may be called "from"
        name = f"positional_only_{number}" if old.kind is inspect.Parameter.POSITIONAL_ONLY else old.name
        default = empty if old.default is empty else None
        parameters.append(inspect.Parameter(name, old.kind, default=default))
    text = str(inspect.Signature(parameters))
    made: dict[str, Any] = {}
    exec(f"def accept{text}: pass", made)
    accept: Callable[..., None] = made["accept"]
    return accept


def _simple_range(signature: inspect.Signature | None) -> tuple[int, int]:
    """How many positional arguments alone are right for sure; an empty range where that cannot be said."""
    if signature is None:
        return 0, sys.maxsize
    least, most = 0, 0
    for parameter in signature.parameters.values():
        required = parameter.default is inspect.Parameter.empty
        if parameter.kind in _POSITIONAL:
            least, most = least + required, most + 1
        elif parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            most = sys.maxsize
        elif parameter.kind is inspect.Parameter.KEYWORD_ONLY and required:
            return 1, 0
    return least, most
