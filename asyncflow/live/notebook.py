"""Progress in a notebook: one block of plain HTML, which is put in its own place again and again and is saved with the
notebook as it was last."""

from __future__ import annotations

import sys
from collections.abc import Callable
from html import escape
from importlib import import_module
from typing import Any, Final, Protocol
from uuid import uuid4

from .._show import palette
from .._show.words import name_of, plain, seconds
from .progress import Function, Progress, line, of_total, percent, share, since
from .summary import lines_of

_FUNCTIONS: Final = 30
_COLUMNS: Final = ("function", "waiting", "running", "done", "failed", "not run", "rate", "of")


class Page(Protocol):
    """What a notebook can do for a display."""

    def cell(self) -> object:
        """Which cell runs now, or was the last that did."""

    def show(self, block: str, bundle: dict[str, str]) -> None:
        """Put something else into a block; one that is not there yet comes below the cell that runs now."""

    def when_cells_end(self, call: Callable[[], None]) -> Callable[[], None]:
        """Have something called at the end of each cell. Returns what ends that."""


class Notebook:
    """A block below the cell that has the run work; the next cell that does, when all that was before is over, has
    another.

    Args:
        page: of the notebook.
    """

    on_loop = True
    pause = 0.25

    def __init__(self, page: Page) -> None:
        self._page = page
        self._block = ""
        self._cell: object = None
        self._before: Progress | None = None  # when this block began
        self._idle: Progress | None = None  # when all was over
        self._has_others = False
        self._leaves: Callable[[], None] | None = None

    def begin(self, takes: Callable[[], None]) -> None:
        """Be called at the end of cells, so that what is saved of each is how things stood then."""
        self._leaves = self._page.when_cells_end(takes)

    def paint(self, progress: Progress) -> None:
        """Show how the run stands, if it has anything to do."""
        called = sum(each.called for each in progress.functions)
        if self._idle is not None and called == sum(each.called for each in self._idle.functions):
            return  # nothing has come since
        if self._idle is not None and self._cell != self._page.cell():
            self._before, self._block, self._has_others = self._idle, "", True
        if not called:
            return
        self._idle = progress if progress.is_idle else None
        if not self._block:
            self._block, self._cell = uuid4().hex, self._page.cell()
        shown = since(progress, self._before)
        self._page.show(self._block, {"text/html": html(shown), "text/plain": f"asyncflow: {line(shown)}"})

    def flush(self) -> None:
        """Nothing is held back."""

    def end(self, progress: Progress | None) -> None:
        """Show how it ended: in the block, or in one of its own if there are several."""
        if self._leaves is not None:
            self._leaves()
            self._leaves = None
        if progress is None or not progress.functions:
            return
        if not self._block or self._has_others:
            self._block = uuid4().hex
        told = lines_of(progress)
        self._page.show(self._block, {"text/html": html(progress, told), "text/plain": "\n".join(told)})


def notebook() -> Notebook | None:
    """A block in the notebook that this runs in; None if it runs in none."""
    ipython, marimo = sys.modules.get("IPython"), sys.modules.get("marimo")
    shell = None if ipython is None else ipython.get_ipython()
    if shell is not None and getattr(shell, "kernel", None) is not None:
        return Notebook(_Jupyter(shell))
    if marimo is not None and marimo.running_in_notebook():
        return Notebook(_Marimo(marimo))
    return None


