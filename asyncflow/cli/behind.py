"""Commands about ``FILE[:target]``: their options may also stand behind the file, among the target's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from .exits import Refused
from .parameters import Parameters, parted
from .target import FileAndTarget, Place, place_of

_REST: Final = "rest"


class TargetCommand(click.Command):
    """A command with the arguments ``FILE[:target]``, given as ``place``, and those of the target, as ``arguments``.

    An option behind the file that is called as a parameter of the target, or that a script has itself, is theirs. That
    has to be known before the file is loaded, since the options say how; so it is read from the source.
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.context_settings = {**self.context_settings, "allow_interspersed_args": False}
        self.params += [
            click.Argument(["place"], type=FileAndTarget(), metavar="FILE[:target]"),
            click.Argument(
                ["arguments"],
                nargs=-1,
                type=click.UNPROCESSED,
                metavar="[ARGUMENTS]...",
                shell_complete=_behind_the_file,
            ),
        ]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse what stands before the file, and then what stands behind it and is this command's own."""
        rest = super().parse_args(ctx, args)
        given = ctx.params.get("place")
        if not ctx.resilient_parsing and isinstance(given, str):
            place = self.place(given)
            later, arguments = self._own(place, ctx.params["arguments"])
            ctx.params |= later
            ctx.params |= {"place": place, "arguments": arguments}
        return rest

    def place(self, given: str) -> Place:
        """What ``FILE[:target]`` names."""
        return place_of(given)

    def _own(self, place: Place, arguments: Sequence[str]) -> tuple[dict[str, object], list[str]]:
        """What stands behind the file and is an option of this command, and the rest."""
        before, behind = parted(arguments)
        parser = click.Command(
            self.name,
            params=[*self._options(place), click.Argument([_REST], nargs=-1, type=click.UNPROCESSED)],
            add_help_option=False,
            context_settings={"ignore_unknown_options": True},
        )
        made = parser.make_context(f"asyncflow {self.name}", before)
        given = {
            name: value
            for name, value in made.params.items()
            if made.get_parameter_source(name) is ParameterSource.COMMANDLINE and name != _REST
        }
        return given, [*made.params[_REST], *(["--", *behind] if behind else [])]

    def _options(self, place: Place) -> list[click.Option]:
        """Those that also behind the file are this command's."""
        if place.is_script:
            theirs, literals = place.source.parameters(), place.source.texts()
        else:
            names = [place.target] if place.target else place.source.likely_targets()
            theirs, literals = place.source.parameters(names), frozenset()
        return [
            each
            for each in self.params
            if isinstance(each, click.Option)
            and not theirs.intersection(option.lstrip("-").replace("-", "_") for option in each.opts)
            and not literals.intersection(each.opts)
        ]

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Options; behind the file those of the target, too, unless it has to be run to know them."""
        return [*super().shell_complete(ctx, incomplete), *_behind_the_file(ctx, None, incomplete)]


def _behind_the_file(
    ctx: click.Context, param: click.Parameter | None, incomplete: str
) -> list[CompletionItem]:
    given = ctx.params.get("place")
    return (
        _of_target(given, list(ctx.params.get("arguments") or ()), incomplete)
        if isinstance(given, str)
        else []
    )


def _of_target(given: str, texts: list[str], incomplete: str) -> list[CompletionItem]:
    from .target import opened

    try:
        place = place_of(given)
        if place.is_script:
            return [CompletionItem(incomplete, type="file")]
        with opened(given) as found:
            command = Parameters(found.call, found.name, "asyncflow run").command()
            return completed(command, texts, incomplete)
    except (Refused, Exception, SystemExit):  # there is nothing that a shell could be told
        return []


def completed(command: click.Command, texts: Sequence[str], incomplete: str) -> list[CompletionItem]:
    """What may stand at the end of a command line.

    Args:
        command: what parses it.
        texts: that stand there.
        incomplete: what is typed of the next.
    """
    options = [each for each in command.params if isinstance(each, click.Option)]
    ctx = click.Context(command, resilient_parsing=True)
    last = texts[-1].replace("_", "-") if texts else ""
    for each in options:
        if last in each.opts and not each.is_flag:
            return each.shell_complete(ctx, incomplete)
    if incomplete.startswith("-"):
        return [
            CompletionItem(option, help=each.help)
            for each in options
            for option in each.opts
            if option.startswith(incomplete)
        ]
    return [CompletionItem(incomplete, type="file")]
