"""Small arrays and tables. NumPy and pandas are used only where an annotation names them: then they are loaded."""

from __future__ import annotations

import sys
import typing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .examples import Maker


def array_of(maker: Maker, cls: Any, args: tuple[object, ...], path: str) -> object:
    """An array of NumPy's with one element, a scalar, or a dtype.

    Args:
        maker: makes what is neither.
        cls: a class of NumPy's.
        args: what it is parametrised with: of an array, its shape and its dtype.
        path: what the object stands for.
    """
    numpy = sys.modules["numpy"]
    if issubclass(cls, numpy.generic):
        return _ones(numpy, (), _concrete(numpy, cls))[()]
    if issubclass(cls, numpy.dtype):
        return numpy.dtype(_concrete(numpy, args[0] if args else float))
    if not issubclass(cls, numpy.ndarray):
        return maker.opaque(path, cls)
    shape, dtype = args if len(args) == 2 else (Any, Any)
    inner = typing.get_args(dtype)
    made = _ones(numpy, _shape(shape), _concrete(numpy, inner[0] if inner else float))
    return made if cls is numpy.ndarray else made.view(cls)


def _shape(annotation: object) -> tuple[int, ...]:
    """One element in as many dimensions as are told."""
    dimensions = typing.get_args(annotation)
    return (1,) if not dimensions or Ellipsis in dimensions else (1,) * len(dimensions)


def _ones(numpy: Any, shape: tuple[int, ...], dtype: object) -> Any:
    try:
        return numpy.ones(shape, dtype)
    except Exception:  # as of records, which know no one
        return numpy.zeros(shape, dtype)


def _concrete(numpy: Any, scalar: object) -> object:
    """What there are values of, for a scalar type that may be abstract."""
    cls = typing.get_origin(scalar) or scalar
    if not isinstance(cls, type):
        return numpy.float64
    for abstract, concrete in (
        (numpy.unsignedinteger, numpy.uint64),
        (numpy.signedinteger, numpy.int64),
        (numpy.integer, numpy.int64),
        (numpy.complexfloating, numpy.complex128),
        (numpy.character, numpy.str_),
        (numpy.flexible, numpy.str_),
        (numpy.datetime64, "datetime64[s]"),
        (numpy.timedelta64, "timedelta64[s]"),
    ):
        if cls is abstract:
            return concrete
    return cls if issubclass(cls, numpy.generic) and not _is_abstract(numpy, cls) else numpy.float64


def _is_abstract(numpy: Any, cls: object) -> bool:
    return cls in (numpy.generic, numpy.number, numpy.inexact, numpy.floating)


def frame_of(maker: Maker, cls: Any, args: tuple[object, ...], path: str) -> object:
    """A table, a series or an index of pandas with one row, or a moment."""
    pandas = sys.modules["pandas"]
    if cls is pandas.DataFrame:
        return pandas.DataFrame([[1.0]])
    if cls is pandas.Series:
        return pandas.Series([1.0])
    if cls is pandas.Index or cls is pandas.RangeIndex:
        return pandas.RangeIndex(1)
    if cls is pandas.DatetimeIndex:
        return pandas.DatetimeIndex(["2000-01-01"])
    if cls is pandas.MultiIndex:
        return pandas.MultiIndex.from_tuples([(0, 0)])
    if cls is pandas.Timestamp:
        return pandas.Timestamp(2000, 1, 1)
    return pandas.Timedelta(seconds=1) if cls is pandas.Timedelta else maker.opaque(path, cls)
