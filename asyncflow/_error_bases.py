"""What all exceptions that asyncflow raises are made of: a message that does nothing to a terminal, fields that their
classes annotate, and the story of what came because of what."""

from __future__ import annotations

from typing import Any, ClassVar, dataclass_transform

from ._causes import Cause, spelled_lines, told, way_from


class AsyncflowError(Exception):
    """The base of all errors that asyncflow itself raises.

    What it tells can do nothing to a terminal, whatever is in the names and the output that it tells of.
    """

    __module__ = "asyncflow.errors"  # where users know it from

    def __str__(self) -> str:
        return spelled_lines(self._message())

    def _message(self) -> str:
        return super().__str__()


@dataclass_transform(eq_default=False)
class WithFields(AsyncflowError):
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


class OfTask(WithFields):
    """An error of one task, which it names as its user wrote it."""

    task_id: int
    name: str


class BecauseOfOthers(OfTask):
    """A task gave no value because of others."""

    _cause: Cause

    @property
    def root_causes(self) -> tuple[Cause, ...]:
        """Every task, in order of number, whose own failure, cancellation or skip is a reason."""
        return self._cause.roots

    def __reduce__(self) -> tuple[Any, ...]:
        # A story can be a hundred thousand tasks deep, pickle is recursive: what travels is one step to each root.
        roots = tuple(
            Cause(r.task_id, r.name, r.attempts, r.error, label=r.label, skipped=r.skipped)
            for r in self.root_causes
        )
        for copied, root in zip(roots, self.root_causes, strict=True):
            copied.call = root.call
        is_root = not self._cause.upstream
        own = roots[0] if is_root else Cause(self.task_id, self.name, 0, None, roots, self._cause.label)
        return type(self), (self.task_id, self.name, own)

    def path(self, root: Cause) -> list[Cause]:
        """The shortest way from ``root`` to this task, both ends included.

        Args:
            root: one of ``root_causes``.
        """
        way = way_from(root, self._cause)
        if way is None:
            raise ValueError(f"{root} is not a root cause of {self.name!r} (#{self.task_id})")
        return way

    def __repr__(self) -> str:
        roots = ", ".join(str(root) for root in self._cause.firsts)
        return f"<{type(self).__name__} {self._cause.name_shown!r} (#{self.task_id}), because of {roots}>"

    def _message(self) -> str:
        return told(f"{self._cause.name_shown!r} (#{self.task_id})", self._cause)
