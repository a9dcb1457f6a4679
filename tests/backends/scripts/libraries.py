"""A script that derives from classes of libraries. Prints what was not as it should be, as JSON."""

import asyncio
import collections
import ctypes
import json
import logging
import re
import traceback
import typing
from pathlib import Path

import attrs
import numpy as np
import pandas as pd
import pydantic

from asyncflow import WorkflowEngine


@attrs.define
class Open:
    x: int
    y: list = attrs.field(factory=list)


@attrs.frozen
class Frozen(Open):
    z: str = "z"


class Inner(pydantic.BaseModel):
    n: int = 1


class Model(pydantic.BaseModel):
    model_config = {"extra": "allow"}
    a: int
    b: "list[Inner]" = []
    _private: int = pydantic.PrivateAttr(5)

    @pydantic.field_validator("a")
    @classmethod
    def positive(cls, value):
        if value <= 0:
            raise ValueError("not positive")
        return value

    @pydantic.computed_field
    @property
    def double(self) -> int:
        return self.a * 2


@pydantic.dataclasses.dataclass
class Checked:
    x: int = 1


class Structure(ctypes.Structure):
    _fields_ = [("x", ctypes.c_int)]


class Missing(dict):
    def __missing__(self, key):
        return key


class Array(np.ndarray):
    def twice(self):
        return self * 2


class Frame(pd.DataFrame):
    @property
    def _constructor(self):
        return Frame


class Mapping(collections.UserDict):
    pass


class Folder(type(Path())):
    pass


class Tagging(type):
    def __call__(cls, *args):
        made = super().__call__(*args)
        made.tag = 1
        return made


class Tagged(metaclass=Tagging):
    pass


class Single:
    one = None

    def __new__(cls):
        if cls.one is None:
            cls.one = super().__new__(cls)
        return cls.one


log = logging.getLogger("a name")
pattern = re.compile("a+")
plus_one = np.vectorize(lambda x: x + 1)


def annotated(x: "Open") -> "Model": ...


def refused():
    try:
        Model.model_validate({"a": -1})
    except pydantic.ValidationError:
        return "refused"


CALLS = {
    "attrs": (
        lambda: (
            Open(1),
            Frozen(1),
            attrs.fields(Open).x.default is attrs.NOTHING,
            attrs.evolve(Open(1), x=2),
        ),
        lambda got: got == (Open(1), Frozen(1), True, Open(2)),
    ),
    "pydantic": (
        lambda: (
            Model(a=1, b=[{"n": 3}], q=1),
            Model.model_json_schema(),
            Model.model_validate({"a": 2}).double,
        ),
        lambda got: (
            got[0] == Model(a=1, b=[{"n": 3}], q=1) and got[1] == Model.model_json_schema() and got[2] == 4
        ),
    ),
    "pydantic refuses": (refused, lambda got: got == "refused"),
    "pydantic dataclass": (lambda: Checked("3"), lambda got: got == Checked(3)),
    "ctypes": (
        lambda: (Structure(3).x, Structure(4)),
        lambda got: got[0] == 3 and type(got[1]) is Structure and got[1].x == 4,
    ),
    "dict": (lambda: (Missing()["q"], Missing(a=1)), lambda got: got[0] == "q" and type(got[1]) is Missing),
    "array": (lambda: np.arange(3).view(Array).twice(), lambda got: type(got) is Array and got.sum() == 6),
    "frame": (lambda: Frame({"a": [1]}), lambda got: type(got) is Frame),
    "mapping": (lambda: Mapping(a=1), lambda got: type(got) is Mapping),
    "path": (lambda: Folder("/a"), lambda got: type(got) is Folder and got.name == "a"),
    "call of a metaclass": (lambda: Tagged().tag, lambda got: got == 1),
    "one object": (lambda: Single() is Single(), bool),
    "globals": (
        lambda: (log.name, pattern.match("aa").end(), plus_one([1])[0]),
        lambda got: got == ("a name", 2, 2),
    ),
    "hints": (lambda: typing.get_type_hints(annotated), lambda got: got == {"x": Open, "return": Model}),
}


async def main():
    wrong = {}
    for name, (fn, is_good) in CALLS.items():
        async with WorkflowEngine(backend="process", workers=1) as engine:
            try:
                got = await engine.submit(fn)
                wrong[name] = None if is_good(got) else f"got {got!r}"
            except Exception:
                wrong[name] = traceback.format_exc()
    print(json.dumps(wrong))


if __name__ == "__main__":
    asyncio.run(main())
