"""The names of a module, as they stand in a pickle."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import Final

from . import known
from .kinds import sendable
from .known import HOME, Place
from .modules import found_anew, module_of

_OF_A_MODULE: Final = ("__name__", "__package__", "__path__", "__file__")


class Space:
    """Stands in a pickle for the names of a module.

    One that the other side cannot import is made there, and has in time all that was mentioned of it. Of one that
    it can import, and of what is no module, each pickle has a copy of what it mentions, as it was at the time."""

    def __init__(self, names: dict[str, object], is_going_home: bool) -> None:
        self.names = names  # kept, so that its id stays its own
        module = module_of(names)
        self.module = module.__name__ if module is not None else None
        self.place: Place | None = known.place_of(names)
        if self.place is None and self.module is not None and not found_anew(self.module):
            self.place = HOME.name, self.module
        self.holder: ModuleType | None = None  # of one that is found nowhere, where the pickle has it
        self._is_there = is_going_home and self.place is not None and self.place[0] != HOME.name

    def __reduce__(self) -> tuple[object, ...]:
        if self.place is not None:
            return known.space_at, (self.place,)
        if self.holder is not None:
            return vars, (self.holder,)
        return dict, ({name: self.names[name] for name in _OF_A_MODULE if name in self.names},)

    def told(self, wanted: Iterable[str]) -> tuple[Place | None, dict[str, object], dict[str, int]]:
        """What `known.set_names` is given for names; those that the module does not have are left out."""
        if self._is_there:
            return self.place, {}, {}
        names = {name: self.names[name] for name in sorted(wanted) if name in self.names}
        if self.place is None:
            return None, sendable(names, self.module), {}
        names |= known.lost(self.place[1], [name for name in wanted if name not in names])
        return self.place, sendable(names, self.module), known.versions(self.place[1], names)
