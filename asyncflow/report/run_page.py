"""What a page tells of a whole run: failures first, then where the time went, then all else; nothing without an end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from heapq import nlargest
from typing import TYPE_CHECKING, Final

from .._core.states import FAILED, STATES, UPSTREAM_FAILED, State
from .._record.history import Ending
from .._show.run_page import (
    Cell,
    Facts,
    Failed,
    Failures,
    GraphPicture,
    Grid,
    Item,
    RunPage,
    Section,
    Shares,
    Tile,
    TimelinePicture,
    Words,
)
from .._show.words import counted, listed, name_of, plain, seconds, size
from . import waits
from .outline import named, not_written, title
from .rows import WORK, Rows
from .stories import MOST
from .timeline import timeline

if TYPE_CHECKING:
    from .path import Path
    from .report import Report

_GROUPS, _ERRORS, _EXAMPLES = 20, 5, 8  # kinds of failures, messages of each, tasks of each
_SLOWEST: Final = 20
_STEPS: Final = 60
_LONG: Final = 200  # rows of a long table
_SHORT: Final = 50
_NAME: Final = 60
_ERROR: Final = 4_000
_NONE: Final = Ending("", ())
_MEAN: Final = {
    "dependency": "inputs",
    "limit": "limits",
    "queue": "a worker",
    "staging": "files",
    "start": "worker start",
    "transfer": "transfer",
    "retry": "next attempt",
    "run": "run",
    "code": "code between tasks",
}


def run_page(report: Report, rows: Rows, path: Path, name: str | None = None) -> RunPage:
    """The contents of a page.

    Args:
        report: of the run.
        rows: of its history.
        path: its critical path.
        name: of the page; None for what there was in the run.
    """
    told = title(report)
    return RunPage(
        plain(name) if name is not None else told,
        _about(report, told if name is not None else ""),
        list(_tiles(report)),
        [section for section in _sections(report, rows, path) if section.items],
        timeline(rows, path, told),
    )


def _about(report: Report, told: str) -> str:
    parts = [told] if told else []
    if report.began:
        parts.append(f"began {datetime.fromtimestamp(report.began, UTC):%Y-%m-%d %H:%M:%S} UTC")
    if machine := report.about.get("machine"):
        parts.append(f"on {plain(machine)}")
    if report.run:
        parts.append(f"run {plain(report.run)}")
    if not report.is_over:
        parts.append("the run was not over when this was written")
    return " · ".join(parts)


def _tiles(report: Report) -> Iterator[Tile]:
    counts = report.counts
    yield Tile(f"{sum(counts.values()):,}", "tasks")
    for state in sorted(counts, key=lambda each: (each != State.FAILED, list(State).index(State(each)))):
        yield Tile(f"{counts[state]:,}", state.lower().replace("_", " "), state)
    yield Tile(seconds(report.total), "in all")
    if report.most_at_once:
        yield Tile(f"{report.parallelism:.1f}", f"at once on average, {report.most_at_once:,} at most")
        if (efficiency := report.efficiency) is not None:
            yield Tile(f"{efficiency:.0%}".replace("%", " %"), "of the workers' time used")


def _sections(report: Report, rows: Rows, path: Path) -> Iterator[Section]:
    from .picture import subject_of

    yield _failures(rows)
    yield _time(report)
    yield Section("timeline", "Timeline", [TimelinePicture()] if len(rows) else [])
    graph = subject_of(report, rows, path)
    yield Section("graph", "Graph", [GraphPicture(graph)] if len(rows) else [])
    yield _functions(report)
    yield _slowest(rows)
    yield _critical(report)
    yield _streams(report)
    yield _services(report)
    yield _blocks(report)
    yield _stages(report)
    yield _skipped(report)
    yield _kept(rows)
    yield _around(report, rows)
    yield _on(report, rows)


# -- failures ----------------------------------------------------------------------------------------------


def _failures(rows: Rows) -> Section:
    """By the class of their errors, those first that held up most."""
    history = rows.history
    failed = rows.in_state(FAILED)
    by_kind: dict[str, list[int]] = defaultdict(list)
    for row in failed:
        error = history.endings.get(history.id[row], _NONE).error
        by_kind[plain(error.partition(":")[0].strip() or "failed", 80)].append(row)
    held_up = _held_up(rows, by_kind)
    order = sorted(by_kind, key=lambda kind: (-held_up[kind], -len(by_kind[kind]), kind))
    items = [_of_kind(rows, kind, by_kind[kind], held_up[kind]) for kind in order[:_GROUPS]]
    more = f"; {counted(len(order) - _GROUPS, 'other kind')} not shown" if len(order) > _GROUPS else ""
    note = f"{counted(len(failed), 'task')} failed, of {counted(len(order), 'kind')}{more}" if failed else ""
    return Section("failures", "Failures", items, note)


def _held_up(rows: Rows, by_kind: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """How many tasks did not run because of those of each kind."""
    history = rows.history
    kind_of = {history.id[row]: kind for kind, those in by_kind.items() for row in those}
    found = dict.fromkeys(by_kind, 0)
    for id, ending in history.endings.items():
        if ending.roots and (row := rows.row(id)) >= 0 and history.state[row] == UPSTREAM_FAILED:
            for kind in {kind_of[root] for root in ending.roots if root in kind_of}:
                found[kind] += 1
    return found


def _of_kind(rows: Rows, kind: str, failed: Sequence[int], held_up: int) -> Failures:
    history = rows.history
    names: dict[str, int] = defaultdict(int)
    for row in failed:
        names[history.sites[history.site[row]].name] += 1
    shown = [
        f"{name_of(name)} × {number:,}" for name, number in sorted(names.items(), key=lambda each: -each[1])
    ]
    what = listed(shown, 160)
    if held_up:
        what += f"; {counted(held_up, 'task')} did not run because of {'it' if len(failed) == 1 else 'them'}"
    by_error: dict[str, list[int]] = defaultdict(list)
    for row in sorted(failed, key=rows.ends.__getitem__):
        by_error[history.endings.get(history.id[row], _NONE).error].append(row)
    order = sorted(by_error, key=lambda error: -len(by_error[error]))
    more = f"{counted(len(order) - _ERRORS, 'other message')} not shown" if len(order) > _ERRORS else ""
    return Failures(kind, what, [_failed(rows, error, by_error[error]) for error in order[:_ERRORS]], more)


def _failed(rows: Rows, error: str, failed: Sequence[int]) -> Failed:
    history, row = rows.history, failed[0]
    site = history.sites[history.site[row]]
    worker = history.names[history.worker[row]]
    about = [f"called at {plain(site.called_at)}"] if site.called_at else []
    about.append(f"ran on {plain(worker)}" if worker else f"ran on {plain(site.place)}")
    about.append(f"failed {seconds(rows.ends[row])} after the beginning")
    if (attempts := history.attempts[row]) > 1:
        about.append(f"after {attempts:,} attempts")
    first = "" if len(failed) == 1 else "the first "
    tasks = [(history.id[each], _label(rows, each)) for each in failed[:_EXAMPLES]]
    return Failed(_lines(error), tasks, len(failed) - len(tasks), first + ", ".join(about))


def _label(rows: Rows, row: int) -> str:
    history, id = rows.history, rows.history.id[row]
    own = f"[{plain(history.labels[id], 80)}]" if id in history.labels else ""
    return f"{name_of(history.sites[history.site[row]].name, _NAME)}{own} (#{id})"


def _lines(text: str) -> str:
    """An error whose lines stay lines."""
    return "\n".join(plain(line, 400) for line in text[:_ERROR].split("\n"))


# -- time --------------------------------------------------------------------------------------------------


def _time(report: Report) -> Section:
    total, items = report.total, list[Item]()
    spent = [(name, each) for name, each in report.ledger.items() if each > 0]
    if spent and total:
        items.append(Shares([(name, seconds(each), each / total) for name, each in spent]))
        facts = [("planning", f"code that made calls held the event loop for {seconds(report.planning)}")]
        facts.append(("execution", f"{seconds(report.execution)} from the first start to the last finish"))
        if (tail := report.tail) is not None:
            ran = [f"{name_of(each.task.name)} (#{each.task.id})" for each in tail.tasks[:12]]
            which = listed(ran, 100, len(tail.tasks) - len(ran))
            facts.append(
                ("tail", f"for {seconds(tail.seconds)} at the end less than half as many ran: {which}")
            )
        items.append(Facts(facts))
    note = "Each moment is counted once, for what held the run up then: the critical path, added up."
    return Section("time", "Where the time went", items, note)


def _number(time: float | None) -> Cell:
    return Cell("", -1.0) if time is None else Cell(seconds(time), time)


def _count(number: int) -> Cell:
    return Cell(f"{number:,}" if number else "", float(number))


def _functions(report: Report) -> Section:
    found = sorted(report.functions.values(), key=lambda each: (-each.total, -each.count))
    whole = max((each.total for each in found), default=0.0)
    spent = [
        name for name in waits.CATEGORIES if name != "run" and any(each.waits[name] > 0 for each in found)
    ]
    rows = []
    for each in found[:_LONG]:
        bad = sum(each.bad.values())
        rows.append(
            [
                Cell(name_of(each.name, _NAME)),
                _count(each.count),
                Cell(f"{bad:,}" if bad else "", float(bad), state="FAILED" if bad else ""),
                *(_number(time) for time in (each.mean, each.p50, each.p95, each.max)),
                Cell(seconds(each.total), each.total, share=each.total / whole if whole else 0.0),
                *(_number(each.waits[name] or None) for name in spent),
            ]
        )
    header = ["function", "tasks", "no result", "mean", "median", "95 %", "longest", "ran in all"]
    note = "How long calls ran, and, on the right, what all of them together waited for. Click a column to sort by it."
    grid = Grid([*header, *(_MEAN[name] for name in spent)], rows, _more(len(found), _LONG, "function"))
    return Section("functions", "Functions", [grid] if rows else [], note)


def _more(size: int, most: int, noun: str) -> str:
    return f"{counted(size - most, f'more {noun}')} not shown" if size > most else ""


def _slowest(rows: Rows) -> Section:
    history = rows.history
    works = [kind in WORK for kind in rows.kinds]
    started, finished, _ = history.runs()
    lengths = (
        (end - begin, -row)
        for row, (begin, end, site) in enumerate(zip(started, finished, history.site, strict=True))
        if works[site] and end >= begin
    )
    found = nlargest(_SLOWEST, lengths)
    longest = found[0][0] if found else 0.0
    header = ["task", "ran", "waited", "began", "where", "called at"]
    grid = [_slow(rows, -row, length, longest) for length, row in found]
    more = f"the {_SLOWEST} that ran longest" if len(history.id) > _SLOWEST else ""
    return Section("slowest", "Slowest tasks", [Grid(header, grid)] if grid else [], more)


def _slow(rows: Rows, row: int, length: float, longest: float) -> list[Cell]:
    history = rows.history
    times, site = waits.times(history, row), history.sites[history.site[row]]
    return [
        _task(rows, row),
        Cell(seconds(length), length, share=length / longest if longest else 0.0),
        _number(times.started - times.called),
        _number(times.started),
        Cell(plain(history.names[history.worker[row]] or site.place, _NAME)),
        Cell(plain(site.called_at, 80)),
    ]


def _task(rows: Rows, row: int) -> Cell:
    history = rows.history
    return Cell(_label(rows, row), None, history.id[row], STATES[history.state[row] - 1].value)


def _critical(report: Report) -> Section:
    from .outline import label_of, spent_on

    steps, total = report.critical_path, report.total
    size = len(steps)
    head = size if size <= _STEPS else _STEPS * 2 // 3
    shown = [*range(head), *range(max(head, size - (_STEPS - head)), size)]
    rows = []
    for number in shown:
        step = steps[number]
        rows.append(
            [
                Cell(f"{number + 1:,}", float(number)),
                Cell(label_of(step), None, None if step.task is None else step.task.id),
                Cell(seconds(step.seconds), step.seconds, share=step.seconds / total if total else 0.0),
                _number(step.begins),
                Cell(spent_on(step)),
            ]
        )
    note = "What the run waited for, step by step from its beginning to its end."
    more = f"{counted(size - len(shown), 'step')} in between not shown" if size > len(shown) else ""
    return Section(
        "path",
        "Critical path",
        [Grid(["", "what", "time", "from", "spent on"], rows, more)] if rows else [],
        note,
    )


# -- all else ----------------------------------------------------------------------------------------------


def _streams(report: Report) -> Section:
    found, rows = report.streams, []
    for each in found[:_SHORT]:
        slowest = each.slowest[0] if each.slowest else None
        about = (
            f"#{slowest.index:,}" + (f" {plain(slowest.key, 40)}" if slowest.key else "") if slowest else ""
        )
        rows.append(
            [
                Cell(f"{name_of(each.name, _NAME)}, {each.state}"),
                Cell(
                    f"{each.taken:,}" + ("" if each.total in (None, each.taken) else f" of {each.total:,}"),
                    float(each.taken),
                ),
                _count(each.given),
                Cell(
                    f"{each.failed:,}" if each.failed else "",
                    float(each.failed),
                    state="FAILED" if each.failed else "",
                ),
                Cell("" if each.rate is None else f"{each.rate:,.4g}", each.rate or 0.0),
                _count(each.window),
                _number(each.to_first),
                _number(each.seconds),
                Cell(
                    f"{about}, {seconds(slowest.seconds)}" if slowest else "",
                    None,
                    slowest.task if slowest else None,
                ),
                Cell(plain(each.called_at, 80)),
            ]
        )
    header = [
        "stream",
        "items",
        "given",
        "failed",
        "a second",
        "window",
        "first after",
        "took",
        "slowest item",
        "made at",
    ]
    return Section(
        "streams", "Streams", [Grid(header, rows, _more(len(found), _SHORT, "stream"))] if rows else []
    )


def _services(report: Report) -> Section:
    found, rows = report.services, []
    for each in found[:_SHORT]:
        up = None if each.ready is None else (report.total if each.ended is None else each.ended) - each.ready
        state = each.task.state.value
        rows.append(
            [
                Cell(named(each.task), None, each.task.id, state),
                _number(each.ready),
                _number(up),
                Cell(plain(each.how) or ("up" if each.ready is not None else "")),
                _count(len(each.users)),
            ]
        )
    header = ["service", "ready after", "up for", "ended", "tasks that used it"]
    return Section(
        "services", "Services", [Grid(header, rows, _more(len(found), _SHORT, "service"))] if rows else []
    )


def _blocks(report: Report) -> Section:
    found = report.blocks
    walls = nlargest(_SHORT, ((each.wall, -place) for place, each in enumerate(found)))
    longest = walls[0][0] if walls else 0.0
    rows = []
    for wall, place in walls:
        each = found[-place]
        task = each.task
        rows.append(
            [
                Cell(named(task), None, task.id, task.state.value),
                Cell(seconds(wall), wall, share=wall / longest if longest else 0.0),
                _count(each.tasks),
                _number(each.run),
                Cell(plain(task.called_at, 80)),
            ]
        )
    header = ["block", "took", "tasks inside", "they ran", "called at"]
    return Section(
        "blocks", "Blocks", [Grid(header, rows, _more(len(found), _SHORT, "block"))] if rows else []
    )


def _stages(report: Report) -> Section:
    found = report.stages
    rows = [
        [
            Cell(f"{each.number + 1:,}", float(each.number)),
            _count(each.tasks),
            _number(each.run),
            _number(each.begins),
            _number(each.ends),
        ]
        for each in found[:_SHORT]
    ]
    header = ["stage", "tasks", "they ran", "first began", "last over"]
    note = "Tasks by how many had to end before them: those of one stage could have started together."
    more = _more(len(found), _SHORT, "stage")
    return Section("stages", "Stages", [Grid(header, rows, more)] if len(found) > 1 else [], note)


def _skipped(report: Report) -> Section:
    found = report.skipped
    rows = [
        [
            Cell(named(each.task), None, each.task.id, "SKIPPED"),
            Cell(plain(each.task.error.removeprefix("Skip: "))),
            _count(len(each.with_it)),
        ]
        for each in found[:_SHORT]
    ]
    grid = Grid(
        ["branch", "reason", "skipped with it"],
        rows,
        _more(len(found), _SHORT, "branch").replace("branchs", "branches"),
    )
    return Section("skipped", "Branches not taken", [grid] if rows else [])


def _kept(rows: Rows) -> Section:
    """Results by the node where they stayed, and files by function."""
    history = rows.history
    nodes: dict[str, list[int]] = defaultdict(list)
    for node, length in history.kept.values():
        nodes[node].append(length)
    grids: list[Item] = []
    if nodes:
        by_node = sorted(nodes.items(), key=lambda each: -sum(each[1]))
        grids.append(
            Grid(
                ["node", "results that stayed there", "together", "largest"],
                [
                    [Cell(plain(node, _NAME)), _count(len(those)), _bytes(sum(those)), _bytes(max(those))]
                    for node, those in by_node[:_SHORT]
                ],
                _more(len(by_node), _SHORT, "node"),
            )
        )
    moved: dict[str, list[int]] = {}
    for column, into in ((history.bytes_in, 0), (history.bytes_out, 1)):
        for row, length in enumerate(column):
            if length:
                moved.setdefault(history.sites[history.site[row]].name, [0, 0])[into] += length
    if moved:
        by_name = sorted(moved.items(), key=lambda each: -sum(each[1]))
        grids.append(
            Grid(
                ["function", "files brought", "files published"],
                [
                    [Cell(name_of(name, _NAME)), _bytes(one), _bytes(other)]
                    for name, (one, other) in by_name[:_SHORT]
                ],
                _more(len(by_name), _SHORT, "function"),
            )
        )
    note = "Sizes are known of results that stay on nodes, and of files; the timeline has how many results were held."
    return Section("memory", "Results and files", grids, note)


def _bytes(number: int) -> Cell:
    return Cell(size(number) if number else "", float(number))


def _around(report: Report, rows: Rows) -> Section:
    tasks: dict[str, int] = defaultdict(int)
    for site in rows.history.site:
        tasks[rows.history.sites[site].place] += 1
    header = ["where", "workers", "tasks"]
    places = list(dict.fromkeys([*report.workers, *tasks]))
    grid = [
        [
            Cell(plain(place, 80)),
            Cell(
                "no limit" if (many := report.workers.get(place)) is None else f"{many:,}", float(many or 0)
            ),
            _count(tasks.get(place, 0)),
        ]
        for place in places[:_SHORT]
        if place in tasks or report.workers.get(place)
    ]
    items: list[Item] = [Grid(header, grid)] if grid else []
    if report.about:
        items.append(Facts([(plain(name, 60), plain(text)) for name, text in report.about.items()]))
    return Section("where", "Where it ran", items)


def _on(report: Report, rows: Rows) -> Section:
    words: list[Item] = []
    notes = []
    if report.dry_run:
        notes.append("It was a dry run: nothing ran, and values stood in for results.")
    if report.dropped:
        notes.append(
            f"Of {counted(report.dropped, 'earlier task')} only totals are known, and counted above."
        )
    if lacking := not_written(report):
        notes.append(f"Not written down: {lacking}.")
    if len(rows) > MOST:
        notes.append(
            f"{len(rows) - MOST:,} tasks have no bar and no story here; the report itself has all of them."
        )
    if notes:
        words.append(Words(" ".join(notes)))
    words.append(Words("From Python, on the same report:"))
    words.append(Words(_look(rows), is_code=True))
    return Section("on", "How to go on", words)


def _look(rows: Rows) -> str:
    history = rows.history
    first = min(rows.in_state(FAILED), key=rows.ends.__getitem__, default=len(rows) - 1)
    number = history.id[first] if first >= 0 else 1
    lines = [
        "report = engine.report()                      # or Report.from_journal(path), Report.from_json(text)",
        f"print(report.task({number}).waits)                  # where the time of one task went",
        'report.save("report.json")                    # all of it, for later and for other programs',
        'report.save("run.trace.json")                 # for ui.perfetto.dev',
        "plan.with_durations(report.durations)         # how long would it take on more workers?",
    ]
    return "\n".join(lines)
