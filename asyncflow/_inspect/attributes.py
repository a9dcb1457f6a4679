"""Tells what attributes the objects of a class can have, from the class and from its source, without making one."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from abc import ABCMeta
from enum import EnumMeta
from functools import lru_cache
from typing import Any, Final

from .source import bindings

INDEX: Final = "[]"
CALL: Final = "()"
ITERATION: Final = "iteration"
_METHODS: Final = {INDEX: ("__getitem__",), CALL: ("__call__",), ITERATION: ("__iter__", "__getitem__")}
_KEPT: Final = 512  # classes; those of a notebook's every version must not stay for ever
_KNOWN: Final = ("builtins", "abc", "typing", "enum", "pydantic.main")
_FOR_LOOKING_UP: Final = ("__getattr__", "__getattribute__")
_ANYTHING: Final = frozenset({"setattr", "__dict__", "vars", "__setattr__", "__setstate__", "update_wrapper"})
"""What sets attributes whose names the source need not tell."""


def lacks(cls: type, what: str) -> bool:
    """Whether no object of a class, or of one that is known to derive from it, has an attribute, or can do something.

    An object may have what the class has or annotates, what is assigned to an attribute of that name in the modules
    of the class and those that it derives from, and what nobody can tell, where a source is not to be had.

    Args:
        cls: any class; of an interface nobody knows what else its objects have.
        what: the name of the attribute; or `INDEX`, `CALL`, `ITERATION`.
    """
    try:
        if not _is_judged(cls) or getattr(cls, "__abstractmethods__", None):
            return False
        # Its objects are of that very class.
        derived = [cls] if cls.__module__ == "builtins" else _with_derived(cls)
        methods = _METHODS.get(what)
        if methods is not None:
            return not any(has_method(each, name) for each in derived for name in methods)
        return not any(_may_have(each, what) for each in derived)
    except Exception:  # classes are code of the user's
        return False


def _is_judged(cls: type) -> bool:
    """Whether it is told of a class by what it and its bases hold what its objects have."""
    if cls.__module__ == "builtins" and issubclass(cls, BaseException):
        return False  # anybody gives an error more attributes on its way
    return type(cls) in (type, ABCMeta, EnumMeta) or _is_closed_model(cls)


def _is_closed_model(cls: Any) -> bool:
    """Whether it is a model of pydantic's that takes no more fields than it has."""
    pydantic = sys.modules.get("pydantic")
    return (
        pydantic is not None
        and type(cls) is type(pydantic.BaseModel)
        and cls.model_config.get("extra") != "allow"
    )


def has_method(cls: type, name: str) -> bool:
    """Whether objects of a class can do what a method with underscores stands for; of the class itself, type tells."""
    return next((vars(each)[name] is not None for each in cls.__mro__ if name in vars(each)), False)


def known(cls: type) -> frozenset[str]:
    """The names without an underscore that objects of a class surely have: to find the one that was meant."""
    names = {name for each in cls.__mro__ for name in (*vars(each), *_annotated(each))}
    for each in cls.__mro__:
        names |= _stored(each) or frozenset()
    return frozenset(name for name in names if not name.startswith("_"))


def _with_derived(cls: type) -> list[type]:
    found: list[type] = []
    left = [cls]
    while left and len(found) < _KEPT:
        each = left.pop()
        found.append(each)
        left += type.__subclasses__(each)
    return found


def _may_have(cls: type, name: str) -> bool:
    if any(name in vars(each) or name in _annotated(each) for each in cls.__mro__):
        return True
    for each in cls.__mro__[:-1]:
        if each.__module__ in _KNOWN:
            continue
        if any(special in vars(each) for special in _FOR_LOOKING_UP):
            return True
        if _is_closed(each):
            continue
        stored = _stored(each)
        if stored is None or name in stored or name in stored_in(each.__module__):
            return True
    return False


def _annotated(cls: type) -> Any:
    return vars(cls).get("__annotations__") or ()


def _is_closed(cls: type) -> bool:
    """Whether objects of a class have no attributes but those of the class: as of most that are written in C."""
    if "__slots__" in vars(cls):
        return True
    has_dict = getattr(cls, "__dictoffset__", 0) != 0
    return not has_dict


@lru_cache(_KEPT)
def _stored(cls: type) -> frozenset[str] | None:
    """The names that the source of a class assigns to attributes of; None if it cannot be had, or says too little."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except Exception:
        return None
    names: set[str] = set()
    for node in ast.walk(tree):
        names |= set(stored_by(node))
        match node:
            case ast.Attribute(attr=used) | ast.Name(id=used) if used in _ANYTHING:
                return None
    return frozenset(names)


@lru_cache(_KEPT)
def stored_in(module: str) -> frozenset[str]:
    """The names that anything in a module assigns to attributes of anything.

    Args:
        module: its name; of one that is not loaded, or has no source, nothing is known.
    """
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except Exception:
        return frozenset()
    return frozenset(name for node in ast.walk(tree) for name in stored_by(node))


def stored_by(node: ast.AST) -> list[str]:
    """The names of attributes that a statement assigns to; changing one in place does not make it."""
    if isinstance(node, ast.AugAssign):
        return []
    parts = [part for target, _ in bindings(node) for part in ast.walk(target)]
    return [
        part.attr for part in parts if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store)
    ]
