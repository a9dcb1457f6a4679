"""Decides how much a task needs of what a machine has, as cores, memory and GPUs, and which GPUs are its own. An amount
is a limit that is there before anybody names it: tasks wait for it, and give it back, as for any other."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Final, NamedTuple, TypeAlias

from .._show.words import size
from .limits import Limit, Needs, Weight, check_amounts
from .near import meant

Much: TypeAlias = "float | Callable[[int, BaseException | None], float]"
"""How much an attempt needs: a number, or a function of the attempt's number and the error of the one before."""
_OTHER_NAMES: Final = {"core": "cores", "gpu": "gpus"}


def canonical(name: str) -> str:
    """The one name of an amount: "gpu" is "gpus"."""
    return _OTHER_NAMES.get(name, name)


class Amount(Limit):
    """So much of something as there is.

    Args:
        name: as tasks name it.
        there_is: how much.
    """

    kind: ClassVar[str] = "amount"

    def __init__(self, name: str, there_is: float) -> None:
        super().__init__(name, concurrency=there_is)

    def shown(self, number: float) -> str:
        return size(round(number)) if self.name == "memory" else super().shown(number)


class _Numbers(int):
    """So many of what is numbered, for one attempt, and which, while it has them."""

    numbers: tuple[int, ...] = ()


class Numbered(Amount):
    """An amount of which each piece has a number, which no two attempts have at once.

    Args:
        name: as tasks name it.
        there_is: how many.
    """

    def __init__(self, name: str, there_is: int) -> None:
        super().__init__(name, there_is)
        self._free = list(range(there_is))

    def start_over(self) -> None:
        super().start_over()
        self._all_free_if_unused()

    def take(self, weight: float) -> None:
        super().take(weight)
        if isinstance(weight, _Numbers):
            weight.numbers = tuple(heapq.heappop(self._free) for _ in range(weight))

    def give_back(self, weight: float) -> None:
        super().give_back(weight)
        if isinstance(weight, _Numbers):
            for number in weight.numbers:
                heapq.heappush(self._free, number)
            weight.numbers = ()
        self._all_free_if_unused()

    def _all_free_if_unused(self) -> None:
        if not self.used:  # also when what had used them went with its event loop
            self._free = list(range(int(self.concurrency or 0)))


def numbers_of(amounts: Mapping[Limit, float] | None) -> tuple[int, ...]:
    """The numbers of what is numbered among the amounts that an attempt has."""
    for much in (amounts or {}).values():
        if isinstance(much, _Numbers):
            return much.numbers
    return ()


class _Needs(Needs):
    """What a task needs of limits, and of amounts that are numbered or differ from attempt to attempt."""

    def __init__(self, weights: Mapping[Limit | str, Weight], amounts: Mapping[Amount, Much]) -> None:
        super().__init__(weights)
        self._amounts = amounts

    def check(self, named: Mapping[str, Limit]) -> None:
        super().check(named)
        check_amounts({each: much for each, much in self._amounts.items() if not callable(much)})

    def constant(self, named: Mapping[str, Limit]) -> None:
        self.check(named)  # each attempt needs its own

    def of_attempt(
        self,
        named: Mapping[str, Limit],
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
        attempt: int,
        error: BaseException | None,
    ) -> dict[Limit, float]:
        amounts = super().of_attempt(named, args, kwargs, attempt, error)
        for amount, much in self._amounts.items():
            needed: Any = much(attempt, error) if callable(much) else much
            if needed == 0:
                continue
            check_amounts({amount: needed})
            if isinstance(amount, Numbered):
                if needed != int(needed):
                    raise ValueError(
                        f"{amount.name}={needed!r}: a whole number is needed, as no two tasks share one"
                    )
                needed = _Numbers(needed)
            amounts[amount] = needed
        return amounts


class Wanted(NamedTuple):
    """What a task needs, as its engine has it.

    Args:
        needs: what it is to wait for; None for nothing.
        lacks: what is raised by a call; None if the engine has all of it.
        amounts: what of these it is.
    """

    needs: Needs | None
    lacks: str | None
    amounts: Mapping[Amount, Much] = MappingProxyType({})

    def at_first(self) -> Iterator[tuple[Amount, float | None]]:
        """Each amount, with how much of it a first attempt needs; None if that cannot be told."""
        for amount, much in self.amounts.items():
            try:
                yield amount, float(much(1, None) if callable(much) else much)
            except Exception:  # of a function of the user's
                yield amount, None


def wanted_of(
    needs: Needs | None, wanted: Mapping[str, Much], there_are: Mapping[str, Amount], name: str
) -> Wanted:
    """What a task needs of limits and amounts.

    Args:
        needs: of limits.
        wanted: amounts, by name.
        there_are: those that its engine or its backend has.
        name: of the task.
    """
    wanted = {each: much for each, much in wanted.items() if callable(much) or much}
    for each, much in wanted.items():
        if each not in there_are:
            shown = "" if callable(much) else f"={much:g}"
            return Wanted(needs, _lack(name, each, shown, there_are))
    amounts = {there_are[each]: much for each, much in wanted.items()}
    if not amounts:
        return Wanted(needs, None)
    weights = {} if needs is None else needs.weights
    if any(callable(much) or isinstance(amount, Numbered) for amount, much in amounts.items()):
        return Wanted(_Needs(weights, amounts), None, amounts)
    fixed: Mapping[Any, Any] = amounts
    return Wanted(Needs({**weights, **fixed}), None, amounts)


def _lack(name: str, amount: str, shown: str, there_are: Mapping[str, Amount]) -> str:
    has = (
        f"It has: {', '.join(sorted(there_are))}.{meant(amount, there_are)}" if there_are else "It has none."
    )
    return (
        f"{name!r} asks for {amount}{shown}, of which nobody has said how many this engine has. {has}\n"
        f"  Say so when it is made:  WorkflowEngine(amounts={{{amount!r}: ...}})"
    )


def amounts_made(amounts: Mapping[str, float]) -> dict[str, Amount]:
    """The amounts of an engine or of a backend, by name."""
    return {
        name: Numbered(name, int(number)) if name == "gpus" else Amount(name, number)
        for name, number in amounts.items()
    }
