"""Values of jobs as JSON: what arguments may be read as is told as it would be read."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

_ONE: Final = (date, time, timedelta, Decimal, Enum, PurePath, UUID)


def text_of(told: object) -> str:
    """What is told, as JSON.

    Raises:
        Exception: it is no JSON, and nothing that JSON is read as; of a class of the user's, whatever that raises.
    """
    return json.dumps(told, allow_nan=False, default=_plain)


def _plain(value: Any) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    if isinstance(value, BaseModel):
        return {**dict(value), **(value.model_extra or {})}
    if isinstance(value, _ONE):
        told: object = to_jsonable_python(value)
        return told
    if type(value).__module__ == "numpy":  # its numbers and arrays
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} cannot be told")
