"""A whole run as the contents of one page: sections of facts, tables and pictures, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from .picture import Subject
from .timeline import Timeline


class Cell(NamedTuple):
    """One cell of a table.

    Args:
        text: what it shows.
        value: by which its column is sorted, for what is a number; None for words.
        task: the number of the task whose story it opens; None for none.
        state: whose mark stands before it; "" for none.
        share: the part of a whole that a bar behind it shows, from 0 to 1; None for none.
    """

    text: str
    value: float | None = None
    task: int | None = None
    state: str = ""
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Grid:
    """A table that can be sorted.

    Args:
        header: names of the columns.
        rows: of cells, as many in each as the header has.
        more: what is not shown, in words; "" if all is.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    more: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """A line for each fact, by what it is called."""

    by_name: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Shares:
    """Parts of a whole, one beside another.

    Args:
        parts: a category, its seconds in words, and which part of the whole it is.
    """

    parts: Sequence[tuple[str, str, float]]


class Failed(NamedTuple):
    """Tasks that failed with one error.

    Args:
        error: class and message.
        tasks: their numbers and labels: "fit (#4)"; the first of them.
        more: how many others there are.
        about: where the first was called, ran and when.
    """

    error: str
    tasks: Sequence[tuple[int, str]]
    more: int
    about: str


@dataclass(frozen=True, slots=True)
class Failures:
    """Tasks that failed with errors of one class.

    Args:
        kind: the class.
        what: how many of which functions, and what did not run because of them.
        errors: those that most tasks failed with first.
        more: how many others there are, in words; "" if there are none.
    """

    kind: str
    what: str
    errors: Sequence[Failed]
    more: str


@dataclass(frozen=True, slots=True)
class Words:
    """A paragraph.

    Args:
        text: of it.
        is_code: whether it is code, in lines.
    """

    text: str
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class GraphPicture:
    """The graph of the run.

    Args:
        subject: of the picture.
    """

    subject: Subject


@dataclass(frozen=True, slots=True)
class TimelinePicture:
    """The timeline of the run."""


Item: TypeAlias = "Grid | Facts | Shares | Failures | Words | GraphPicture | TimelinePicture"


class Section(NamedTuple):
    """A section of the page.

    Args:
        anchor: by which it is found in the page: "failures".
        title: of it.
        items: what is in it.
        note: one line under the title; "" for none.
    """

    anchor: str
    title: str
    items: Sequence[Item]
    note: str = ""


class Tile(NamedTuple):
    """A number that stands out at the top.

    Args:
        value: in words.
        name: of it.
        state: whose mark it has; "" for none.
    """

    value: str
    name: str
    state: str = ""


@dataclass(frozen=True, slots=True)
class RunPage:
    """All of a page.

    Args:
        title: of the run.
        about: when and where it was.
        tiles: the numbers at the top.
        sections: in their order.
        timeline: of the run, with the stories of its tasks.
    """

    title: str
    about: str
    tiles: Sequence[Tile]
    sections: Sequence[Section]
    timeline: Timeline = field(repr=False)
