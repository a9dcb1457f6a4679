"""What neither pickle nor cloudpickle takes along, or not as what it is: each kind with the way to rebuild it."""

from __future__ import annotations

import dataclasses
import functools
import marshal
import sys
import threading
import typing
import weakref
from collections.abc import Callable
from contextvars import Context, ContextVar
from importlib import import_module
from types import BuiltinMethodType, CellType, CodeType, MethodType
from typing import Any, Final, TypeAlias

from .modules import found_anew, named

Thing: TypeAlias = Any
"""An object of one of the kinds below, with what that kind has."""

_Cached: Final = type(functools.lru_cache(lambda: None))
_Alias: Final = getattr(typing, "TypeAliasType", None)
_DISPATCHES: Final = functools.singledispatch(lambda _: None).__code__  # type: ignore[attr-defined]
_SINGLE: Final = (
    "MISSING",
    "KW_ONLY",
    "_HAS_DEFAULT_FACTORY",
)  # objects of `dataclasses` of which there is one

_Reduced = tuple[Any, ...]


# -- what each process has of its own -------------------------------------------------------------------------


class Fresh:
    """Stands in a pickle for an object that each process makes for itself, such as a lock of a module."""

    def __init__(self, make: Callable[..., object], *args: object) -> None:
        self._reduced = make, args

    def __reduce__(self) -> _Reduced:
        return self._reduced


_OWN: Final[dict[type, Callable[[], object]]] = {
    type(threading.Lock()): threading.Lock,
    type(threading.RLock()): threading.RLock,
    threading.Condition: threading.Condition,
    threading.Event: threading.Event,
    threading.local: threading.local,
}


def sendable(names: dict[str, object], module: str | None) -> dict[str, object]:
    """The names of a module or a class with their values, where a stand-in takes the place of each value that every
    process has of its own, such as a lock. ``module`` is where workers may import them from."""
    return {name: _standing(name, value, module) for name, value in names.items()}


def _standing(name: str, value: Any, module: str | None) -> object:
    cls = type(value)
    if (
        cls not in _OWN
        and cls is not ContextVar
        and cls not in (threading.Semaphore, threading.BoundedSemaphore)
    ):
        return value
    if module is not None and found_anew(module):
        return Fresh(from_module, module, name)
    if cls in _OWN:
        return Fresh(_OWN[cls])
    if cls is ContextVar:
        return Fresh(context_variable, value.name, *_default(value))
    return Fresh(cls, getattr(value, "_initial_value", value._value))


def _default(variable: ContextVar[object]) -> tuple[object, ...]:
    try:
        return (Context().run(variable.get),)
    except LookupError:
        return ()


def context_variable(name: str, *default: object) -> ContextVar[object]:
    """A context variable, with a default value or none."""
    return ContextVar(name, default=default[0]) if default else ContextVar(name)


def from_module(module: str, path: str) -> object:
    """What a module that can be imported has under a name."""
    return functools.reduce(getattr, path.split("."), import_module(module))


# -- kinds ----------------------------------------------------------------------------------------------------


def _by_name(thing: Thing) -> bool:
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", thing.__name__)
    return isinstance(module, str) and found_anew(module) and named(module, name) is thing


def _new_type(thing: Thing) -> _Reduced:
    return new_type, (thing.__name__, thing.__supertype__, thing.__module__, thing.__qualname__)


def new_type(name: str, base: Any, module: str, path: str) -> object:
    """A `typing.NewType`."""
    made: object = typing.NewType(name, base)  # type: ignore[misc]
    made.__module__, made.__qualname__ = module, path
    return made


def _cached(thing: Thing) -> _Reduced:
    asked = thing.cache_parameters()
    return cached, (thing.__wrapped__, asked["maxsize"], asked["typed"])


def cached(fn: Callable[..., object], size: int | None, typed: bool) -> object:
    """A function with a cache, which is empty."""
    return functools.lru_cache(size, typed)(fn)  # which copies the attributes, too


def _type_var(thing: Thing) -> _Reduced:
    options = {"covariant": thing.__covariant__, "contravariant": thing.__contravariant__}
    return type_var, (
        thing.__name__,
        thing.__bound__,
        thing.__constraints__,
        thing.__module__,
        options,
        _rest(thing),
    )


def type_var(
    name: str, bound: object, constraints: tuple[object, ...], module: str, options: Any, rest: dict[str, Any]
) -> object:
    """A type variable."""
    return _of_module(typing.TypeVar(name, *constraints, bound=bound, **options, **rest), module)


def _param_spec(thing: Thing) -> _Reduced:
    options = {"covariant": thing.__covariant__, "contravariant": thing.__contravariant__}
    return param_spec, (thing.__name__, thing.__bound__, thing.__module__, options | _rest(thing))


def param_spec(name: str, bound: object, module: str, options: dict[str, Any]) -> object:
    """A `typing.ParamSpec`."""
    return _of_module(typing.ParamSpec(name, bound=bound, **options), module)


def _type_var_tuple(thing: Thing) -> _Reduced:
    return type_var_tuple, (thing.__name__, thing.__module__, _rest(thing))


def type_var_tuple(name: str, module: str, rest: dict[str, object]) -> object:
    """A `typing.TypeVarTuple`."""
    return _of_module(typing.TypeVarTuple(name, **rest), module)


