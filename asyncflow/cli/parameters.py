"""The parameters of a target as options and arguments of the command line."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from .._engine.function_task import FunctionTask
from .._inspect.resolve import taken_by
from .._show.words import plain
from .docstrings import told
from .exits import Refused
from .texts import Misfit, Reader, reader_of

_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_LEFT: Final = "arguments left over"


@dataclass(frozen=True, slots=True)
class Taken:
    """One parameter of a target.

    Args:
        parameter: as in the signature.
        annotation: of it, resolved.
        reader: of what is typed.
        help: what the docstring says of it.
    """

    parameter: inspect.Parameter
    annotation: object
    reader: Reader
    help: str

    @property
    def name(self) -> str:
        """As in the signature."""
        return self.parameter.name

    @property
    def is_required(self) -> bool:
        """Whether a call has to give it."""
        return self.parameter.default is inspect.Parameter.empty and self.parameter.kind in (
            *_POSITIONAL,
            inspect.Parameter.KEYWORD_ONLY,
        )


@dataclass(frozen=True, slots=True)
class Call:
    """The arguments of a call.

    Args:
        args: by position.
        kwargs: by name.
    """

    args: tuple[object, ...]
    kwargs: dict[str, object]


class Parameters:
    """What a target takes.

    Args:
        call: the target.
        name: of it, for messages.
        path: the subcommand and the file, for its help.
        targets: names of what else could be called in the file.
    """

    def __init__(self, call: Any, name: str, path: str, targets: Sequence[str] = ()) -> None:
        self.name = name
        self._targets = targets
        self._path = path
        self._call = call
        fn, given = call, set()
        if isinstance(call, FunctionTask):
            fn = call._definition.fn
            given = {resource for _, resource, _ in call._definition.resources}
        self.signature = _signature(call)
        self.summary, helps = told(getattr(fn, "__doc__", None))
        annotations = taken_by(fn) if callable(fn) else {}
        self.taken = [
            Taken(
                each,
                annotation := annotations.get(each.name, Any),
                reader_of(annotation, each.default),
                helps.get(each.name, ""),
            )
            for each in self.signature.parameters.values()
            if each.name not in given
        ]

    def command(self) -> click.Command:
        """What parses them, and shows their help."""
        options = [_option(each) for each in self.taken if _has_option(each)]
        left = click.Argument([_LEFT], nargs=-1, type=click.UNPROCESSED, metavar=self._usage())
        return click.Command(
            self.name,
            params=[*options, left],
            help=self.summary or None,
            epilog=f"What {self._path.split()[1]} itself takes:  {' '.join(self._path.split()[:2])} --help",
            context_settings={
                "ignore_unknown_options": True,  # as numbers below 0 are
                "help_option_names": ["-h", "--help"],
                "token_normalize_func": lambda name: name.replace("_", "-"),
            },
            options_metavar="[OPTIONS]",
        )

    def read(self, texts: Sequence[str]) -> Call:
        """The arguments of a call.

        Args:
            texts: of the command line.

        Raises:
            Refused: they do not fit.
            click.exceptions.Exit: help was asked for, and shown.
        """
        texts, behind = parted(texts)
        made = self.command().make_context(self._path, texts)
        values: dict[str, object] = {}
        for each in self.taken:
            if made.get_parameter_source(each.name) is ParameterSource.COMMANDLINE and _has_option(each):
                values[each.name] = self._read(each, made.params[each.name])
        left = list(made.params[_LEFT])
        named = dict(self._named(left))
        return self._fitted(values, named, [*left, *behind])

    def missing(self, call: Call) -> list[Taken]:
        """The parameters that a call has to give, and does not."""
        positional = [each for each in self.taken if each.parameter.kind in _POSITIONAL]
        names = {each.name for each in positional[: len(call.args)]} | set(call.kwargs)
        return [each for each in self.taken if each.is_required and each.name not in names]

    def check(self, call: Call) -> None:
        """See to it that a call fits.

        Raises:
            Refused: it does not; in the words of the call.
        """
        try:
            if isinstance(self._call, FunctionTask):
                self._call._parameters.fitted((*self._call._leading, *call.args), call.kwargs)
            else:
                self.signature.bind(*call.args, **call.kwargs)
        except TypeError as misfit:
            words = str(misfit)
            if not isinstance(self._call, FunctionTask):
                words = f"{self.name}() {words}; its parameters are {self.signature}"
            raise Refused(plain(words, 1000), f"{self._path} --help") from None

    # -- inside ---------------------------------------------------------------------------------------------

    def _read(self, taken: Taken, given: object) -> object:
        reader = taken.reader
        if isinstance(given, bool):
            return given
        texts = [str(each) for each in given] if isinstance(given, tuple) else [str(given)]
        try:
            read = [reader.read(each) for each in texts]
            if reader.gathers is not None or taken.parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                return reader.gathers(read) if reader.gathers is not None else read
            return read[0]
        except Misfit as problem:
            raise Refused(
                f"argument {taken.name!r} of {self.name!r}: {problem}", self._meant(texts)
            ) from None

    def _meant(self, texts: Sequence[str]) -> str:
        """What newcomers may have meant by a value that does not fit; else where to read on."""
        names = {each.name: f"--{_dashed(each.name)}" for each in self.taken if _has_option(each)}
        own = _own_options()
        for text in texts:
            name, is_pair, value = text.partition("=")
            if is_pair and name in names:
                return f"did you mean:  {names[name]} {plain(value)}"
            if text in self._targets:
                return f"did you mean:  {self._path.rpartition(':')[0]}:{plain(text)}"
            if "--out" in own and text.endswith((".svg", ".png", ".html", ".mmd", ".dot")):
                return f"did you mean:  -o {plain(text)}"
        return f"{self._path} --help"

    def _fitted(self, values: dict[str, object], named: dict[str, object], left: list[str]) -> Call:
        """Give what stands without a name to the parameters that have no value, in order."""
        positional = [each for each in self.taken if each.parameter.kind in _POSITIONAL]
        others = next(
            (each for each in self.taken if each.parameter.kind is inspect.Parameter.VAR_POSITIONAL), None
        )
        open_ = [each for each in positional if each.name not in values]
        for number, each in enumerate(open_):
            if not left:
                break
            later = sum(1 for other in open_[number + 1 :] if other.is_required)
            many = max(1, len(left) - later) if each.reader.gathers is not None else 1
            texts, left = left[:many], left[many:]
            values[each.name] = self._read(each, tuple(texts) if each.reader.gathers else texts[0])
        rest: list[object] = list(left)
        if others is not None and left:
            read = self._read(others, tuple(left))
            rest = list(read) if isinstance(read, list) else [read]
        args, kwargs = self._arranged(positional, values, rest)
        return Call(args, {**kwargs, **named})

    def _arranged(
        self, positional: Sequence[Taken], values: dict[str, object], rest: list[object]
    ) -> tuple[tuple[object, ...], dict[str, object]]:
        args: list[object] = []
        by_name = dict(values)
        for each in positional:
            is_due = rest or each.parameter.kind is inspect.Parameter.POSITIONAL_ONLY
            if not is_due or (each.name not in values and each.is_required):
                break
            if each.name in values:
                args.append(by_name.pop(each.name))
            elif rest or any(
                other.name in values and other.parameter.kind is inspect.Parameter.POSITIONAL_ONLY
                for other in positional[len(args) :]
            ):
                args.append(each.parameter.default)
            else:
                break
        return (*args, *rest), by_name

    def _named(self, left: list[str]) -> Iterator[tuple[str, object]]:
        """Take "--name=value" out of what is left over, for a target that takes any name."""
        takes_any = any(each.parameter.kind is inspect.Parameter.VAR_KEYWORD for each in self.taken)
        for text in list(left):
            if not text.startswith("-") or text == "-" or _is_number(text):
                continue
            option, is_given, value = text.partition("=")
            if takes_any and is_given and text.startswith("--"):
                left.remove(text)
                yield option[2:].replace("-", "_"), value
                continue
            there = [f"--{_dashed(each.name)}" for each in self.taken if _has_option(each)]
            near = get_close_matches(option, [*there, *_own_options()], 1)
            meant = (
                f"; did you mean {near[0]}?" if near else f"; its options are {', '.join(there) or 'none'}"
            )
            raise Refused(
                f"{self.name} has no option {plain(option)}{meant}",
                f"{self._path} --help    and, of what goes for any target:  {' '.join(self._path.split()[:2])} --help",
            )

    def _usage(self) -> str:
        words = []
        for each in self.taken:
            shown = each.name.upper()
            if each.parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                words.append(f"[{shown}]...")
            elif each.parameter.kind in _POSITIONAL:
                shown += "..." if each.reader.gathers is not None else ""
                words.append(shown if each.is_required else f"[{shown}]")
        return " ".join(words)


class _Typed(click.ParamType[str]):
    """What a parameter's option takes: it stays text here, and is completed."""

    def __init__(self, reader: Reader) -> None:
        self.name = reader.noun
        self._reader = reader

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Choices, or paths."""
        if self._reader.completes:
            return [CompletionItem(incomplete, type=self._reader.completes)]
        return [CompletionItem(each) for each in self._reader.choices if each.startswith(incomplete)]


def _option(taken: Taken) -> click.Option:
    name, reader = _dashed(taken.name), taken.reader
    help = taken.help
    if taken.is_required:
        help += "  [required]"
    elif taken.parameter.default is not None:
        help += f"  [default: {_shown(taken.parameter.default)}]"
    if reader.is_flag:
        return click.Option([f"--{name}/--no-{name}", taken.name], default=None, help=help.strip())
    return click.Option(
        [f"--{name}", taken.name],
        type=_Typed(reader),
        multiple=reader.gathers is not None,
        metavar=plain(reader.noun, 40),
        help=help.strip(),
    )


def _shown(default: object) -> str:
    text = getattr(default, "name", None) if hasattr(type(default), "__members__") else None
    if isinstance(default, bool):
        text = "yes" if default else "no"
    elif isinstance(default, str):
        text = default or "''"
    elif isinstance(default, (list, tuple, set, frozenset)):
        text = ", ".join(map(str, default)) or "none"
    return plain(str(default) if text is None else text, 60)


def _own_options() -> list[str]:
    """Those of the subcommand that runs."""
    ctx = click.get_current_context(silent=True)
    return (
        []
        if ctx is None
        else [each for param in ctx.command.params for each in param.opts if each[:2] == "--"]
    )


def _has_option(taken: Taken) -> bool:
    return taken.parameter.kind in (*_POSITIONAL, inspect.Parameter.KEYWORD_ONLY)


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _is_number(text: str) -> bool:
    try:
        complex(text)
    except ValueError:
        return False
    return True


def parted(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """What stands before "--", and what stands behind it, where nothing is an option."""
    at = list(texts).index("--") if "--" in texts else len(texts)
    return list(texts[:at]), list(texts[at + 1 :])


def _signature(call: Callable[..., object]) -> inspect.Signature:
    try:
        return inspect.signature(call)
    except (TypeError, ValueError):
        return inspect.Signature()
