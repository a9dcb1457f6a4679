"""Exceptions that know fields: attributes that their classes annotate."""

from __future__ import annotations

from typing import Any, ClassVar, dataclass_transform


@dataclass_transform(eq_default=False)
class Fields(Exception):
    """What an error knows besides its message: the attributes that its class annotates, given in that order or by name.

    They are the ``args`` too, from which a pickle or a copy is made again.
    """

    _fields: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        cls._fields = (*cls._fields, *cls.__annotations__)

    def __init__(self, *values: Any, **named: Any) -> None:
        fields, kind = self._fields, type(self)
        try:
            values += tuple(
                named.pop(each) if each in named else getattr(kind, each) for each in fields[len(values) :]
            )
        except AttributeError as missing:
            raise TypeError(f"{kind.__name__} needs {missing.name!r}") from None
        if named or len(values) > len(fields):
            raise TypeError(f"{kind.__name__} takes {', '.join(fields)}, and nothing else")
        self.args = values  # by hand: OSError would take some of them for its own
        for field, value in zip(fields, values, strict=True):
            setattr(self, field, value)

    def __repr__(self) -> str:
        facts = ", ".join(f"{field}={getattr(self, field)!r}" for field in self._fields)
        return f"{type(self).__name__}({facts})"
