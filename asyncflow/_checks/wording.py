"""The words of every finding: what is wrong, and what would mend it. Names are made harmless here."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from types import NoneType
from typing import Final

from .._core.hidden import Hidden
from .._inspect.functions import Argument
from .._inspect.shown import brief_value, shown
from .._show.words import name_of, plain
from .._stand_ins.opaque import StandIn
from ..plan.rehearsed import RehearsedCall
from ..plan.tasks import Finding
from .problems import Problem

_LONGEST: Final = 60


def label(call: RehearsedCall) -> str:
    """A task by name and number: "fit (#4)"."""
    return f"{name_of(call.name)} (#{call.id})"


def quoted(call: RehearsedCall) -> str:
    """A task by name alone: "'fit'"."""
    return f"'{name_of(call.name)}'"


def _at_call(
    kind: str,
    call: RehearsedCall,
    what: str,
    mend: str,
    ends: Iterable[RehearsedCall] = (),
    *,
    key: Hashable = None,
) -> Problem:
    """A problem at the line of a call.

    Args:
        kind: of the check.
        call: where it is.
        what: is wrong.
        mend: what would mend it.
        ends: the tasks between which it is; the call alone, if there is no other.
        key: what is the same in all calls that share the problem, beside the names of the tasks; None for the words.
    """
    between = list(ends) or [call]
    finding = Finding(what, plain(call.called_at), tuple(map(label, between)), mend)
    return Problem(finding, (kind, what if key is None else key, *(each.name for each in between)))


# -- types ------------------------------------------------------------------------------------------------


def edge(
    maker: RehearsedCall, taker: RehearsedCall, parameter: str, gives: object, takes: object, reason: str
) -> Problem:
    """What one task gives is not what another takes."""
    what = f"{_takes(taker, parameter, takes)}, and {quoted(maker)} gives {shown(gives)}"
    if gives is None or gives is NoneType:
        mend = f"let {quoted(maker)} return something; or do not pass its result, and wait for it with after="
    else:
        mend = f"let {quoted(maker)} return {shown(takes)}, or {quoted(taker)} take {shown(gives)}"
    return _at_call("edge", taker, _because(what, reason, gives, takes), mend, [maker, taker])


def part(
    maker: RehearsedCall, taker: RehearsedCall, argument: Argument, gives: object, reason: str, alone: bool
) -> Problem:
    """What one task gives does not fit into the container in which it is passed to another.

    Args:
        maker: the one.
        taker: the other.
        argument: in which it is.
        gives: the type of the result.
        reason: why it does not fit.
        alone: whether it would be right without the container.
    """
    parameter, takes = argument.name, argument.hint
    what = f"{_takes(taker, parameter, takes)}, and in there {quoted(maker)} gives {shown(gives)}"
    if alone:
        mend = f"pass what {quoted(maker)} gives by itself, not in {value_of(argument.value, 0)}"
    else:
        mend = f"let {quoted(maker)} return what belongs in there, or {quoted(taker)} take something else"
    return _at_call("edge", taker, _because(what, reason, gives, takes), mend, [maker, taker])


def wants_future(
    maker: RehearsedCall, taker: RehearsedCall, parameter: str, gives: object, takes: object
) -> Problem:
    """A parameter that is annotated as a future gets its value."""
    name = plain(parameter)
    what = f"{quoted(taker)} takes {shown(takes)} as '{name}', and is given the value of {quoted(maker)}, no future"
    mend = f"annotate '{name}' as {shown(gives)}, and do not await it: values are there when the body starts"
    return _at_call("edge", taker, what, mend, [maker, taker])


def literal(call: RehearsedCall, parameter: str, value: object, takes: object, reason: str) -> Problem:
    """A value in a call is not what the function takes."""
    what = f"{_takes(call, parameter, takes)}, and is given {value_of(value)}"
    mend = f"pass {_article(shown(takes))}, or let {quoted(call)} take {shown(type(value))}"
    key = parameter, shown(takes), shown(type(value))
    return _at_call("literal", call, _because(what, reason, type(value), takes), mend, key=key)


def uncalled(call: RehearsedCall, parameter: str, task: str, takes: object) -> Problem:
    """A task itself is passed instead of what it gives."""
    name = name_of(task)
    what = f"{_takes(call, parameter, takes)}, and is given the task '{name}' itself"
    return _at_call("literal", call, what, f"call it:  {name}(...)")


def a_file(call: RehearsedCall, parameter: str, takes: object) -> Problem:
    """A parameter for a file is annotated as something else than a path."""
    what = f"{_takes(call, parameter, takes)}, and in place of a file it gets a pathlib.Path"
    return _at_call(
        "edge", call, what, f"annotate '{plain(parameter)}' as Path; its text is str({plain(parameter)})"
    )


def example(call: RehearsedCall, value: object, gives: object, reason: str) -> Problem:
    """An example that is not what the function is said to return."""
    what = f"{quoted(call)} is said to give {shown(gives)}, and its example= is {value_of(value)}"
    return _at_call("example", call, _because(what, reason, type(value), gives), "make both say the same")


def _takes(call: RehearsedCall, parameter: str, takes: object) -> str:
    return f"{quoted(call)} takes {shown(takes)} as '{plain(parameter)}'"


def _because(what: str, reason: str, gives: object, takes: object) -> str:
    return what if reason in ("", f"{shown(gives)} is no {shown(takes)}") else f"{what}: {plain(reason, 100)}"


def _article(text: str) -> str:
    return (
        text if text.startswith(("None", "Literal")) else f"{'an' if text[:1] in 'aeiouAEIO' else 'a'} {text}"
    )


def value_of(value: object, most: int = _LONGEST) -> str:
    """A value in a few characters, without running code of its class: "'3', a str"."""
    cls = type(value)
    if issubclass(cls, StandIn):
        return "a stand-in"
    if value is None:
        return "None"
    text = brief_value(value) if most else ""
    return f"{plain(text, most)}, {_article(shown(cls))}" if text else _article(shown(cls))


# -- what code does with results --------------------------------------------------------------------------


def lacking(maker: str, cls: object, problem: str, where: str, meant: str | None) -> Problem:
    """A result has not what code asks it for.

    Args:
        maker: the task that gave the result, as "fit (#4)".
        cls: that the result is of.
        problem: in words: "has no attribute 'eror'".
        where: the user's line.
        meant: what may have been meant.
    """
    name, found, number = maker.rpartition(" (#")
    name = name_of(name)
    what = f"'{name}' gives {_article(shown(cls))}, which {plain(problem)}"
    otherwise = f"'{name}' would have to return something else than {_article(shown(cls))}"
    mend = f"did you mean '{plain(meant)}'?" if meant else otherwise
    return Problem(Finding(what, plain(where), (f"{name}{found}{number}",), mend), ("lacks", what))


# -- what functions return --------------------------------------------------------------------------------


def no_command(call: RehearsedCall, where: str) -> Problem:
    """A function for a command returns none."""
    what = f"{quoted(call)} never returns its command: its body has no return that gives anything"
    return _returned(where, call, what, "return the command:  return ...")


def nothing_returned(call: RehearsedCall, gives: object, where: str) -> Problem:
    """A function that is said to give something returns nothing."""
    what = f"{quoted(call)} is said to give {shown(gives)}, and never returns anything"
    return _returned(where, call, what, "return its result; or annotate it '-> None'")


def handed_on(
    maker: RehearsedCall, call: RehearsedCall, gives: object, said_to: object, where: str
) -> Problem:
    """A block returns what one of its tasks gives, which is not what it is said to give itself."""
    what = f"{quoted(call)} is said to give {shown(said_to)}, and returns what {quoted(maker)} gives, {shown(gives)}"
    mend = f"annotate {quoted(call)} as what it returns, or let {quoted(maker)} return that"
    return _returned(where, call, what, mend, maker)


def _returned(
    where: str, call: RehearsedCall, what: str, mend: str, maker: RehearsedCall | None = None
) -> Problem:
    """A problem at the function that was called, and not at the call."""
    ends = [call] if maker is None else [maker, call]
    return Problem(Finding(what, plain(where), tuple(map(label, ends)), mend), ("returned", what))


# -- files ------------------------------------------------------------------------------------------------


def no_file(call: RehearsedCall, source: str, maker: RehearsedCall | None) -> Problem:
    """An input that is not there, and that no task makes that its reader depends on.

    Args:
        call: that reads it.
        source: as its user has it.
        maker: another task that makes a file of that name; None if there is none.
    """
    name = plain(source, _LONGEST)
    what = f"{quoted(call)} reads '{name}', which is not there, and no task that it depends on makes it"
    if maker is None:
        mend = "check the path; if a task makes it, let that declare it with OutputFile(...) and depend on it"
        return _at_call("no file", call, what, mend)
    mend = f"{quoted(maker)} makes one: pass its  future.outputs['{name}'],  or say  after="
    return _at_call("no file", call, what, mend, [maker, call])


def two_writers(first: RehearsedCall, second: RehearsedCall, place: str) -> Problem:
    """Two tasks publish to one place, and neither waits for the other."""
    what = f"{quoted(first)} and {quoted(second)} both publish to '{plain(place, _LONGEST)}', in no order"
    mend = "give each a place of its own, or let one wait for the other with after="
    return _at_call("two writers", second, what, mend, [first, second])


def two_makers(first: RehearsedCall, second: RehearsedCall, call: RehearsedCall, source: str) -> Problem:
    """A file by a name that two tasks have given to one of theirs."""
    name = plain(source, _LONGEST)
    what = (
        f"{quoted(call)} reads '{name}', which could be an output of {quoted(first)} or of {quoted(second)}"
    )
    return _at_call(
        "two makers", call, what, f"say which:  InputFile(future.outputs['{name}'])", [first, second, call]
    )


# -- leaving the process ----------------------------------------------------------------------------------


def unsendable(call: RehearsedCall, parameter: str, value: object, why: str) -> Problem:
    """An argument that cannot be pickled, and has to be."""
    cls = type(value)
    kind = f"{cls.__module__}.{cls.__qualname__}".removeprefix("builtins.")
    what = f"argument '{plain(parameter)}' of {quoted(call)} (#{call.id}): cannot pickle '{plain(kind)}'"
    if f"'{kind}'" not in why:
        what += f" ({plain(why, 80)})"
    mend = f"it would be sent to {plain(call.place, 40)}; make it inside the function, or run it in threads"
    return _at_call("pickle", call, what, mend, key=(parameter, kind, why))


def unsendable_function(call: RehearsedCall, why: str) -> Problem:
    """A function that cannot be pickled, and has to be."""
    what = f"the function of {quoted(call)} cannot be sent to {plain(call.place, 40)}: {plain(why, 100)}"
    return _at_call(
        "pickle", call, what, "make inside of it what it uses from around it, or pass that as an argument"
    )


def unsendable_result(call: RehearsedCall, gives: object) -> Problem:
    """A function that is said to return what cannot leave its process."""
    what = f"{quoted(call)} gives {_article(shown(gives))}, which cannot be sent back from {plain(call.place, 40)}"
    return _at_call("pickle", call, what, "return plain data or a path, or run it in threads")


# -- what nobody wants, and what nobody can have ----------------------------------------------------------


def unused(call: RehearsedCall) -> Problem:
    """A result that nothing can come of."""
    what = f"nobody uses what {quoted(call)} gives"
    alone = f"_ = {name_of(call.name)}(...)"
    mend = f"await it or pass it on; if it is called for its effect, annotate it '-> None' or say  {alone}"
    return _at_call("unused", call, what, mend)


def unneeded(call: RehearsedCall) -> Problem:
    """A service that would never start."""
    what = f"nobody uses the service {quoted(call)}, which would never start"
    return _at_call(
        "unneeded", call, what, "pass it to the tasks that use it, or await it, or leave the call away"
    )


def no_value(call: RehearsedCall, gives: object) -> Problem:
    """A function that is said to return what is no value: what runs only where it is read."""
    what = f"{quoted(call)} gives {_article(shown(gives))}, which runs only where it is read, and so is no result"
    return _at_call("no value", call, what, "return a list of what it gives")


def shared_iterator(first: RehearsedCall, second: RehearsedCall, value: object) -> Problem:
    """One iterator for two tasks: each would get a part of what it gives."""
    what = f"{quoted(first)} and {quoted(second)} are given the same {shown(type(value))}, which can be read once"
    return _at_call("iterator", second, what, "make a list of it first and pass that", [first, second])


def hidden(maker: RehearsedCall, call: RehearsedCall, parameter: str, found: Hidden) -> Problem:
    """A future is in something that calls do not look into."""
    what = (
        f"{quoted(call)} gets what {quoted(maker)} gives as a future and not as its value, in argument "
        f"'{plain(parameter)}' ({plain(found.path, _LONGEST)}): calls do not look for futures inside of "
        f"{plain(found.holder)}"
    )
    mend = "pass it as an argument of its own; or in a list, tuple, dict, set, dataclass, attrs or pydantic object"
    return _at_call("hidden", call, what, mend, [maker, call])
