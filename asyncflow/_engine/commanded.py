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


class Commanded:
    """What holds for all engines that are made meanwhile.

    Args:
        settings: by the names of the engine's options.
    """

    def __init__(self, settings: Mapping[str, Said]) -> None:
        self.settings = settings
        self.engines: list[object] = []
        """Those that were made, in order."""

    def over(self, options: Mapping[str, object]) -> dict[str, object]:
        """The options of an engine, with what was said instead of what its code says.

        Args:
            options: as the code gives them.

        Raises:
            ValueError: a backend is named, and the engine has several.
        """
        said = {name: each.value for name, each in self.settings.items()}
        if "backend" in said and options.get("backends") is not None:
            where, given = self.settings["backend"]
            return {
                **options,
                **said,
                "backend": None,
                "backends": _one_of(where, given, options["backends"]),
            }
        return {**options, **said}

    def noted(self) -> str:
        """For an error that an engine raises with this: who has said it."""
        said = ", ".join(f"{where} {value}" for where, value in self.settings.values())
        return f"The command line says of this engine:  {said}"


def _one_of(where: str, given: object, backends: object) -> dict[object, object]:
    """The backends by name, with another one in the place of one of them."""
    there = dict(backends) if isinstance(backends, Mapping) else {}
    name, is_named, kind = str(given).partition("=")
    if not is_named or name not in there:
        first = next(iter(there), "cpu")
        raise ValueError(
            f"{where} {given}: this engine has several backends, {', '.join(map(str, there))}; say which one is to be "
            f"another:  {where} {first}={kind or given}"
        )
    return {**there, name: kind}


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
