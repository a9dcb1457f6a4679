"""A report as a pandas frame, a row for each task."""

from __future__ import annotations

from array import array
from typing import Any

from .._core.states import STATES
from . import waits
from .rows import Rows
from .tasks import bytes_of

_UNKNOWN = ("", ())


def frame(rows: Rows) -> Any:
    """A `pandas.DataFrame` with a row for each task, in the order of their calls.

    Raises:
        ImportError: pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        mend = 'pip install "asyncflow-engine[report]"'
        raise ImportError(f"Report.to_dataframe() needs pandas:  {mend}", name="pandas") from None
    history = rows.history
    sites = [history.sites[site] for site in history.site]
    endings = [history.endings.get(id, _UNKNOWN) for id in history.id]
    columns: dict[str, Any] = {
        "id": history.id,
        "name": [site.name for site in sites],
        "kind": [site.kind for site in sites],
        "state": [STATES[state - 1].value for state in history.state],
        "block": [block or None for block in history.block],
        "workflow": [site.workflow for site in sites],
        "called_at": [site.called_at for site in sites],
        "place": [site.place for site in sites],
        "worker": [history.names[worker] for worker in history.worker],
        "attempts": history.attempts,
    }
    columns |= {name: getattr(history, name) for name in waits.Times._fields if name != "loading"}
    columns |= _spent(rows)
    columns |= {
        name: [bytes_of(history, row, name) for row in range(len(rows))] for name in ("bytes_in", "bytes_out")
    }
    columns |= {"error": [ending[0] for ending in endings], "roots": [ending[1] for ending in endings]}
    columns["block"] = pandas.array(columns["block"], dtype="Int64")
    return pandas.DataFrame(
        {name: list(column) if isinstance(column, array) else column for name, column in columns.items()}
    )


def _spent(rows: Rows) -> dict[str, array[float]]:
    """Seconds of each task, by category."""
    history = rows.history
    columns = [array("d") for _ in waits.CATEGORIES]
    for row in range(len(rows)):
        told = waits.times(history, row)
        spent = [0.0] * len(columns)
        waits.spend(spent, *waits.parts(history, row), told.called, told.over)
        for column, seconds in zip(columns, spent, strict=True):
            column.append(seconds)
    return dict(zip(waits.CATEGORIES, columns, strict=True))
