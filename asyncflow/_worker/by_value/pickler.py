"""The pickler: what is imported by name, what is rebuilt by value, and what comes home as the program's own."""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Callable, Mapping
from enum import Enum
from functools import partial
from importlib import import_module
from types import FunctionType, MethodType, ModuleType
from typing import Any, Final, TypeAlias

import cloudpickle

from ..exceptions import Exceptions
from . import classes, enums, functions, kinds, known
from .modules import found_anew, importable, named
from .space import Space

_HEAP: Final = 1 << 9  # the flag of classes that are not built into the interpreter or an extension
_PROTOCOL: Final = 5

Reducer: TypeAlias = Callable[[Any], "str | tuple[Any, ...]"]
"""Takes an object, and gives what its ``__reduce__`` could."""

_Way = Callable[
    [Any, Any], object
]  # of a pickler and a thing: bound ones would make a circle of each pickler


def dumps(value: object, *, is_going_home: bool = False, is_changed: bool = False) -> bytes:
    """A value as bytes, which `pickle.loads` reads.

    Args:
        value: anything.
        is_going_home: whether it goes back to the process that has sent the work.
        is_changed: whether it is a function that is another one than can be imported.
    """
    stream = io.BytesIO()
    pickler = Pickler(stream, is_going_home=is_going_home)
    if is_changed:
        pickler.changed = value
    pickler.dump(value)
    return stream.getvalue()


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Packs functions and classes by value that the other side cannot import. The parameters are those of `dumps`,
    `pickle.Pickler`, and ``reducers``: how objects of some classes, and of those below them, travel."""

    def __init__(
        self,
        stream: Any,
        *,
        is_going_home: bool = False,
        buffer_callback: Callable[[Any], object] | None = None,
        reducers: Mapping[type, Reducer] | None = None,
    ) -> None:
        # not cloudpickle's own, which makes what we do not use: this is done for nearly each call
        pickle.Pickler.__init__(self, stream, _PROTOCOL, buffer_callback=buffer_callback)
        self.changed: object = None
        self._reducers = reducers
        self._is_going_home = is_going_home
        self._spaces: dict[int, Space] = {}
        self._modules: set[int] = set()  # that are in this pickle with what is in them
        self._ways: dict[type, _Way | None] = {}
        self._exceptions: Exceptions | None = None

    def reducer_override(self, thing: object) -> object:
        """Asked for each object that is not of the plainest kinds, so told by its class as fast as can be."""
        cls = type(thing)
        try:
            way = self._ways[cls]
        except KeyError:
            way = self._ways[cls] = self._way(cls)
        except TypeError:  # the class cannot be hashed
            way = self._way(cls)
        return NotImplemented if way is None else way(self, thing)

    def _way(self, cls: type) -> _Way | None:
        if self._reducers is not None:
            for kind in cls.__mro__:
                if kind in self._reducers:
                    return partial(_reduced, self._reducers[kind])
        if issubclass(cls, type):
            return Pickler._class
        if issubclass(cls, FunctionType):
            return Pickler._function
        if issubclass(cls, BaseException):
            return Pickler._exception
        if issubclass(cls, Enum):
            return Pickler._member if importable(cls) is None else None
        if issubclass(cls, ModuleType):
            return Pickler._module
        if cls in kinds.METHODS:
            return Pickler._method
        if cls in kinds.NAMED:
            return Pickler._named
        return Pickler._other if cls in kinds.OTHERS else None

    @property
    def exceptions(self) -> Exceptions:
        """How those in this pickle are packed."""
        if self._exceptions is None:
            self._exceptions = Exceptions(partial(_packed_alone, self._is_going_home))
        return self._exceptions

    # -- ways -------------------------------------------------------------------------------------------------

    def _exception(self, error: BaseException) -> object:
        return self.exceptions.reduced(error)

    def _class(self, cls: type) -> object:
        if not cls.__flags__ & _HEAP:
            return super().reducer_override(cls)  # built in, and some under names of `types`
        if importable(cls) is not None:
            return NotImplemented
        return self._own(cls) or classes.reduced(cls, self._space_named(cls.__module__))

    def _function(self, fn: FunctionType) -> object:
        where = importable(fn) if fn is not self.changed else None
        if where is not None:
            is_task = named(*where) is not fn
            return (functions.plain, where) if is_task else NotImplemented
        if kinds.is_dispatcher(fn):
            return self._own(fn) or _dispatcher(fn)
        space = self._space(fn.__globals__)
        if fn.__closure__:
            return self._own_method(fn, space) or functions.reduced(fn, None, space)
        return self._own(fn) or functions.reduced(fn, known.token_of(fn), space)

    def _named(self, thing: object) -> object:
        if kinds.is_named_there(thing):
            return NotImplemented
        own = self._own(thing)
        if own is not None:
            return own
        way, args, *filled = kinds.NAMED[type(thing)](thing)
        return made, (known.token_of(thing), way, args), *filled

    def _member(self, member: Enum) -> object:
        return enums.reduced(member) if enums.is_named(member) else NotImplemented

    def _other(self, thing: object) -> object:
        return kinds.OTHERS[type(thing)](thing)

    def _method(self, thing: object) -> object:
        where = kinds.method(thing)
        if where is not None:
            return kinds.from_module, where
        return (MethodType, (thing.__func__, thing.__self__)) if type(thing) is MethodType else NotImplemented

    def _module(self, module: ModuleType) -> object:
        name = module.__name__
        if found_anew(name):
            return import_module, (name,)
        space = self._space(module.__dict__)
        way: tuple[object, ...] = (known.module_at, (space.place,))
        if space.place is None:
            space.holder = module
            way = ModuleType, (name,)
        if id(module) in self._modules or name == "__main__":
            return way
        self._modules.add(id(module))
        names = [each for each, value in module.__dict__.items() if self._can_be_sent(each, value)]
        return *way, space.told(names), None, None, fill_module

    def _can_be_sent(self, name: str, value: object) -> bool:
        if name.startswith("__"):
            return False
        trial = Pickler(io.BytesIO(), is_going_home=self._is_going_home)
        trial._modules = self._modules
        try:
            trial.dump(value)
        except Exception:
            return False
        return True

    # -- what they share --------------------------------------------------------------------------------------

    def _own(self, thing: Any) -> object:
        """How what goes home is found there; None for what has to be sent."""
        if not self._is_going_home:
            return None
        token = known.token_of(thing)
        path = getattr(thing, "__qualname__", thing.__name__)
        if token[0] != known.HOME.engine or "<" in path:
            return None
        return known.own, (token, thing.__module__, path)

    def _own_method(self, fn: FunctionType, space: Space) -> object:
        """The same for a function that has its class around it, and is found in that."""
        if not self._is_going_home or space.place is None or space.place[0] != known.HOME.engine:
            return None
        name = space.place[1]
        return (kinds.from_module, (name, fn.__qualname__)) if named(name, fn.__qualname__) is fn else None

    def _space(self, names: dict[str, object]) -> Space:
        space = self._spaces.get(id(names))
        if space is None:
            space = self._spaces[id(names)] = Space(names, self._is_going_home)
        return space

    def _space_named(self, name: str) -> Space:
        module = sys.modules.get(name)
        return self._space({} if module is None else module.__dict__)


def _reduced(reducer: Reducer, _: Pickler, thing: object) -> object:
    return reducer(thing)


def _packed_alone(is_going_home: bool, error: BaseException) -> bytes:
    stream = io.BytesIO()
    pickler = Pickler(stream, is_going_home=is_going_home)
    pickler._exceptions = Exceptions(partial(_packed_alone, is_going_home), error)
    pickler.dump(error)
    return stream.getvalue()


def _dispatcher(fn: FunctionType) -> object:
    way, args, registry = kinds.dispatcher(fn)
    return made, (known.token_of(fn), way, args), registry, None, None, kinds.fill_dispatcher


def made(token: known.Token, way: Callable[..., object], args: tuple[object, ...]) -> object:
    """The object of a token, as it is here already or made."""
    found = known.known(token)
    if found is None:
        found = way(*args)
        known.remember(token, found)
    return found


def fill_module(module: ModuleType, told: Any) -> None:
    """Set what is in a module."""
    if told[0] is None:
        module.__dict__.update(told[1])
    known.set_names(*told)
