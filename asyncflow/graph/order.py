"""In which order named things can be done that need one another, and what is in the way of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

_CIRCLES = 10  # that are told


def stages(needs: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Names in groups: each needs only what stands in earlier ones, and at least one of the group before.

    Raises:
        CycleError: some need themselves.
    """
    sorter = TopologicalSorter(needs)
    sorter.prepare()
    at = {name: place for place, name in enumerate(needs)}
    found: list[list[str]] = []
    while sorter.is_active():
        ready = sorter.get_ready()
        found.append(sorted(ready, key=at.__getitem__))
        sorter.done(*ready)
    return found


def circles(needs: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Those that need themselves, as ways from a name back to it; some of them where there are many."""
    left = {name: list(each) for name, each in needs.items()}
    found: list[list[str]] = []
    while len(found) < _CIRCLES:
        try:
            TopologicalSorter(left).prepare()
        except CycleError as error:
            way: list[str] = error.args[1]
            found.append(way)
            # A sorter lists each before what needs it; without this edge the circle is open.
            left[way[1]].remove(way[0])
        else:
            break
    return found


def needed_by(names: Sequence[str], needs: Mapping[str, Sequence[str]]) -> set[str]:
    """The names, and all that they need."""
    seen: set[str] = set()
    ahead = list(names)
    while ahead:
        name = ahead.pop()
        if name not in seen:
            seen.add(name)
            ahead += needs[name]
    return seen
