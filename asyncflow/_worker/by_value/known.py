"""What this process has sent by value, and what came to it: which object is which, and which of its names are newer.

Each process is the home of what it has defined itself. Nobody sets anything there but the program: what comes home is
looked up and not rebuilt. Elsewhere a name is set only if it has changed at home since; so what a worker has put
there itself (a connection, a cache) stays.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterable
from functools import partial
from itertools import count
from types import ModuleType
from typing import Any, Final

from .digests import digest
from .modules import named

Token = tuple[str, int]
"""Of an object: its home, and a number."""


class Home:
    """This process, by a name that no other has."""

    def __init__(self) -> None:
        self.name = ""
        self.engine = ""  # the home of the engine whose work this process does
        self.is_worker = (
            False  # of ours: it has no script of its own, and holds the modules of its engine's process
        )
        self.renew()

    def renew(self) -> None:
        """Be another process: a fork has what its parent has, and goes on by itself."""
        self.name = f"{os.getpid()}.{os.urandom(8).hex()}"


HOME: Final = Home()
os.register_at_fork(after_in_child=HOME.renew)

_LOCK: Final = threading.RLock()
_NUMBERS: Final = count(1)
_TOKENS: Final[dict[int, Token]] = {}  # by the id of the object
_OBJECTS: Final[dict[Token, Callable[[], object]]] = {}
_SET: Final[dict[object, dict[str, int]]] = {}  # which version of a name was set, by token or space
_SENT: Final[
    dict[str, dict[str, tuple[object, object, int]]]
] = {}  # of a name: its value, the digest of what was in that, and the version


# -- identity -------------------------------------------------------------------------------------------------


def token_of(thing: object) -> Token:
    """The token of a class, a function or the like. One that has none is given one: its home is this process."""
    with _LOCK:
        token = _TOKENS.get(id(thing))
        if token is None:
            token = (HOME.name, next(_NUMBERS))
            remember(token, thing)
        return token


def remember(token: Token, thing: object) -> None:
    """Let an object be found by its token, as long as it lives."""
    number = id(thing)
    with _LOCK:
        try:
            _OBJECTS[token] = weakref.ref(thing, partial(_forget, token, number))
        except TypeError:  # as for `type X = ...`: it stays
            _OBJECTS[token] = partial(_itself, thing)
        _TOKENS[number] = token


def _itself(thing: object) -> object:
    return thing


def _forget(token: Token, number: int, reference: object) -> None:
    if _TOKENS.get(number) == token:
        del _TOKENS[number]
    if _OBJECTS.get(token) is reference:
        del _OBJECTS[token]
        _SET.pop(token, None)


def known(token: Token | None) -> Any:
    """The object of a token in this process; None if it has none."""
    reference = _OBJECTS.get(token) if token is not None else None
    return reference() if reference is not None else None


def is_home(token: Token) -> bool:
    """Whether this process is the home of an object."""
    return token[0] == HOME.name


def rebuilt(token: Token) -> None:
    """Say that the object of a token was made here from what came, and has nothing yet."""
    _SET[token] = {}


def is_own(token: Token) -> bool:
    """Whether an object is the one that the program has made here, and nobody's copy."""
    return token[0] == HOME.name and token not in _SET


def own(token: Token, module: str, path: str) -> object:
    """The program's own object for a token that comes home; if it is gone, what is now defined at its module and
    path.

    Raises:
        LookupError: neither is there.
    """
    found = known(token)
    if found is None:
        found = named(module, path)
    if found is None:
        raise LookupError(f"{path!r} of {module!r} was sent to a worker and is no longer there")
    return found


# -- versions of names ----------------------------------------------------------------------------------------


def versions(owner: str, names: dict[str, object]) -> dict[str, int]:
    """The version of each name of a module or a class: a number that grows when the name gets another value."""
    digests = {name: digest(value) for name, value in names.items()}  # others' code runs here
    with _LOCK:
        sent = _SENT.setdefault(owner, {})
        return {name: _version(sent, name, value, digests[name]) for name, value in names.items()}


class Gone:
    """Stands for the value of a name that its module has no longer."""


def lost(owner: str, names: Iterable[str]) -> dict[str, object]:
    """Of the names that a module does not have, those that it had when they were last sent."""
    sent = _SENT.get(owner, {})
    return {name: Gone for name in names if name in sent}


def ever_newer(names: Iterable[str]) -> dict[str, int]:
    """The same for what does not stay, as a class defined in a function: whatever comes is set."""
    number = next(_NUMBERS)
    return dict.fromkeys(names, number)


def _version(
    sent: dict[str, tuple[object, object, int]], name: str, value: object, content: bytes | None
) -> int:
    before = sent.get(name)
    if before is not None and before[0] is value and before[1] == content:
        return before[2]
    number = next(_NUMBERS)
    sent[name] = (value, content, number)
    return number


def newer(owner: object, names: dict[str, int]) -> list[str]:
    """The names that have a newer version than was set here; they count as set from now on. The owner is a token, or
    a module by its home and name."""
    done = _SET.setdefault(owner, {})
    fresh = [name for name, version in names.items() if version > done.get(name, 0)]
    done.update((name, names[name]) for name in fresh)
    return fresh


def gone(owner: object, names: dict[str, int]) -> list[str]:
    """The names that were set here and are not among these any more."""
    done = _SET.get(owner, {})
    lost = [name for name in done if name not in names]
    for name in lost:
        del done[name]
    return lost


# -- modules --------------------------------------------------------------------------------------------------

Place = tuple[str, str]
"""Of a module: the process that has it, and its name."""

_SPACES: Final[dict[Place, dict[str, object]]] = {}
_PLACES: Final[dict[int, Place]] = {}  # by the id of the space; spaces stay


class Script(ModuleType):
    """A module that came by value, as the main script: pickle finds its classes here.

    It has no file: `multiprocessing` in a task would run that as its main script.
    """

    @property
    def __file__(self) -> str:  # type: ignore[override]
        raise AttributeError(f"module {self.__name__!r} came by value and has no file here")


def place_of(space: dict[str, object]) -> Place | None:
    """The home and name of the module whose names these are, if it came by value; None for any other."""
    return _PLACES.get(id(space))


def space_at(place: Place) -> dict[str, object]:
    """The names of a module that travels by value, in this process."""
    home, name = place
    if home == HOME.name and name in sys.modules:
        return sys.modules[name].__dict__
    with _LOCK:
        space = _SPACES.get(place)
        if space is None:
            module = Script(name)
            space = _SPACES[place] = module.__dict__
            _PLACES[id(space)] = place
            _MODULES[place] = module
            if HOME.is_worker and (name == "__main__" or name not in sys.modules):
                sys.modules[name] = module
        return space


_MODULES: Final[dict[Place, ModuleType]] = {}


def hold_modules() -> None:
    """Let modules that come by value be found by name: this process is a worker and has no script of its own."""
    HOME.is_worker = True
    sys.modules["__main__"] = Script("__main__")


def module_at(place: Place) -> ModuleType:
    """A module that travels by value, in this process."""
    home, name = place
    if home == HOME.name and name in sys.modules:
        return sys.modules[name]
    space_at(place)
    return _MODULES[place]


def set_names(place: Place | None, names: dict[str, object], versions: dict[str, int]) -> None:
    """Set those names of a module that travels by value which have changed at its home. Without a place nothing is
    remembered."""
    if place is not None and place[0] != HOME.name:
        space = space_at(place)
        for name in newer(place, versions):
            if names[name] is Gone:
                space.pop(name, None)
            else:
                space[name] = names[name]
