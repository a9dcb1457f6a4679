"""Who failed because of whom, and how that is told.

Nothing is imported from the rest of the package. What is told is composed only when somebody reads it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

_LINES = "\n\t"
_SHOWN = 5  # how many tasks a message names before it says "and N more"


def spelled(text: str, kept: str = "") -> str:
    """Text that only shows: what would do something else to a terminal, as escape sequences do, is spelled out.

    Args:
        text: from anywhere.
        kept: characters that stay, though they are not printable.
    """
    if text.isprintable():
        return text
    return "".join(
        each
        if each.isprintable() or each in kept
        else each.encode("unicode_escape", "backslashreplace").decode()
        for each in text
    )


def spelled_lines(text: str) -> str:
    """The same of a text of several lines, which stay lines.

    Args:
        text: from anywhere.
    """
    return spelled(text, _LINES)


def name_of_function(fn: object) -> str:
    """What a function is called in messages, if nobody has said."""
    inner = getattr(fn, "func", fn)  # functools.partial
    return getattr(inner, "__name__", None) or type(inner).__name__


class Cause:
    """One task that failed, was cancelled or skipped, or did not run because of others: a node in the story of why
    there is no value.

    Nodes share their upstream nodes, so that the whole story of a graph takes one node a task. Each knows its
    first few roots; all of them are looked up when somebody asks, or a fold over 10,000 failures would keep
    fifty million references.
    """

    __slots__ = (
        "_firsts",
        "_fork",
        "_roots",
        "attempts",
        "call",
        "error",
        "held_up",
        "held_up_count",
        "label",
        "name",
        "passed_on",
        "skipped",
        "stopped_by",
        "task_id",
        "upstream",
    )

    def __init__(
        self,
        task_id: int,
        name: str,
        attempts: int,
        error: BaseException | None,
        upstream: tuple[Cause, ...] = (),
        label: str | None = None,
        skipped: str | None = None,
    ) -> None:
        self.label = label
        self.call = ""  # of what failed: the call with its arguments, in words
        self.task_id = task_id
        self.name = name
        self.attempts = attempts
        self.error = error  # None: cancelled, or skipped
        self.skipped = skipped  # why it has raised Skip; None if it has not
        self.stopped_by: Cause | None = None  # the failure because of which it was cancelled
        self.upstream = upstream
        # Empty and None mean the node itself: without a circle a failure goes as soon as nobody holds it.
        self._firsts: tuple[Cause, ...] = _first_roots(upstream)
        self._fork: Cause | None = (upstream[0]._fork or upstream[0]) if len(upstream) == 1 else None
        self._roots: tuple[Cause, ...] | None = None
        self.held_up: list[tuple[int, str]] = []  # the first few tasks that did not run for this reason
        self.held_up_count = 0
        self.passed_on = False  # a dependent tells of it
        for root in self._firsts:
            root.held_up_count += 1
            if len(root.held_up) <= 2 * _SHOWN:
                root.held_up.append((task_id, self.name_shown))

    @property
    def name_shown(self) -> str:
        """Name and label: "trim[S17]"."""
        return self.name if self.label is None else f"{self.name}[{self.label}]"

    @property
    def firsts(self) -> tuple[Cause, ...]:
        """The first few of the roots: those that failed, those that were cancelled, those that were skipped; each by
        number."""
        return self._firsts or (self,)

    @property
    def roots(self) -> tuple[Cause, ...]:
        """Every task, in order of number, whose own failure, cancellation or skip is a reason."""
        fork = self._fork or self  # the links of a chain have the roots that its head has
        if fork._roots is None:
            fork._roots = _all_roots(fork)
        return fork._roots or (fork,)

    def __repr__(self) -> str:
        return f"<Cause {self}>"

    def __str__(self) -> str:
        return f"{spelled(self.name_shown)} (#{self.task_id})" if self.attempts < 2 else self._with_attempts()

    def _with_attempts(self) -> str:
        return f"{spelled(self.name_shown)} (#{self.task_id}, {self.attempts} attempts)"


def _first_roots(upstream: tuple[Cause, ...]) -> tuple[Cause, ...]:
    if len(upstream) == 1:
        return upstream[0].firsts  # shared, so that a long chain keeps one tuple
    unique = {root.task_id: root for cause in upstream for root in cause.firsts}
    return tuple(sorted(unique.values(), key=_how_bad)[:_SHOWN])


def _how_bad(root: Cause) -> tuple[bool, bool, int]:
    """What failed wins over what was cancelled, and that over what was skipped."""
    return root.skipped is not None, root.error is None, root.task_id


def _all_roots(cause: Cause) -> tuple[Cause, ...]:
    unique: dict[int, Cause] = {}
    seen = {cause}
    stack = [cause]
    while stack:
        for above in stack.pop().upstream:
            fork = above._fork or above
            if fork in seen:
                continue
            seen.add(fork)
            if fork._roots is None and fork.upstream:
                stack.append(fork)
            else:
                unique |= {root.task_id: root for root in fork.roots}
    return tuple(unique[task_id] for task_id in sorted(unique))


# -- how it is told ---------------------------------------------------------------------------------------


def way_from(root: Cause, end: Cause) -> list[Cause] | None:
    """The shortest way from a root to what did not run because of it, both included; None if there is none.

    Args:
        root: where it begins.
        end: where it ends.
    """
    came_from: dict[int, Cause | None] = {end.task_id: None}
    queue = deque([end])
    while queue:
        node = queue.popleft()
        if node.task_id == root.task_id:
            return list(_walk_back(node, came_from))
        for above in node.upstream:
            if above.task_id not in came_from:
                came_from[above.task_id] = node
                queue.append(above)
    return None


def _walk_back(node: Cause, came_from: dict[int, Cause | None]) -> Iterator[Cause]:
    step: Cause | None = node
    while step is not None:
        yield step
        step = came_from[step.task_id]


def told(who: str, cause: Cause, what: str = "") -> str:
    """Why a task did not run: the reasons, the ways from the first few of them, and who else did not run.

    Args:
        who: the task, in words.
        cause: its node in the story.
        what: became of it; "" for what follows from its roots.
    """
    shown = cause.firsts
    paths = [way for root in shown if (way := way_from(root, cause)) is not None]
    reasons = [end_told(root) for root in shown]
    if len(cause.roots) > len(shown):
        reasons.append(f"and {len(cause.roots) - len(shown)} more")
    if shown[0].skipped is not None:
        if not cause.upstream:
            return f"{who} was skipped: {shown[0].skipped}"
        what = what or "was skipped"
    elif not what:
        what = "ran, but not to be asked for its result" if cause.attempts else "did not run"
    first = f"{who} {what}: {'; '.join(reasons)}"
    lines = [first if first.endswith((".", "!", "?")) else first + "."]
    lines += ["  " + _arrows(way) for way in paths]
    others = _others(shown, paths)
    if others:
        lines.append(f"  Also not run for this reason: {others}.")
    return "\n".join(lines)


def ways_to(cause: Cause) -> list[str]:
    """The ways to a task that did not run from the first few of those because of which: "load (#1) -> fit (#2)"."""
    ways = (way_from(root, cause) for root in cause.firsts)
    return [_arrows(way) for way in ways if way is not None]


def end_told(root: Cause) -> str:
    """How a root has ended: "'fit' (#4) failed, ValueError: need 2 rows"."""
    if root.error is not None:
        end = f"failed, {brief(root.error)}"
    else:
        end = f"was cancelled{stopped(root)}" if root.skipped is None else f"was skipped, {root.skipped}"
    return f"{root.name_shown!r} (#{root.task_id}) {end}"


def stopped(cause: Cause) -> str:
    """Because of whose failure something was cancelled: ", because 'fit' (#4) failed, ValueError: need 2 rows"."""
    first = cause.stopped_by
    return "" if first is None else f", because {end_told(first)}"


def _arrows(path: list[Cause]) -> str:
    names = [str(cause) for cause in path]
    if path[0].call:  # which of many it was
        names[0] = path[0].call + names[0].removeprefix(spelled(path[0].name_shown))
    if len(names) > 2 * _SHOWN:
        names[_SHOWN:-_SHOWN] = [f"... {len(names) - 2 * _SHOWN} more ..."]
    return " -> ".join(names)


def _others(roots: Iterable[Cause], paths: Iterable[list[Cause]]) -> str:
    printed = {cause.task_id: cause for path in paths for cause in path}
    total = 0
    names: dict[int, str] = {}
    for root in roots:
        told = sum(root in cause._firsts for cause in printed.values())
        total = max(total, root.held_up_count - told)
        names |= {task_id: name for task_id, name in root.held_up if task_id not in printed}
    shown = [f"{spelled(name)} (#{task_id})" for task_id, name in sorted(names.items())[:_SHOWN]]
    if total > len(shown):
        shown.append(f"and {total - len(shown)} more" if shown else f"{total} tasks")
    return ", ".join(shown)


def add_note(error: BaseException, note: str) -> None:
    """Add a note to an exception, also to one that is frozen or takes none itself."""
    try:
        error.add_note(note)
    except Exception:
        notes = error.__dict__.get("__notes__")
        error.__dict__["__notes__"] = [*notes, note] if isinstance(notes, list) else [note]


def brief(error: BaseException, limit: int = 300) -> str:
    """An exception in one short line, whatever its ``__str__`` does.

    Args:
        error: the exception; its ``__str__`` may raise or be of any size.
        limit: the most characters of its message that are shown.
    """
    kind = type(error).__name__
    try:
        message = str(error)
    except BaseException as problem:  # a broken __str__ must not hide the failure itself
        message = f"<its message cannot be shown: {type(problem).__name__}>"
    if len(message) > limit:
        message = message[:limit] + f"... ({len(message):,} characters)"
    first, _, rest = message.partition("\n")
    return spelled(f"{kind}: {first}{' ...' if rest else ''}" if message else kind)