def _rest(thing: Thing) -> dict[str, Any]:
    """What type variables have in later versions of Python."""
    rest = {}
    if getattr(thing, "__infer_variance__", False):
        rest["infer_variance"] = True
    if getattr(thing, "has_default", lambda: False)():
        rest["default"] = thing.__default__
    return rest


def _of_module(thing: object, module: str) -> object:
    try:
        thing.__module__ = module
    except AttributeError:  # it cannot be said
        pass
    return thing


def _alias(thing: Thing) -> _Reduced:
    name, module, parameters = thing.__name__, thing.__module__, thing.__type_params__
    if parameters:
        return alias, (name, module, thing.__value__, parameters)
    return lazy_alias, (name, module), _valued(thing), None, None, fill_alias


def _valued(thing: Thing) -> object:
    """What an alias stands for, or the error of asking: it may be known to type checkers only."""
    try:
        return thing.__value__
    except Exception as error:
        return error


def alias(name: str, module: str, value: object, parameters: tuple[object, ...]) -> object:
    """What ``type name[T] = value`` makes."""
    assert _Alias is not None
    names = {"__name__": module, "make": functools.partial(_Alias, name, value, type_params=parameters)}
    return eval("make()", names)  # it takes its module from where it is called


def lazy_alias(name: str, module: str) -> object:
    """What ``type name = value`` makes, with the value to come: it may mention the alias itself."""
    value = _Value()
    names: dict[str, object] = {"__name__": module, "value": value}
    exec(f"type {name} = value()", names)
    _VALUES[id(names[name])] = value
    return names[name]


class _Value:
    held: object = None

    def __call__(self) -> object:
        if isinstance(self.held, Exception):
            raise self.held
        return self.held


_VALUES: Final[dict[int, _Value]] = {}  # of aliases, which stay: they cannot be referred to weakly


def fill_alias(thing: object, value: object) -> None:
    """Set what an alias stands for."""
    if id(thing) in _VALUES:
        _VALUES[id(thing)].held = value


def _cached_property(thing: Thing) -> _Reduced:
    return (
        functools.cached_property,
        (thing.func,),
        (None, {"attrname": thing.attrname, "__doc__": thing.__doc__}),
    )


def _cell(cell: CellType) -> _Reduced:
    """A variable around functions; those that share it go on sharing it."""
    try:
        return CellType, (), (cell.cell_contents,), None, None, fill_cell
    except ValueError:  # it is empty
        return CellType, ()


def fill_cell(cell: CellType, content: tuple[object]) -> None:
    """Set a variable."""
    cell.cell_contents = content[0]


def _weak_values(thing: Thing) -> _Reduced:
    return type(thing), (dict(thing),)


NAMED: Final[dict[type, Callable[[object], _Reduced]]] = {
    typing.NewType: _new_type,
    _Cached: _cached,
    typing.TypeVar: _type_var,
    typing.ParamSpec: _param_spec,
    typing.TypeVarTuple: _type_var_tuple,
} | ({_Alias: _alias} if _Alias is not None else {})
"""Kinds that have a name and an identity: pickle looks for them in their modules."""

OTHERS: Final[dict[type, Callable[[object], Any]]] = {
    CodeType: lambda code: (marshal.loads, (marshal.dumps(code),)),  # the same version of Python reads it
    CellType: _cell,
    functools.cached_property: _cached_property,
    weakref.WeakValueDictionary: _weak_values,
    weakref.WeakKeyDictionary: _weak_values,
} | {
    type(getattr(dataclasses, name)): lambda _, name=name: (from_module, ("dataclasses", name))
    for name in _SINGLE
    if hasattr(dataclasses, name)
}
"""Kinds of which pickle knows no good way."""


def is_named_there(thing: object) -> bool:
    """Whether a worker finds a thing of `NAMED` by its name."""
    return _by_name(thing)


# -- functions that are objects with a state ------------------------------------------------------------------


def method(thing: Thing) -> tuple[str, str] | None:
    """The module and name of a method of a hidden object, as `random.random`: each process has that object itself."""
    owner, name = thing.__self__, getattr(thing, "__name__", None)
    if name is None or owner is None or isinstance(owner, type) or type(owner) is type(sys):
        return None
    module = type(owner).__module__
    while module:
        found = getattr(sys.modules.get(module), "__dict__", {}).get(name)
        if found is not None and type(found) is type(thing) and found == thing and found_anew(module):
            return module, name
        module = module.rpartition(".")[0]
    return None


METHODS: Final = (MethodType, BuiltinMethodType)


def is_dispatcher(fn: Thing) -> bool:
    """Whether a function is one that `functools.singledispatch` has made."""
    return fn.__code__ is _DISPATCHES


def dispatcher(fn: Thing) -> _Reduced:
    """How to rebuild it, and what it dispatches to."""
    return functools.singledispatch, (fn.__wrapped__,), dict(fn.registry)


def fill_dispatcher(fn: Thing, registry: dict[type, object]) -> None:
    """Tell it what it dispatches to."""
    for cls, each in registry.items():
        if fn.registry.get(cls) is not each:
            fn.register(cls, each)
