"""The core's record of one call: what to run, what it waits for, where it stands. Only the scheduler writes it.

It is also what a backend is handed (as ``asyncflow.backend.Work``), and in the runtime it is the future that the
user holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import Context
from copy import copy
from types import CodeType
from typing import TYPE_CHECKING, Any, Final

from .._causes import name_of_function, spelled
from ..errors import AsyncflowError, Cause, ImpossibleTransition
from .amounts import Amount, numbers_of, wanted_of
from .limits import Limit, needs_of
from .options import CommandOptions, TaskOptions, amounts_of
from .rare_fields import RareFields, in_rare
from .retries import Attempt, Retries
from .states import KEPT, LEGAL, NOW, PENDING, STATES, STEP, State, state_of, steps_of

if TYPE_CHECKING:
    from .carried_files import CarriedFiles
    from .kept import Keeping
    from .lanes import Lane
    from .order import Rank
    from .services import Service

BODIES: Final = ("block", "output")
"""Kinds of tasks that run on the event loop and may call others."""
_PLAIN: Final = TaskOptions()


class Definition:
    """What all calls of one decorated function have in common: the function, its kind and its options."""

    __slots__ = (
        "_staged",
        "ahead",
        "body",
        "body_is_coroutine",
        "deadline",
        "ends_plainly",
        "fn",
        "is_block",
        "is_command",
        "is_coroutine",
        "is_service",
        "is_slice",
        "is_special",
        "kind",
        "name",
        "needs",
        "options",
        "priority",
        "resources",
        "retries",
        "returns",
        "stops",
        "timeout",
        "wanted",
    )

    def __init__(
        self,
        fn: Callable[..., Any],
        kind: str = "function",
        options: TaskOptions = _PLAIN,
        *,
        name: str | None = None,
        is_coroutine: bool = False,
        returns: type | None = None,
        amounts: Mapping[str, Amount] | None = None,
    ) -> None:
        self.fn = fn
        self.body = fn  # what is called: it gives the function the resources that it asks for
        self.ahead = 0  # arguments before those of the user's function
        self.is_slice = False  # of a generator: of no call that the user has made
        self.resources: tuple[tuple[int, str, Any], ...] = ()  # place and name of the parameter, and which
        self.kind = kind
        self.options: Any = options  # of the class that goes with the kind
        self.name = name or options.name or name_of_function(fn)
        self.is_coroutine = is_coroutine
        self.body_is_coroutine = is_coroutine  # what a backend calls
        self.returns = returns  # the class of its value, where the function does not say it
        # The rest follows from these, and is asked for at each call.
        self.is_block = kind in BODIES
        self.stops = getattr(options, "on_failure", None) == "stop"  # all inside of it at a failure
        self.is_command = kind == "executable"
        self.is_service = kind == "service"
        if isinstance(options, CommandOptions) and options.service:
            self.kind, self.is_service = "service", True
        self.timeout = options.timeout
        self.deadline = options.deadline
        self.priority = options.priority
        self.is_special = (  # more is to be done with its calls
            self.is_command or self.is_service or self.deadline is not None or options.detached
        )
        limits = needs_of(options.limits, options.max_concurrent)
        self.wanted = wanted_of(limits, amounts_of(options), amounts or {}, self.name)
        self.needs = self.wanted.needs
        self.retries = (
            Retries(options.retries, options.retry_delay, options.retry_on) if options.retries else None
        )
        # What its function returns in the first attempt is its future's value, and nothing else is to be done then.
        self.ends_plainly = (
            not self.is_block and not self.is_command and self.timeout is self.deadline is None
        )
        self._staged: Definition | None = None

    @property
    def staged(self) -> Definition:
        """The same for calls that declare files."""
        if self._staged is None:
            self._staged = copy(self)
            self._staged.ends_plainly = False
        return self._staged


class CallSite:
    """What calls in a row from one place have in common: one object for all of them.

    Args:
        definition: what was called.
        lane: where it is to run.
        run: to which the calls belong, of the runtime's own class.
        workflow: what ``engine.workflow_scope`` was called with around them.
        code: that makes the calls; None if that is not known.
        at: the instruction in it. A line is worked out when it is shown.
    """

    __slots__ = ("at", "code", "definition", "is_tagged", "lane", "run", "workflow")

    def __init__(
        self,
        definition: Definition,
        lane: Lane,
        run: Any = None,
        workflow: str | None = None,
        code: CodeType | None = None,
        at: int = 0,
    ) -> None:
        self.definition = definition
        self.lane = lane
        self.run = run
        self.workflow = workflow
        self.code = code
        self.at = at
        self.is_tagged = (
            workflow is not None
            or definition.options.label is not None
            or definition.options.name is not None
        )

    def changed(self, **changes: object) -> CallSite:
        """The same but for something."""
        changed = copy(self)
        for name, value in changes.items():
            setattr(changed, name, value)
        return changed


FIELDS: Final = (
    "args",
    "attempt",
    "dependents",
    "rare",
    "holes",
    "id",
    "kwargs",
    "link",
    "owner",
    "site",
    "snapshot",
    "story",
    "waiting",
)
"""The slots that a class of tasks needs."""


class Task:
    """One call. The class that is made objects of brings the slots: it is the runtime's future, so that a task is one
    object and not two for the garbage collector to walk."""

    if not TYPE_CHECKING:
        __slots__ = ()
        after = in_rare("after", ())
        blames = in_rare("blames")
        cause = in_rare("cause")
        children = in_rare("children")
        files = in_rare("files")
        own_label = in_rare("label")
        outcome = in_rare("outcome")
        rank = in_rare("rank")
        returned = in_rare("returned")
        is_detached = in_rare("is_detached", False)
        is_held = in_rare("is_held", False)
        amounts = in_rare("amounts")
        wants = in_rare("wants")
        held_since = in_rare("held_since")
        failed_attempts = in_rare("attempts", ())
        service = in_rare("service")
        generator = in_rare("generator")
        kept = in_rare("kept")
        uses = in_rare("uses", ())

    id: int
    """The task's number in its run; 1 for the first call."""
    site: CallSite
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    snapshot: Any  # the `Context` of the call, perhaps of other calls, too; None when it is over
    owner: Task | None  # the block inside which it was called, until it is over
    story: int
    attempt: int
    waiting: int
    dependents: Task | list[Task] | None
    link: Task | None  # what was submitted behind it, in a chain
    holes: Any  # where values are to be filled into its arguments; of a submitted link, the one before, whose value is
    rare: RareFields | None  # where the following are, if there is any
    after: Sequence[Any]  # the futures that it waits for and that are not among its arguments
    blames: list[Cause] | None  # why it will not run, as far as known
    cause: Cause | None  # its own failure or cancellation, for those who come to depend on it
    children: dict[int, Task] | None  # of a block: what was called inside and is not over
    files: Any  # of a command, or with files among its arguments: its `TaskFiles`
    outcome: Any  # of a command: its `CommandOutcome`, once that has begun
    returned: (
        Any  # of a block whose body is over: the futures that it returned, and where their values belong
    )
    rank: Rank | None  # when it goes; None for as usual
    own_label: str | None  # that was given to this call alone
    is_detached: bool  # left behind by a block that nobody waits for
    is_held: bool  # READY and in no lane's queue: it waits for limits, or for its next attempt
    amounts: Mapping[Limit, float] | None  # of limits, that it uses
    wants: Mapping[Limit, float] | None  # of limits, that it waits for
    held_since: float | None  # since when it waits for them, in seconds of `time.perf_counter`
    service: Service | None  # that it starts
    generator: int | None  # that stays in a worker, and of which it is one more slice
    kept: Keeping | None  # its result, which stays where it was made
    uses: tuple[Service, ...]  # services whose values it takes, or that are kept for it
    failed_attempts: Sequence[Attempt]  # before the present one

    def set_up(
        self,
        id: int,
        site: CallSite,
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
        snapshot: Context | None = None,
        owner: Task | None = None,
    ) -> None:
        """Fill in what a call is at its beginning."""
        self.id = id
        self.site = site
        self.args = args
        self.kwargs = kwargs
        self.snapshot = snapshot
        self.owner = owner
        self.story = PENDING
        self.attempt = self.waiting = 0
        self.dependents = self.link = self.holes = self.rare = None

    def with_rare(self) -> RareFields:
        """The fields that few tasks have, of this one, too."""
        if self.rare is None:
            self.rare = RareFields()
        return self.rare

    @property
    def definition(self) -> Definition:
        """What was called."""
        return self.site.definition

    @definition.setter
    def definition(self, definition: Definition) -> None:
        self.site = self.site.changed(definition=definition)

    @property
    def lane(self) -> Lane:
        """Where it is to run, or next to be staged."""
        return self.site.lane

    @lane.setter
    def lane(self, lane: Lane) -> None:
        self.site = self.site.changed(lane=lane)

    @property
    def workflow(self) -> str | None:
        """What ``engine.workflow_scope`` was called with around the call."""
        return self.site.workflow

    @property
    def name(self) -> str:
        """The task's name, as its user wrote it."""
        return self.site.definition.name

    @property
    def label(self) -> str | None:
        """What tells the call from others of its function, as its user has said; None if nothing was said."""
        own: str | None = None if self.rare is None else self.own_label
        return own or self.site.definition.options.label

    @property
    def name_shown(self) -> str:
        """Name and label: "trim[S17]"."""
        label = self.label
        return self.name if label is None else f"{self.name}[{label}]"

    @property
    def identity(self) -> tuple[int, str, int, str | None, str | None, tuple[int, ...]]:
        """What code inside of it is told by `asyncflow.current`: id, name, attempt, label, workflow, GPUs."""
        return self.id, self.name, self.attempt, self.label, self.site.workflow, self.gpus

    @property
    def gpus(self) -> tuple[int, ...]:
        """The numbers of those that this attempt has."""
        return () if self.rare is None else numbers_of(self.amounts)

    @property
    def is_tagged(self) -> bool:
        """Whether there is more to that than id, attempt and the function's own name."""
        return self.site.is_tagged or (
            self.rare is not None and (self.rare.label is not None or self.gpus != ())
        )

    @property
    def fn(self) -> Callable[..., Any]:
        """The function to run."""
        return self.site.definition.body

    @property
    def is_coroutine(self) -> bool:
        """Whether the function is an ``async def``."""
        return self.site.definition.body_is_coroutine

    @property
    def carried(self) -> CarriedFiles | None:
        """The files that its backend is to bring to it and back."""
        files = None if self.rare is None else self.files
        return None if files is None else files.carried

    @property
    def timeout(self) -> float | None:
        """Seconds that it may run."""
        return self.site.definition.timeout

    @property
    def tells_start(self) -> bool:
        """Whether its start is to be told at once."""
        return self.site.definition.timeout is not None or self.site.lane.tells

    @property
    def context(self) -> Any:
        """The context variables of the call site, each time as a copy of its own."""
        return None if self.snapshot is None else self.snapshot.copy()

    @property
    def keep(self) -> bool | None:
        """Whether its result is to stay where it is made; None to go by its size."""
        keep: bool | None = self.site.definition.options.keep
        return keep if self.site.lane.keeps else False

    @property
    def example(self) -> object:
        """What stands in for its value where it does not run; `...` if nobody has said."""
        return self.site.definition.options.example

    @property
    def returns(self) -> type | None:
        """The class of its value, if that is not for the function to say."""
        return self.site.definition.returns

    @property
    def state(self) -> State:
        """Where the task stands."""
        return state_of(self.story)

    def enter(self, state: int) -> None:
        """Make one step, or raise `ImpossibleTransition` and change nothing."""
        story = self.story
        if not LEGAL[story & NOW] >> state & 1:
            raise self.impossible(state)
        self.story = (story << STEP | state) & KEPT

    def impossible(self, state: int) -> AsyncflowError:
        """The error for a step that the table does not have."""
        told = " -> ".join(steps_of(self.story))
        return ImpossibleTransition(
            f"{self.name!r} (#{self.id}) cannot become {STATES[state - 1]}. Its story: {told}.\n"
            f"  This is a bug in asyncflow."
        )

    def __repr__(self) -> str:
        return spelled(f"<Task {self.name}#{self.id} {state_of(self.story)}>")


def each_of(tasks: Task | list[Task] | None) -> Sequence[Task]:
    """None, one or many tasks, as a sequence. Mostly it is one, which is kept without a list around it: a graph of a
    million tasks has a million objects less.

    Args:
        tasks: what depends on one.
    """
    if tasks is None:
        return ()
    return (tasks,) if isinstance(tasks, Task) else tasks
