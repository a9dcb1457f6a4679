"""Checks of what is given for an option: an error names the option, what was given, and what may be. Pure.

Each takes the option's name and what was given, and gives back what is kept of it; that is let through as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any, Final

from .amounts import Much, canonical
from .futures_in_text import refuse
from .limits import Limit, Weight
from .near import meant
from .retries import Backoff, Delay, RetryOn

SHELLS: Final = ("sh", "bash", "dash", "ksh", "zsh")
"""Shells that quote as `quoting` does; a path to one of them will do, too."""
STOPS: Final = ("block", "users", "run")
"""What may be to be over before a service is stopped."""
LONGEST: Final = 1e15
"""Seconds that a duration of a plan can have, so that sums of them stay finite."""


def whole(option: str, given: Any, least: int = 1) -> int:
    """Check that an option is a whole number of at least ``least``.

    Raises:
        TypeError: no whole number.
        ValueError: a smaller one.
    """
    if isinstance(given, bool) or not hasattr(type(given), "__index__"):
        raise TypeError(f"{option}={given!r}: a whole number is needed, {least} or more")
    number: int = given.__index__()
    if number < least:
        at_least = "at least one is needed" if least == 1 else f"a whole number is needed, {least} or more"
        raise ValueError(f"{option}={given!r}: {at_least}")
    return number


def whole_or_none(option: str, given: object) -> int | None:
    """As `whole`; None is accepted, too."""
    return None if given is None else whole(option, given)


def flag(option: str, given: object) -> bool:
    """Check that an option is True or False.

    Raises:
        TypeError: it is neither True nor False.
    """
    if not isinstance(given, bool):
        raise TypeError(f"{option}={given!r}: it can be True or False")
    return given


REACTIONS: Final = ("continue", "stop")


def reaction(option: str, given: object) -> str:
    """Check what a failure does to what goes on beside.

    Raises:
        ValueError: it is none of `REACTIONS`.
    """
    if given not in REACTIONS:
        allowed = " or ".join(map(repr, REACTIONS))
        raise ValueError(f"{option}={given!r}: it can be {allowed}.{meant(given, REACTIONS)}")
    return str(given)


def duration(option: str, given: object, *, is_limit: bool = False) -> float:
    """Check a duration, and give it in seconds. One that limits how long something may take must be more than 0, and
    may be infinite.

    Raises:
        TypeError: it is neither.
        ValueError: it is none, or out of range.
    """
    length = given.total_seconds() if hasattr(given, "total_seconds") else given
    if isinstance(length, bool) or not isinstance(length, (int, float)):
        raise TypeError(f"{option}={given!r}: it takes seconds as a number, or a timedelta")
    if is_limit and not length > 0:
        raise ValueError(f"{option}={given!r}: it takes seconds, more than 0")
    if not is_limit and not (isfinite(length) and length >= 0):
        raise ValueError(f"{option}={given!r}: it takes seconds, 0 or more")
    return length


def mapping(option: str, given: object) -> Mapping[object, object]:
    """Check that an option is a mapping.

    Raises:
        TypeError: it is no mapping.
    """
    if not isinstance(given, Mapping):
        raise TypeError(f"{option}={given!r}: a dict is needed")
    return given


def anything(option: str, given: object) -> object:
    """Accept any value."""
    return given


def text(option: str, given: object) -> str:
    """Check that an option is text, and not the text of a future."""
    if not isinstance(given, str):
        raise TypeError(f"{option}={given!r}: text is needed")
    refuse(given, f"{option}=")
    return given


def path(option: str, given: object) -> object:
    """Check that an option is a path, as text or as an object."""
    if not isinstance(given, str) and not hasattr(given, "__fspath__"):
        raise TypeError(f"{option}={given!r}: a path is needed, as text or a pathlib.Path")
    refuse(given, f"{option}=")
    return given


def source(option: str, given: object) -> object:
    """Check that an option is text, bytes or a path, which a command can read as its input."""
    if not isinstance(given, (str, bytes)) and not hasattr(given, "__fspath__"):
        raise TypeError(f"{option}={given!r}: text, bytes or a path (pathlib.Path) is needed")
    refuse(given, f"{option}=")
    return given


def limit(option: str, given: object) -> float:
    """Check a time limit in seconds: more than 0, perhaps infinite."""
    return duration(option, given, is_limit=True)


def estimate(option: str, given: object) -> float:
    """Check an expected duration in seconds."""
    length = duration(option, given)
    if length > LONGEST:
        raise ValueError(f"{option}={given!r}: it takes seconds, {LONGEST:g} at most")
    return length


def real(option: str, given: object) -> float:
    """A number, below 0 or above."""
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        raise TypeError(f"{option}={given!r}: a number is needed, as 10 or -0.5")
    if not isfinite(given):
        raise ValueError(f"{option}={given!r}: a finite number is needed")
    return given


def count(option: str, given: object) -> int:
    """A whole number, 0 or more."""
    return whole(option, given, 0)


def delay(option: str, given: object) -> Delay:
    """What is waited between two attempts: a duration, one for each in turn, a function, or a `Backoff`."""
    if isinstance(given, (list, tuple)):
        return tuple(duration(option, each) for each in given)
    return given if isinstance(given, Backoff) or callable(given) else duration(option, given)


def failures(option: str, given: object) -> RetryOn:
    """Classes of exceptions, or a function that is asked."""
    classes = given if isinstance(given, tuple) else (given,)
    if all(isinstance(each, type) and issubclass(each, BaseException) for each in classes) and classes:
        return classes
    if not callable(given) or isinstance(given, type):
        raise TypeError(
            f"{option}={given!r}: a class of exceptions is needed, a tuple of them, or a function that is given the "
            "exception and returns whether it is worth another attempt"
        )
    function: RetryOn = given
    return function


def limits(option: str, given: object) -> dict[Limit | str, Weight]:
    """Limits, by name or as they are, each with how much of it is needed."""
    several = given if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    weights: dict[Any, Any] = dict(given) if isinstance(given, Mapping) else dict.fromkeys(several, 1)
    for each, weight in weights.items():
        is_weight = callable(weight) or (isinstance(weight, (int, float)) and not isinstance(weight, bool))
        if not isinstance(each, (str, Limit)) or not is_weight:
            raise TypeError(
                f"{option}={given!r}: names of limits, or limits, are needed; in a dict each with how much of it: "
                "a number, or a function of the task's arguments"
            )
    return weights


def own_limit(option: str, given: object) -> Limit:
    """A limit of one task alone, given as how many of its calls may run at once."""
    return Limit(option, concurrency=whole(option, given))


def much(option: str, given: object) -> Much:
    """How much of an amount is needed: a number, 0 or more, or a function of the attempt and the error before."""
    if callable(given):
        function: Much = given
        return function
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        raise TypeError(
            f"{option}={given!r}: a number is needed, or a function of the number of the attempt and the error of the "
            "one before, None for the first"
        )
    if not (isfinite(given) and given >= 0):
        raise ValueError(f"{option}={given!r}: a number is needed, 0 or more")
    return given


def how_many(option: str, given: object) -> Much:
    """The same of what is whole."""
    return much(option, given) if callable(given) else count(option, given)


def amounts(option: str, given: object) -> dict[str, Much]:
    """How much of each named amount is needed."""
    checked: dict[str, Much] = {}
    for name, each in mapping(option, given).items():
        if not isinstance(name, str):
            raise TypeError(f"{option}={given!r}: {name!r} is no name; amounts have text for a name")
        known = canonical(name)
        if known in checked:
            raise ValueError(f"{option}={given!r}: {known!r} is there twice")
        checked[known] = (how_many if known == "gpus" else much)(f"{option}[{name!r}]", each)
    return checked


def amounts_there(option: str, given: object) -> dict[str, float]:
    """How much there is of each named amount: numbers above 0."""
    checked: dict[str, float] = {}
    there = above_0(option, given)
    for name, number in amounts(option, there).items():
        assert not callable(number)
        checked[name] = number
    return checked


def above_0(option: str, given: object) -> dict[str, float]:
    """Numbers above 0 by names that are kept as they are.

    Raises:
        TypeError: no mapping, a name that is no text, or something else than a number.
        ValueError: 0, less, or infinite.
    """
    checked: dict[str, float] = {}
    for name, number in mapping(option, given).items():
        if not isinstance(name, str):
            raise TypeError(f"{option}={given!r}: {name!r} is no name; amounts have text for a name")
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise TypeError(f"{option}={given!r}: of {name!r} a number above 0 is needed")
        if not (isfinite(number) and number > 0):
            raise ValueError(f"{option}={given!r}: of {name!r} a number above 0 is needed")
        checked[name] = number
    return checked


def backend(option: str, given: object) -> str:
    """The name of a backend; whether there is such a one, the engine knows."""
    if not isinstance(given, str):
        raise TypeError(f"{option}={given!r}: text is needed, the name of one of the engine's backends")
    return given


def shell(option: str, given: object) -> str | tuple[str, ...]:
    """A program that runs a command given as text, or a list of it and its arguments up to the one before the command.

    Raises:
        TypeError: it is neither.
        ValueError: it does not quote as POSIX has it, or would not take the command.
    """
    words = (given,) if isinstance(given, str) else given
    if not isinstance(words, (list, tuple)) or not all(isinstance(word, str) for word in words):
        raise TypeError(
            f"{option}={given!r}: a program is needed, or a list as ['bash', '-o', 'pipefail', '-c']"
        )
    for word in words:
        refuse(word, f"{option}=")
    if not words or words[0].rpartition("/")[2] not in SHELLS:
        raise ValueError(
            f"{option}={given!r}: paths could not be quoted for it; it can be one of {', '.join(SHELLS)}"
        )
    if isinstance(given, str):
        return given
    if not (words[-1].startswith("-") and words[-1].endswith("c")) or len(words) == 1:
        raise ValueError(
            f"{option}={given!r}: the last argument has to be '-c', after which the command follows"
        )
    return tuple(words)


def codes(option: str, given: object) -> frozenset[int]:
    """Exit codes: one, or several."""
    several = frozenset(given if isinstance(given, Iterable) else [given])
    if not all(isinstance(code, int) and not isinstance(code, bool) for code in several):
        raise TypeError(f"{option}={given!r}: whole numbers are needed, as (0, 1)")
    return several


def variables(option: str, given: Any) -> dict[str, str]:
    """Variables of an environment, by name."""
    for key, value in mapping(option, given).items():
        refuse(value, f"{option}=")
        is_fine = isinstance(value, (str, int, float)) and not isinstance(value, bool)
        if not isinstance(key, str) or not (is_fine or hasattr(value, "__fspath__")):
            raise TypeError(
                f"{option}={{{key!r}: {value!r}}}: names are text, and values are text, numbers or paths"
            )
    return {key: _value(value) for key, value in given.items()}


def _value(given: object) -> str:
    inner = given.__fspath__() if hasattr(given, "__fspath__") else given
    return inner.decode(errors="surrogateescape") if isinstance(inner, bytes) else str(inner)


def stop_after(option: str, given: object) -> str:
    """Check what is to be over before a service is stopped.

    Raises:
        ValueError: nothing of that kind.
    """
    if given not in STOPS:
        raise ValueError(f"{option}={given!r}: it can be one of {', '.join(map(repr, STOPS))}")
    after: str = given
    return after
