"""Resources: what a task is given by its worker, which sets it up once and keeps it.

A function asks for one by a parameter, as its default or in its annotation. It travels as it is: whoever is about to
call it, here or in another process, looks at its parameters and gives it what it asks for.
"""

from __future__ import annotations

import inspect
import sys
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import reduce, update_wrapper
from importlib import import_module
from types import FrameType, FunctionType
from typing import Annotated, Any, Final, TypeAlias, get_args, get_origin

from .by_value import known
from .by_value.modules import importable
from .store import Store

_MADE: Final[list[bool]] = []
"""Is not empty once there is a resource in this process."""
_KNOWN: Final[weakref.WeakKeyDictionary[FunctionType, tuple[object, object, Needs]]] = (
    weakref.WeakKeyDictionary()
)
"""Of functions that were looked at: their defaults, which may be exchanged, and what they ask for."""
_BY_NAME: Final = sys.maxsize
_NOTED: Final = "__asyncflow_resources__"
"""An attribute of functions: resources that their annotations ask for, by parameter."""
Needs: TypeAlias = "tuple[tuple[int, str, Resource], ...]"
"""Of a function: the place of a parameter among positional ones, its name, and the resource that it asks for."""


class Resource:
    """A generator function that sets something up, yields it, and tears it down when the worker goes.

    Args:
        fn: a generator function, or an async one.

    Raises:
        TypeError: it is none, or it has a parameter that nobody gives a value.
    """

    def __init__(self, fn: Callable[..., Any]) -> None:
        self.is_async = inspect.isasyncgenfunction(fn)
        if not self.is_async and not inspect.isgeneratorfunction(fn):
            raise TypeError(
                f"@engine.resource got {fn!r}; a function is needed that yields its value once:\n"
                "  def database():\n      connection = connect()\n      yield connection\n      connection.close()"
            )
        update_wrapper(self, fn)  # the name and the module, by which it is found again
        self.fn = fn
        self.name = fn.__name__
        self.needs = needs_of(fn)
        _check(self)
        _MADE.append(True)

    def __reduce__(self) -> tuple[object, ...]:
        where = importable(self)
        return (_imported, where) if where is not None else (_rebuilt, (known.token_of(self), self.fn))

    def __call__(self, *args: object, **kwargs: object) -> Any:
        raise TypeError(
            f"resource {self.name!r} was called; tasks ask for it:  def task(..., {self.name}={self.name}): ...\n"
            f"  The plain generator function, for tests, is {self.name}.fn"
        )

    def __repr__(self) -> str:
        return f"<resource {self.name}>"


def _check(resource: Resource) -> None:
    names = {name for _, name, _ in resource.needs}
    for name, parameter in inspect.signature(resource.fn).parameters.items():
        is_given = name in names or parameter.default is not parameter.empty
        if not is_given and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(
                f"resource {resource.name!r} has a parameter {name!r} that nobody gives a value: a default, as another "
                "resource, is needed"
            )
    later = next((each for _, _, each in resource.needs if each.is_async), None)
    if later is not None and not resource.is_async:
        raise TypeError(
            f"resource {resource.name!r} is a def and needs {later.name!r}, which is an async generator.\n"
            f"  Make it one, too:  async def {resource.name}(...)"
        )


def _imported(module: str, path: str) -> object:
    return reduce(getattr, path.split("."), import_module(module))


def _rebuilt(token: known.Token, fn: Callable[..., object]) -> Resource:
    found: Resource | None = known.known(token)
    if found is None:
        found = Resource(fn)
        known.remember(token, found)
    return found


def needs_of(fn: object) -> Needs:
    """What a function asks for.

    Raises:
        TypeError: by a parameter that it cannot be given.
    """
    if not _MADE:
        return ()
    if not isinstance(fn, FunctionType):
        return _asked_by(fn)
    known = _KNOWN.get(fn)
    if known is None or known[0] is not fn.__defaults__ or known[1] is not fn.__kwdefaults__:
        known = _KNOWN[fn] = fn.__defaults__, fn.__kwdefaults__, _asked_by(fn)
    return known[2]


def _asked_by(fn: Any) -> Needs:
    try:
        signature = inspect.signature(fn)
    except Exception:  # it tells none, or its annotations, which are code of the user's, have raised
        return ()
    is_wrapper = hasattr(fn, "__wrapped__")  # which may take other arguments by position
    plain = inspect.unwrap(fn)
    found = []
    for place, (name, parameter) in enumerate(signature.parameters.items()):
        resource = parameter.default
        if not isinstance(resource, Resource):
            resource = _annotated(name, parameter.annotation, plain)
        if resource is None:
            continue
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise TypeError(
                f"{fn.__name__}(): parameter {name!r} asks for {resource!r}, and can be given it only by its name; "
                "remove the  /  behind it"
            )
        by_place = parameter.kind is parameter.POSITIONAL_OR_KEYWORD and not is_wrapper
        found.append((place if by_place else _BY_NAME, name, resource))
    return tuple(found)


def _annotated(name: str, annotation: object, fn: object) -> Resource | None:
    """The resource in ``Annotated[T, resource]``."""
    noted: dict[str, Resource] = getattr(fn, _NOTED, {})
    if name in noted:
        return noted[name]
    if isinstance(annotation, str):
        annotation = _evaluated(annotation, fn)
    if get_origin(annotation) is not Annotated:
        return None
    resource = next((each for each in get_args(annotation)[1:] if isinstance(each, Resource)), None)
    if resource is not None and isinstance(fn, FunctionType):
        # Text in an annotation may mean what only the code around it knows: the function takes it along.
        setattr(fn, _NOTED, {**noted, name: resource})
    return resource


def _evaluated(annotation: str, fn: object) -> object:
    """What the text of an annotation means where the function is being defined; None if nobody knows: it may be there
    for type checkers only, or not yet."""
    if not isinstance(fn, FunctionType):
        return None
    frame: FrameType | None = sys._getframe(1)
    inner: dict[str, object] = {}
    while True:
        with suppress(Exception):
            return eval(annotation, fn.__globals__, inner)
        while frame is not None and frame.f_globals is not fn.__globals__:
            frame = frame.f_back
        if frame is None:
            return None
        inner, frame = {**frame.f_locals, **inner}, frame.f_back


async def value_later(store: Store, resource: Resource) -> object:
    """The value of a resource for a coroutine."""
    if resource in store.values:
        return store.values[resource]
    if not resource.is_async:
        return store.value(resource)
    from .async_resources import set_up

    return await set_up(store, resource)
