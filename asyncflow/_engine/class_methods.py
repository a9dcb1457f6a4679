"""Class methods that are tasks, from Python 3.13 on.

There `classmethod` no longer asks what it holds to bind itself: ``A.task`` would be a plain method around the task.
It can be called, but its ``map``, ``with_options`` and ``fn`` are those of the task and know nothing of ``A``.
Nobody tells the task of the class, so a task that is made in the body of a class leaves a note there. Python tells
the note as soon as there is the class; the note takes itself out and has the class methods bind as before. In a
`NamedTuple` it comes too early.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Final

from .function_task import FunctionTask

_HERE: Final = os.path.dirname(__file__)
_BINDS: Final[bool] = sys.version_info < (3, 13)
_NAME: Final = "__asyncflow_class_methods__"  # a name that enumerations and the like let pass


def note_class_body(fn: object) -> None:
    """Leave a note in the body of the class in which a function is decorated, if it is in one."""
    if _BINDS:
        return
    frame = sys._getframe(1)
    while frame.f_back is not None and os.path.dirname(frame.f_code.co_filename) == _HERE:
        frame = frame.f_back
    body: object = frame.f_locals
    around = getattr(fn, "__qualname__", "").rpartition(".")[0]
    if around and isinstance(body, dict) and body.get("__qualname__") == around:
        body[_NAME] = _Note()


class _Note:
    def __set_name__(self, owner: type, name: str) -> None:
        type.__delattr__(owner, name)
        for key, value in list(vars(owner).items()):
            if type(value) is classmethod and isinstance(value.__func__, FunctionTask):
                type.__setattr__(owner, key, _Binding(value.__func__))


class _Binding(classmethod):  # type: ignore[type-arg]
    """A class method that is what the task makes of a class."""

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        cls = type(instance) if owner is None else owner
        return self.__func__.__get__(cls, type(cls))

    def __reduce__(self) -> tuple[object, ...]:
        return classmethod, (self.__func__,)  # in another process it is called and nothing else
