"""What whoever has started a program says of the engines in it, as the command line does: it wins over the code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple


class Said(NamedTuple):
    """One setting.

    Args:
        where: it was said, for errors: "--workers".
        value: as the engine takes it.
    """

    where: str
    value: object


class Misdirected(ValueError):
    """What was said of an engine is nothing that can be said of it."""


class Commanded:
    """What holds for all engines that are made meanwhile.

    Args:
        settings: by the names of the engine's options.
    """

    def __init__(self, settings: Mapping[str, Said]) -> None:
        self.settings = settings
        self.engines: list[object] = []
        """Those that were made, in order."""
        where, value = settings.get("backend", Said("", ""))
        self.waits_for = f"{where} {value}" if "=" in str(value) else ""
        """What was said of a backend by its name, as long as no engine has one of that name."""

    def over(self, options: Mapping[str, object]) -> dict[str, object]:
        """The options of an engine, with what was said instead of what its code says.

        Args:
            options: as the code gives them.

        Raises:
            Misdirected: what was said does not go with this engine.
        """
        said = {name: each.value for name, each in self.settings.items()}
        backend = said.pop("backend", None)
        several = options.get("backends")
        if backend is not None and several is not None:
            several = self._one_of(str(backend), several)
        elif backend is not None and "=" not in str(backend):
            options = {**options, "backend": backend}
        if "workers" in said:
            self._check_workers(options.get("backend"), several)
        return {**options, **said} if several is None else {**options, **said, "backends": several}

    def noted(self) -> str:
        """For an error that an engine raises with this: who has said it."""
        said = ", ".join(f"{where} {value}" for where, value in self.settings.values())
        return f"The command line says of this engine:  {said}"

    def _one_of(self, given: str, backends: object) -> object:
        """The backends by name, with another one in the place of one of them."""
        there = dict(backends) if isinstance(backends, Mapping) else {}
        name, is_named, kind = given.partition("=")
        if is_named and name in there:
            self.waits_for = ""
            return {**there, name: kind}
        where, first = self.settings["backend"].where, next(iter(there), "cpu")
        raise Misdirected(
            f"{where} {given}: this engine has several backends, {', '.join(map(str, there))}; say which one is to be "
            f"another:  {where} {first}={kind or given}"
        )

    def _check_workers(self, backend: object, several: object) -> None:
        made = list(several.values()) if isinstance(several, Mapping) else [backend]
        if made and all(each is not None and not isinstance(each, str) for each in made):
            where, number = self.settings["workers"]
            name = getattr(made[0], "name", type(made[0]).__name__)
            raise Misdirected(
                f"{where} {number}: the code of this engine makes its backend itself, and says how many workers that "
                f"has; say another one:  --backend {name} {where} {number}"
            )


_NOW: list[Commanded] = []


def commanded() -> Commanded | None:
    """What holds now; None if nobody says anything."""
    return _NOW[-1] if _NOW else None


@contextmanager
def commanding(settings: Mapping[str, Said]) -> Iterator[Commanded]:
    """Let settings hold for all engines that are made until this is left.

    Args:
        settings: by the names of the engine's options.
    """
    _NOW.append(Commanded(settings))
    try:
        yield _NOW[-1]
    finally:
        _NOW.pop()
