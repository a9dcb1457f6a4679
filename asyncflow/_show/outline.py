"""The outline of something that has much to tell, such as a plan: what is shown of it, in any form.

It is as long for 100,000 tasks as for a hundred: whoever makes one counts what is too much. Its texts only show;
nothing in them does something to a terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Facts:
    """A line for each fact.

    Args:
        by_name: each fact, by what it is called.
    """

    by_name: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under one header.

    Args:
        name: of the table; "" if it needs none.
        header: names of the columns.
        rows: of cells, as many in each as the header has.
        right: numbers of the columns that are set to the right, from 0.
    """

    name: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: Sequence[int]


@dataclass(frozen=True, slots=True)
class Notes:
    """Remarks of one sort.

    Args:
        name: what they have in common; "" if that goes without saying.
        remarks: each of one line or several.
    """

    name: str
    remarks: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Outline:
    """All that is shown of something.

    Args:
        noun: what it is: "Plan".
        title: what there is in it, in numbers.
        parts: makes them, in the order in which they are shown; those that have nothing in them are left out.
    """

    noun: str
    title: str
    parts: Callable[[], Iterable[Facts | Table | Notes]]
