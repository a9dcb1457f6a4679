"""A stream as a picture: where its items come from, the task that they go through, and who reads the results."""

from __future__ import annotations

from .._show.picture import Link, Node, Picture


def stream_picture(name: str, title: str, counts: dict[str, int], total: int | None, window: int) -> Picture:
    """The picture of a stream as it is now.

    Args:
        name: of the task.
        title: what there is in it.
        counts: items that were "taken", are "running", are "over" and were "given", and of those over, "failed".
        total: how many items there are in all; None if nobody knows.
        window: how many items may be under way at once.
    """
    known = "unknown" if total is None else f"{total:,}"
    states = {
        "PENDING": 0 if total is None else max(0, total - counts["taken"]),
        "RUNNING": counts["running"],
        "SUCCEEDED": counts["over"] - counts["failed"],
        "FAILED": counts["failed"],
    }
    nodes = [
        Node(0, "source", "awaitable", 1, details=[("items", known), ("taken", f"{counts['taken']:,}")]),
        Node(
            1,
            name,
            "stream",
            max(2, counts["taken"]),
            "× N" if total is None else f"× {total:,}",
            states={state: number for state, number in states.items() if number},
            details=[("window", f"{window:,} items"), ("running", f"{counts['running']:,}")],
        ),
        Node(2, "reader", "awaitable", 1, details=[("given", f"{counts['given']:,}")]),
    ]
    links = [Link(0, 1, "data", count=counts["taken"]), Link(1, 2, "data", count=counts["given"])]
    return Picture("Stream", title, nodes, links, [], lambda node, most: [])
