"""What a terminal shows of a run, made with rich: no line is wider than the terminal, and there are fewer than it has
rows."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from .._show.palette import LOOKS
from .._show.words import name_of, plain, seconds
from .progress import Failure, Function, Items, Progress, Slow, of_total, percent, share

# The terminal's own colours, which its owner has chosen to be read on its ground; what they say is said in words, too.
_STYLES: Final = {
    "RUNNING": "cyan",
    "SUCCEEDED": "green",
    "FAILED": "bold red",
    "CANCELLED": "magenta",
    "PENDING": "dim",
}
_NAME: Final = (12, 40)  # columns of a name, at least and at most
_LABEL: Final = 9
_DROPPED: Final = ("rate", "not run", "waiting", "of", "running", "done")
"""Columns that there may be no room for, in this order."""
_SLOW, _FAILURES, _ITEMS = 3, 3, 4
_BAR: Final = (10, 40)
Column = tuple[str, list[str], str, str]
"""A heading, a cell for each row, a style, and that of a cell that says 0."""


class Frames:
    """Makes what is shown, for one terminal."""

    def __init__(self) -> None:
        self._file = StringIO()
        self._console = Console(
            file=self._file, force_terminal=True, width=80, highlight=False, legacy_windows=False
        )

    def lines(self, progress: Progress, columns: int, rows: int) -> list[str]:
        """The lines, with their colours.

        Args:
            progress: of the run.
            columns: of the terminal.
            rows: of it.
        """
        width, room = max(20, columns - 1), max(1, rows - 2)
        head = _labelled("held up", progress.holds, "yellow") if progress.holds else []
        items = [_item(each) for each in progress.items[:_ITEMS]]
        slow = _slow(progress.slowest[:_SLOW])
        failures = _failures(progress.failures[-_FAILURES:])
        last = [_last(progress, width)]
        left = room - len(head) - len(last)
        for part in (
            failures,
            slow,
            items,
        ):  # what there is no room for is left out, the least important first
            del part[max(0, min(len(part), left - 3)) :]
            left -= len(part)
        table = _table(progress.functions, width, max(0, left))
        return [self._shown(each, width) for each in (*head, *table, *items, *slow, *failures, *last)]

    def _shown(self, text: Text, width: int) -> str:
        text.truncate(width, overflow="ellipsis")
        self._console.width = width + 1
        self._console.print(text, end="", no_wrap=True, crop=True, soft_wrap=False)
        shown = self._file.getvalue()
        self._file.seek(0)
        self._file.truncate()
        return shown.rstrip("\n")


def styled(text: str, style: str, console: Console | None = None) -> str:
    """Text as a terminal shows it in a style."""
    file = StringIO()
    console = Console(file=file, force_terminal=True, width=10_000, highlight=False, legacy_windows=False)
    console.print(Text(text, style=style), end="", soft_wrap=True)
    return file.getvalue()


# -- parts ------------------------------------------------------------------------------------------------


def _table(functions: Sequence[Function], width: int, room: int) -> list[Text]:
    """A row for each function: those first that something is to be seen of."""
    shown = [each for each in functions if each.is_work or each.running]
    if not shown or room < 2:
        return []
    if len(shown) >= room:
        shown = sorted(shown, key=lambda each: (-each.running, -each.waiting, -each.failed))[: room - 2]
    columns = _columns(shown)
    widths = [max(len(heading), *map(len, cells)) for heading, cells, _, _ in columns]
    name = max(_NAME[0], min(_NAME[1], max(cell_len(plain(each.name)) for each in shown)))
    while (
        any(each[0] in _DROPPED for each in columns) and 3 + name + sum(each + 2 for each in widths) > width
    ):
        if name > _NAME[0] + 4:
            name -= 1
            continue
        least = min(_DROPPED.index(each[0]) for each in columns if each[0] in _DROPPED)
        drop = next(at for at, each in enumerate(columns) if each[0] == _DROPPED[least])
        del columns[drop], widths[drop]
    lines = [Text("   " + set_cell_size("function", name), style="dim")]
    for (heading, *_), wide in zip(columns, widths, strict=True):
        lines[0].append(f"  {heading:>{wide}}")
    for row, each in enumerate(shown):
        state = _state(each)
        line = Text.assemble(
            (f" {LOOKS[state].glyph} ", _STYLES[state]), set_cell_size(_cut(each.name, name), name)
        )
        for (_, cells, style, empty), wide in zip(columns, widths, strict=True):
            line.append(f"  {cells[row]:>{wide}}", style=empty if cells[row] in ("0", "") else style)
        lines.append(line)
    work = sum(each.is_work or each.running > 0 for each in functions)
    if work > len(shown):
        lines.append(Text(f"   and {work - len(shown):,} more functions", style="dim"))
    return lines


def _columns(shown: Sequence[Function]) -> list[Column]:
    columns: list[Column] = [
        ("waiting", [f"{each.waiting:,}" for each in shown], "", "dim"),
        ("running", [f"{each.running:,}" for each in shown], _STYLES["RUNNING"], "dim"),
        ("done", [f"{each.done:,}" for each in shown], _STYLES["SUCCEEDED"], "dim"),
        ("failed", [f"{each.failed:,}" for each in shown], _STYLES["FAILED"], "dim"),
    ]
    if any(each.other for each in shown):
        columns.append(("not run", [f"{each.other:,}" for each in shown], _STYLES["CANCELLED"], "dim"))
    columns.append(("rate", [_rate(each.rate) for each in shown], "", "dim"))
    columns.append(("of", [_of(each) for each in shown], "", "dim"))
    return columns


def _of(function: Function) -> str:
    part = share(function)
    if function.kind == "block":
        return ""
    return f"{function.total:,}+" if part is None else f"{function.total:,} {percent(part):>5}"


def _state(each: Function) -> str:
    if each.running:
        return "RUNNING"
    if each.failed:
        return "FAILED"
    if each.waiting:
        return "PENDING"
    return "CANCELLED" if each.other else "SUCCEEDED"


def _rate(rate: float | None) -> str:
    if rate is None:
        return ""
    if rate < 0.095:
        return f"{rate * 60:.1f}/min"
    return f"{rate:,.0f}/s" if rate >= 9.95 else f"{rate:.1f}/s"


def _cut(name: str, most: int) -> str:
    """A name that takes no more than so many columns."""
    name = plain(name)
    if cell_len(name) <= most:
        return name
    return set_cell_size(name, most - 1).rstrip() + "…"


def _labelled(label: str, text: str, style: str = "") -> list[Text]:
    return [Text.assemble((f" {label:<{_LABEL}}", "dim"), (plain(text), style))]


def _slow(slowest: Sequence[Slow]) -> list[Text]:
    lines = []
    for number, each in enumerate(slowest):
        lasts = "" if each.lasts is None else f" for {seconds(each.lasts)}"
        lines += _labelled("" if number else "slowest", f"{each.name}{lasts} on {each.worker}")
    return lines


def _failures(failures: Sequence[Failure]) -> list[Text]:
    lines = []
    for number, each in enumerate(failures):
        lines.append(
            Text.assemble(
                (f" {'' if number else 'failed':<{_LABEL}}", "dim"),
                (f"{LOOKS['FAILED'].glyph} {name_of(each.name)} (#{each.id}) ", _STYLES["FAILED"]),
                plain(each.error),
            )
        )
    return lines


def _item(each: Items) -> Text:
    total = "" if each.total is None else f" of {each.total:,}"
    words = [f"{each.over:,}{total} {each.noun}s over", f"{each.running:,} running"]
    words += [f"{each.waiting:,} waiting"] if each.waiting else []
    words += [f"{each.failed:,} failed"] if each.failed else []
    label = "stream" if each.noun == "item" else "service"
    return _labelled(label, f"{each.name}: {', '.join(words)}")[0]


def _last(progress: Progress, width: int) -> Text:
    """The bar, and all together."""
    sums = progress.sums
    part = share(sums)
    words = [of_total(sums) + ("" if part is None else f" ({percent(part)})")]
    if sums.failed:
        words.append(f"{sums.failed:,} failed")
    if progress.lost:
        words.append(f"at least {progress.lost:,} not written down")
    if progress.eta is not None:
        words.append(progress.eta.words)
    words.append(seconds(progress.lasts))
    while len(words) > 1 and sum(map(cell_len, words)) + 3 * len(words) > width + 2:
        words.pop()  # whole, the least important first
    told = " · ".join(words)
    room = min(_BAR[1], width - cell_len(told) - 4)
    line = Text(" ")
    if room >= _BAR[0]:
        total = max(1, sums.total)
        done, failed = int(room * sums.over / total), -(-room * (sums.failed + sums.other) // total)
        failed = min(failed, done) if sums.failed + sums.other else 0
        line.append("━" * (done - failed), style=_STYLES["SUCCEEDED"])
        line.append("╍" * failed, style=_STYLES["FAILED"])
        line.append("─" * (room - done) + "  ", style="dim")
    line.append(told, style="bold")
    return line
