"""A report: what happened, and where the time went."""

from __future__ import annotations

import logging
import os
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

from .._core.states import FAILED, STATES
from .._record.from_logs import history_of
from .._record.history import History, Site
from .._record.snapshot import Snapshot
from .._show import words
from .._show.outline import Outline
from .._show.outlined import Outlined
from . import blocks, busy, failures, functions, path, services, stages, streams, tasks
from .blocks import BlockReport
from .busy import Busy, Tail
from .failures import FirstFailure, SkippedBranch
from .functions import Calls, FunctionReport
from .outline import outline_of, step_in_words
from .path import Path
from .ran import Ran
from .rows import NOBODY, Rows
from .same import same
from .services import ServiceReport
from .stages import StageReport
from .streams import StreamReport
from .tasks import TaskReport
from .view import View

if TYPE_CHECKING:
    from pathlib import Path as FilePath

    from ..plot.drawing import Drawing

# The other forms are loaded when they are asked for: the first report of a program is made on its event loop.
_log = logging.getLogger("asyncflow")


@dataclass(frozen=True, slots=True)
class PathStep:
    """What took the time between two moments of a run.

    Args:
        task: whose time it was; None if it was that of code outside of blocks.
        is_code: whether it was the code of a block's body, or outside of blocks, rather than what a task waits for.
        begins: in seconds since the run began.
        ends: when the next step begins.
        shares: seconds by category; those of `Report.ledger`.
    """

    task: TaskReport | None
    is_code: bool
    begins: float
    ends: float
    shares: dict[str, float]

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ends - self.begins

    def __str__(self) -> str:
        return step_in_words(self)