class _Jupyter:
    """A notebook of Jupyter, and of all that speak its protocol: VS Code, Colab."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._shown: set[str] = set()

    def cell(self) -> object:
        return self._shell.execution_count

    def show(self, block: str, bundle: dict[str, str]) -> None:
        # Not by an import statement: type checkers need not have IPython.
        display: Any = import_module("IPython.display").display
        is_there = block in self._shown
        self._shown.add(block)
        display(bundle, raw=True, display_id=block, update=is_there)

    def when_cells_end(self, call: Callable[[], None]) -> Callable[[], None]:
        def ended(result: object) -> None:
            call()

        self._shell.events.register("post_run_cell", ended)
        return lambda: self._shell.events.unregister("post_run_cell", ended)


class _Marimo:
    """A notebook of marimo, where the output of a cell is put in place of the one before while the cell runs."""

    def __init__(self, marimo: Any) -> None:
        self._marimo = marimo

    def cell(self) -> object:
        return None

    def show(self, block: str, bundle: dict[str, str]) -> None:
        self._marimo.output.replace(self._marimo.Html(bundle["text/html"]))

    def when_cells_end(self, call: Callable[[], None]) -> Callable[[], None]:
        return lambda: None


# -- the block --------------------------------------------------------------------------------------------


def html(progress: Progress, summary: list[str] | None = None) -> str:
    """A run as a block of HTML.

    Args:
        progress: of it.
        summary: how it ended, in lines; None if it goes on.
    """
    sums = progress.sums
    part = share(sums)
    words = [of_total(sums) + ("" if part is None else f" ({percent(part)})")]
    words += [f"{sums.failed:,} failed"] if sums.failed else []
    words += [progress.eta.words] if progress.eta is not None and summary is None else []
    words.append(seconds(progress.lasts))
    parts = [_bar(sums), f"<p class='af-live-sums'>{escape(' · '.join(words))}</p>"]
    if progress.holds and summary is None:
        parts.append(f"<p class='af-live-held'>held up: {escape(plain(progress.holds))}</p>")
    parts.append(_table(progress))
    for each in progress.items:
        total = "" if each.total is None else f" of {each.total:,}"
        told = f"{each.name}: {each.over:,}{total} {each.noun}s over, {each.running:,} running"
        parts.append(f"<p>{escape(plain(told))}</p>")
    if summary is None:
        slow = [_slow(each.name, each.lasts, each.worker) for each in progress.slowest]
        parts += [f"<p>slowest: {escape(plain(', '.join(slow), 300))}</p>"] if slow else []
        failures = [
            f"<li>{escape(plain(each.name))} (#{each.id}) {escape(plain(each.error))}</li>"
            for each in progress.failures[-3:]
        ]
        parts += [f"<ul class='af-live-failed'>{''.join(failures)}</ul>"] if failures else []
    else:
        parts.append(f"<pre>{escape(chr(10).join(summary))}</pre>")
    return _block("".join(parts))


def _slow(name: str, lasts: float | None, worker: str) -> str:
    return f"{name}{'' if lasts is None else f' for {seconds(lasts)}'} on {worker}"


def _bar(sums: Function) -> str:
    total = max(1, sums.total)
    done, bad = 100 * sums.done / total, 100 * (sums.failed + sums.other) / total
    return (
        "<div class='af-live-bar' role='progressbar' aria-valuemin='0' aria-valuemax='100' "
        f"aria-valuenow='{done + bad:.0f}'><i class='af-live-done' style='width:{done:.2f}%'></i>"
        f"<i class='af-live-bad' style='width:{bad:.2f}%'></i></div>"
    )


def _table(progress: Progress) -> str:
    shown = [each for each in progress.functions if each.is_work or each.running]
    if not shown:
        return ""
    more = len(shown) - _FUNCTIONS
    if more > 0:
        shown = sorted(shown, key=lambda each: (-each.running, -each.waiting, -each.failed))[:_FUNCTIONS]
    head = "".join(f"<th>{each}</th>" for each in _COLUMNS)
    rows = "".join(f"<tr>{''.join(_cells(each))}</tr>" for each in shown)
    rest = f"<p>and {more:,} more functions</p>" if more > 0 else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{rest}"


def _cells(each: Function) -> list[str]:
    part = share(each)
    state = (
        "RUNNING" if each.running else "FAILED" if each.failed else "PENDING" if each.waiting else "SUCCEEDED"
    )
    look = palette.look_of(state)
    mark = f"<span style='color:var(--af-{look.name})' title='{escape(look.words)}'>{look.glyph}</span>"
    of = f"{each.total:,}+" if part is None else f"{each.total:,} ({percent(part)})"
    numbers = (each.waiting, each.running, each.done, each.failed, each.other)
    return [
        f"<th scope='row'>{mark} <code>{escape(name_of(each.name))}</code></th>",
        *(f"<td{' class=af-live-none' if not number else ''}>{number:,}</td>" for number in numbers),
        f"<td>{'' if each.rate is None else f'{each.rate:,.3g}/s'}</td>",
        f"<td>{'' if each.kind == 'block' else of}</td>",
    ]


_STYLE: Final = """
.af-live{font:13px/1.45 system-ui,sans-serif;color:var(--af-fg);max-width:60em}
.af-live p{margin:.2em 0}.af-live table{border-collapse:collapse;margin:.3em 0;color:inherit;font:inherit}
.af-live th,.af-live td{padding:.1em .7em;text-align:right;font-variant-numeric:tabular-nums;background:none}
.af-live th,.af-live td{color:inherit}
.af-live th:first-child{text-align:left;font-weight:normal}.af-live thead th{color:var(--af-muted);font-weight:normal}
.af-live .af-live-none{color:var(--af-muted)}.af-live-held{color:var(--af-muted)}.af-live-sums{font-weight:600}
.af-live-bar{display:flex;height:.6em;border:1px solid var(--af-line);border-radius:3px;overflow:hidden;max-width:40em}
.af-live-bar i{display:block;height:100%}.af-live-done{background:var(--af-succeeded)}
.af-live-bad{background:repeating-linear-gradient(45deg,var(--af-failed) 0 3px,var(--af-failed-fill) 3px 6px)}
.af-live-failed{margin:.2em 0;padding-left:1.2em;color:var(--af-failed)}
.af-live pre{margin:.4em 0;white-space:pre-wrap;color:inherit;background:none}
"""


def _block(inside: str) -> str:
    return f"<div class='af af-live'><style>{palette.css()}{_STYLE}</style>{inside}</div>"
