"""Objects of classes that say what their parts are; of any other class something that pretends to be one."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import sys
import types
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from .._inspect.annotations import plain
from .._inspect.containers import is_typed_dict
from .._inspect.resolve import hints_of
from .example_arrays import array_of, frame_of
from .example_containers import Awaited

if TYPE_CHECKING:
    from .examples import Maker

Class: TypeAlias = Any
"""A class of somebody's: what it has is looked for as it comes."""

_SCALARS: Final[tuple[tuple[type, object], ...]] = (
    (int, 1),
    (float, 1.0),
    (complex, 1),
    (str, "1"),
    (bytes, b"1"),
)


def object_of(maker: Maker, cls: Class, args: tuple[object, ...], path: str) -> object:
    """An object of a class that is no container of Python's own."""
    try:
        for is_kind, make in _KINDS:
            if is_kind(cls):
                with maker.inside(cls, args):
                    return make(maker, cls, args, path)
    except KeyboardInterrupt:
        raise
    except BaseException:  # the user's constructor did not like its arguments
        pass
    return maker.opaque(path, cls)


def _parts(
    maker: Maker, cls: Class, args: tuple[object, ...], path: str, names: Mapping[str, str]
) -> dict[str, object]:
    """Values for what a constructor asks for.

    Args:
        names: of the fields, each with what the constructor calls it.
    """
    hints = hints_of(cls, args)
    return {called: maker.make(hints.get(name, Any), f"{path}.{name}") for name, called in names.items()}


# -- enumerations, dicts and tuples with names ------------------------------------------------------------


def _is_enum(cls: object) -> bool:
    return isinstance(cls, enum.EnumMeta)


def _member(maker: Maker, cls: Class, args: tuple[object, ...], path: str) -> object:
    return next(iter(cls.__members__.values()))


def _typed_dict(maker: Maker, cls: Class, args: tuple[object, ...], path: str) -> dict[str, object]:
    wanted = hints_of(cls, args)
    optional = [name for name in cls.__optional_keys__ if maker.is_open(plain(wanted.get(name)))]
    return {
        name: maker.make(hint, f"{path}[{name!r}]") for name, hint in wanted.items() if name not in optional
    }


def _is_named_tuple(cls: Class) -> bool:
    return issubclass(cls, tuple) and isinstance(getattr(cls, "_fields", None), tuple)


def _named_tuple(maker: Maker, cls: Class, args: tuple[object, ...], path: str) -> object:
    names = {name: name for name in cls._fields if name not in cls._field_defaults}
    return cls(**_parts(maker, cls, args, path, names))


# -- dataclasses and models -------------------------------------------------------------------------------


def _has_constructor_of(cls: Class, mark: str) -> bool:
    """Whether it is a decorated class that brings the constructor, and not one that derives from it."""
    return mark in vars(next(each for each in cls.__mro__ if "__init__" in vars(each)))


def _is_dataclass(cls: Class) -> bool:
    return _has_constructor_of(cls, "__dataclass_fields__") and cls.__dataclass_params__.init


def _dataclass(maker: Maker, cls: Class, args: tuple[object, ...], path: str) -> object:
    _, *parameters = inspect.signature(cls.__init__).parameters.values()
    names = {each.name: each.name for each in parameters if each.default is each.empty}
    made = cls(**_parts(maker, cls, args, path, names))
    missing = {each.name: each.name for each in dataclasses.fields(cls) if not hasattr(made, each.name)}
    for name, value in (_parts(maker, cls, args, path, missing) if missing else {}).items():
        object.__setattr__(made, name, value)  # also where it is frozen
    return made


def _is_attrs(cls: object) -> bool:
    return "attr" in sys.modules and _has_constructor_of(cls, "__attrs_attrs__")


def _attrs(maker: Maker, cls: Class, args: tuple[object, ...], path: str) -> object:
    nothing = sys.modules["attr"].NOTHING
    names = {each.name: each.alias for each in cls.__attrs_attrs__ if each.init and each.default is nothing}
    return cls(**_parts(maker, cls, args, path, names))


def _is_pydantic(cls: Class) -> bool:
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and issubclass(cls, pydantic.BaseModel)


def _pydantic(maker: Maker, cls: Class, args: tuple[object, ...], path: str) -> object:
    fields = {name: field for name, field in cls.model_fields.items() if field.is_required()}
    values = {name: maker.make(field.annotation, f"{path}.{name}") for name, field in fields.items()}
    aliases = {name: field.validation_alias or name for name, field in fields.items()}
    try:
        return cls(**{aliases[name]: value for name, value in values.items()})
    except Exception:  # there are constraints that no annotation tells; or an alias is a path
        return cls.model_construct(**values)


# -- others -----------------------------------------------------------------------------------------------


def _module(cls: object) -> str:
    return str(cls.__module__).partition(".")[0]


def _is_scalar(cls: Class) -> bool:
    return issubclass(cls, tuple(base for base, _ in _SCALARS))


def _scalar(maker: Maker, cls: Class, args: tuple[object, ...], path: str) -> object:
    """Of a class that derives from a type of Python's own; what the class adds is not called."""
    base, value = next((base, value) for base, value in _SCALARS if issubclass(cls, base))
    return base.__new__(cls, value)


def _is_error(cls: Class) -> bool:
    return issubclass(cls, BaseException) and not isinstance(cls.__new__, types.FunctionType)


def _error(maker: Maker, cls: Class, args: tuple[object, ...], path: str) -> object:
    made = cls.__new__(cls)
    made.args = (f"stand-in for {path}",)
    return made


def _is_awaitable(cls: object) -> bool:
    return hasattr(cls, "__await__")


def _awaitable(maker: Maker, cls: object, args: tuple[object, ...], path: str) -> object:
    """It may not pretend: whoever takes it for a future would look for what only those have."""
    return Awaited(maker.make(args[-1] if args else Any, path))


_Make = Callable[["Maker", object, tuple[object, ...], str], object]
_KINDS: Final[tuple[tuple[Callable[[object], bool], _Make], ...]] = (
    (_is_enum, _member),
    (is_typed_dict, _typed_dict),
    (_is_named_tuple, _named_tuple),
    (_is_dataclass, _dataclass),
    (_is_attrs, _attrs),
    (_is_pydantic, _pydantic),
    (lambda cls: _module(cls) == "numpy", array_of),
    (lambda cls: _module(cls) == "pandas", frame_of),
    (_is_scalar, _scalar),
    (_is_error, _error),
    (_is_awaitable, _awaitable),
)