class Report(Outlined):
    """What happened in a run. Everything is worked out when it is asked for, and tasks are made one by one.

    Args:
        told: the history of the run, or what it can be made of when it is asked for; it is not to change any more.
    """

    __slots__ = ("_made", "_summed", "_told", "_walked")

    def __init__(self, told: History | Snapshot) -> None:
        self._told = told
        self._made: Rows | None = None
        self._summed: tuple[Busy, Mapping[str, Calls]] | None = None
        self._walked: Path | None = None

    # -- the whole -----------------------------------------------------------------------------------------

    @property
    def run(self) -> str:
        """Identifies the run among others."""
        return self._history.run

    @property
    def began(self) -> float:
        """When the run began, in seconds since the epoch."""
        return self._history.began

    @property
    def is_over(self) -> bool:
        """Whether the engine had been shut down."""
        return self._history.is_over

    @property
    def dry_run(self) -> bool:
        """Whether nothing was run, and values stood in for results: the times are those of calls and waiting alone."""
        return self._history.dry_run

    @property
    def about(self) -> Mapping[str, str]:
        """Where the run was and how its engine was set, by name: "machine", "Python", "on_failure"; {} if not known."""
        return self._history.about

    @property
    def workers(self) -> Mapping[str, int | None]:
        """How many tasks could run at once, by place; None where there was no limit."""
        return self._history.workers

    @property
    def dropped(self) -> int:
        """How many tasks there were that are not told of one by one any more."""
        return self._history.dropped

    @property
    def lost(self) -> int:
        """Of how many tasks, at least, it is not written down what they were or what became of them, since the journal
        did not keep up or its disk was full; they are in no count."""
        return len(self._history.lost)

    @property
    def counts(self) -> dict[str, int]:
        """How many tasks there are in each state, by its name; those not told of one by one included."""
        column = self._history.state.tobytes()
        counts = {state.value: column.count(number) for number, state in enumerate(STATES, 1)}
        for totals in self._history.earlier.values():
            for state, number in totals.states.items():
                counts[state] += number
        return {state: number for state, number in counts.items() if number}

    @property
    def total(self) -> float:
        """Seconds from the beginning of the run to its end, or to now."""
        return self._history.now

    @property
    def planning(self) -> float:
        """Seconds for which code that made calls held the event loop."""
        return self._history.planning

    @property
    def execution(self) -> float:
        """Seconds from the first start of a task to the last finish, or to now."""
        return self._busy.execution

    @property
    def parallelism(self) -> float:
        """How many tasks ran at once on average, from the first start to the last finish; 0 if none ran."""
        told = self._busy
        return told.seconds / told.execution if told.execution else 0.0

    @property
    def efficiency(self) -> float | None:
        """Which part of that time workers ran tasks, from 0 to 1; None where it is not known how many there are.

        Places that have no limit, and places where nothing ran, are left out.
        """
        return self._busy.efficiency

    @property
    def most_at_once(self) -> int:
        """How many tasks ran at once at most."""
        return self._busy.most

    @property
    def ledger(self) -> dict[str, float]:
        """Where the time went: seconds by category, together `total`.

        Each moment is counted once, for what held the run up in that moment, which is what `critical_path` tells.
        Categories are those of `TaskReport.waits`, and "code": the user's own code ran, or awaited something that is
        no task.
        """
        return dict(zip(path.LEDGER, self._path.spent, strict=True))

    @property
    def critical_path(self) -> View[PathStep]:
        """What the run waited for from its beginning to its end, step by step.

        The way goes back from the task that ended last, along the dependency that ended last, or through the code that
        made the call to what that can have awaited last; through blocks it goes inside. `asyncflow.report.path` tells
        it in full.
        """
        return View(len(self._path), self._step)

    # -- tasks ---------------------------------------------------------------------------------------------

    @property
    def tasks(self) -> View[TaskReport]:
        """All tasks in the order of their calls, each made when it is asked for."""
        return View(len(self._rows), self._task)

    def task(self, id: int) -> TaskReport:
        """The task of a number.

        Raises:
            LookupError: there is none, or it is not told of any more, or what became of it is not written down.
        """
        row = self._rows.row(id)
        if row == NOBODY and id in self._history.lost:
            raise LookupError(self._lost_told(id))
        if row == NOBODY:
            also = f"; of {self.dropped:,} earlier tasks only totals are kept" if self.dropped else ""
            raise LookupError(f"this report has no task #{id}{also}")
        return self._task(row)

    def _lost_told(self, id: int) -> str:
        name, lacking = self._history.lost[id], words.counted(self._history.lost_events, "event")
        what = f"what became of {words.plain(name)} (#{id})" if name else f"the call of task #{id}"
        return f"{what} is not written down: the journal lacks {lacking}"

    def named(self, name: str) -> View[TaskReport]:
        """All tasks of a name, in the order of their calls.

        Args:
            name: as its user wrote it.
        """
        return self._of_sites(lambda site: site.name == name)

    @property
    def failed(self) -> View[TaskReport]:
        """The tasks that have failed themselves, in the order of their calls."""
        states = self._history.state
        rows = array("I", (row for row, state in enumerate(states) if state == FAILED))
        return View(len(rows), lambda place: self._task(rows[place]))

    @property
    def detached(self) -> View[TaskReport]:
        """Tail tasks, which nobody waits for, in the order of their calls."""
        return self._of_sites(lambda site: site.detached)

    @property
    def functions(self) -> dict[str, FunctionReport]:
        """What became of the calls of each function, by name, in the order of the first calls."""
        return functions.functions(self._rows, self._calls)

    @property
    def durations(self) -> dict[str, float]:
        """How many seconds a call of each function ran on average: for `Plan.with_durations`, `Plan.makespan`."""
        return functions.durations(self._calls)

    @property
    def blocks(self) -> View[BlockReport]:
        """What was inside of each block, in the order of their calls."""
        return blocks.blocks(self._rows)

    @property
    def services(self) -> View[ServiceReport]:
        """When each service was ready, when it ended and who used it, in the order of their calls."""
        return services.services(self._rows)

    @property
    def streams(self) -> View[StreamReport]:
        """How many items each stream had, how quick it was and which of them took longest, in the order in which their
        readers came; of those that are over, the last thousand."""
        return streams.streams(tuple(self._history.streams))

    @property
    def stages(self) -> View[StageReport]:
        """The tasks by how many had to end before them, one after another; blocks are in none, tasks inside are."""
        return stages.stages(self._rows)

    @property
    def first_failure(self) -> FirstFailure | None:
        """The task that failed first, and all that did not run because of it; None if none failed."""
        return failures.first_failure(self._rows)

    @property
    def skipped(self) -> View[SkippedBranch]:
        """The tasks that have raised `Skip`, in the order of their calls, and what was skipped with each."""
        return failures.skipped(self._rows)

    @property
    def tail(self) -> Tail | None:
        """The end of the run when less than half as many tasks ran at once as at most, and what ran then; or None."""
        return busy.tail(self._rows, self._busy)

    # -- other forms ---------------------------------------------------------------------------------------

    def to_json(self) -> str:
        """The report as text, from which `from_json` makes an equal one."""
        from . import stored

        return stored.to_json(self._history)

    @classmethod
    def from_json(cls, given: str | bytes) -> Report:
        """The report that `to_json` has made text of.

        Raises:
            ValueError: it is no such text, or one of a later version.
        """
        from . import stored

        return cls(stored.from_json(given))

    @classmethod
    def from_journal(cls, path: str | PathLike[str], run: str | None = None) -> Report:
        """The report of a run that has written a journal, as far as that goes: also if the process was killed.

        Args:
            path: of the file; see `WorkflowEngine`.
            run: `Report.run` of one of those that have written there; None for the last.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is no journal.
            LookupError: that run is not in it.
        """
        from .._record.from_events import history_told
        from .._record.lines import events_in, last_run
        from . import stored

        if not isinstance(path, (str, PathLike)):  # open(1) would be the program's own output
            raise TypeError(f"Report.from_journal() takes a path, and was given {words.given(path)}")
        with open(path, "rb") as file:
            events = last_run(events_in(file), run)
        history = history_told(events)
        if lost := history.lost_events:
            _log.warning("journal %r lacks %s events of this run", os.fspath(path), f"{lost:,}")
        try:
            stored.check(history)
        except ValueError as error:
            raise ValueError(f"no journal: {error}") from None
        return cls(history)

    def to_dataframe(self) -> Any:
        """The tasks as a `pandas.DataFrame`, in the order of their calls.

        Columns are the fields of `TaskReport`, but for the dependencies and attempts, and one for each category of
        `waits`. What has not happened is NaN.

        Raises:
            ImportError: pandas is not installed.
        """
        from . import frame

        return frame.frame(self._rows)

    def to_chrome_trace(self) -> dict[str, Any]:
        """The run in the Trace Event Format, for `json.dump`; ui.perfetto.dev and chrome://tracing open it.

        Each worker has a track with its tasks, their times by category as arguments; blocks have tracks of their own;
        arrows go from dependencies to what waited for them. Tasks that one worker ran at the same time are on several
        tracks.
        """
        from . import trace

        return trace.trace(self._rows)

    def to_wfformat(self, name: str = "report") -> dict[str, Any]:
        """The run in WfFormat 1.5, for `json.dump`; `Plan.from_wfformat` reads it.

        There are no blocks in that format: what waited for one waited for the last tasks inside. Machines there are the
        workers here, as far as they are known. Letters that the format does not allow in ids are written as ``_``.

        Args:
            name: of the workflow.

        Raises:
            ValueError: the report has no tasks, which the format cannot tell of.
        """
        from . import recorded

        return recorded.recorded(self._rows, name)

    def timeline(self, path: str | PathLike[str] | None = None, *, dark: bool | None = None) -> Drawing:
        """The run over time, as a picture that shows itself in a notebook.

        Each worker is a lane with a bar for each attempt; between them it is shaded what the task waited for that ran
        there next. The critical path is above, and below is how many tasks ran and waited, and how many results were
        held for others. Bars that are too narrow are drawn together, and come apart when the page (.html) is zoomed.

        Args:
            path: of a file to which it is saved at once: .svg .png .html .mmd
            dark: whether its ground is dark; None to follow the reader's system.

        Raises:
            ValueError: the end of the file's name is none of these.
            ImportError: a PNG needs the extra ``plot``, which is not installed.
            OSError: the file cannot be written.
        """
        from ..plot.drawing import checked_dark
        from ..plot.timelines import drawn
        from . import timeline
        from .outline import title

        checked_dark(dark)
        drawing = drawn(timeline.timeline(self._rows, self._path, title(self)), dark)
        if path is not None:
            drawing.save(path)
        return drawing

    def save(
        self, path: str | PathLike[str], *, title: str | None = None, dark: bool | None = None
    ) -> FilePath:
        """Write the whole run to a file, in the form that the end of its name says.

        - .html: one page with all that is known of the run: failures first, where the time went, timeline, graph,
          functions, critical path, and each task's story, found by its name. It needs no network and no Python.
        - .json: `to_json`, from which `from_json` makes the report again.
        - .trace.json: `to_chrome_trace`, for ui.perfetto.dev.
        - .txt: what ``print(report)`` shows.

        Args:
            path: of the file; one that is there is overwritten.
            title: of the page; None for the numbers of tasks.
            dark: whether the ground of the page is dark; None to follow its reader's system.

        Returns:
            The path.

        Raises:
            TypeError: that is no path.
            ValueError: the end of the name is none of these.
            OSError: the file cannot be written.
        """
        from . import saved

        return saved.save(self, self._rows, self._path, path, title, dark)

    # -- as people see it ----------------------------------------------------------------------------------

    def draw(
        self,
        path: str | PathLike[str] | None = None,
        *,
        fold: bool | int | None = None,
        dark: bool | None = None,
    ) -> Drawing:
        """The run as a picture of its graph: coloured by state, blocks as boxes, the critical path thick.

        Args:
            path: of a file to save it in: .svg .png .html .mmd .dot
            fold: whether tasks that repeat are one box, as "fit × 500": as far as needed for a picture that can be
                read (None), as far as possible (True), not at all (False), or to so many boxes.
            dark: whether its ground is dark; None to follow the reader's system.

        Raises:
            TypeError: an argument of the wrong type.
            ValueError: the end of the path is another, or less than one box.
            ImportError: it is to be saved, and needs the extra ``plot``, which is not installed.
            OSError: the file cannot be written.
        """
        from ..plot.graphs import graph_of
        from .picture import subject_of

        return graph_of(lambda: subject_of(self, self._rows, self._path), path, fold, dark)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Report):
            return NotImplemented
        return same(self._history, other._history)

    __hash__ = None  # type: ignore[assignment]

    def _outline(self) -> Outline:
        return outline_of(self)

    # -- inside --------------------------------------------------------------------------------------------

    # Two threads that ask at once both work it out, and either may be kept.

    @property
    def _history(self) -> History:
        told = self._told
        if isinstance(told, Snapshot):
            told = self._told = history_of(told)
        return told

    @property
    def _rows(self) -> Rows:
        if self._made is None:
            self._made = Rows(self._history)
        return self._made

    @property
    def _sums(self) -> tuple[Busy, Mapping[str, Calls]]:
        summed = self._summed
        if summed is None:
            ran = Ran(self._rows)
            summed = self._summed = busy.busy(self._rows, ran), functions.calls_of(self._history, ran)
        return summed

    @property
    def _busy(self) -> Busy:
        return self._sums[0]

    @property
    def _calls(self) -> Mapping[str, Calls]:
        return self._sums[1]

    @property
    def _path(self) -> Path:
        if self._walked is None:
            self._walked = path.walked(self._rows)
        return self._walked

    def _of_sites(self, wanted: Callable[[Site], bool]) -> View[TaskReport]:
        sites = {number for number, site in enumerate(self._history.sites) if wanted(site)}
        rows = array(
            "I", (row for row, site in enumerate(self._history.site) if site in sites) if sites else ()
        )
        return View(len(rows), lambda place: self._task(rows[place]))

    def _task(self, row: int) -> TaskReport:
        return tasks.task(self._rows, row)

    def _step(self, place: int) -> PathStep:
        row, is_code, begin, end = self._path.step(place)
        task = None if row == NOBODY else self._task(row)
        return PathStep(task, is_code, begin, end, path.shares(self._rows, self._path, place))
