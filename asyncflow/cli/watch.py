"""``asyncflow watch``: how a run stands, from another terminal."""

from __future__ import annotations

import click

from .._show.words import plain
from .exits import FAILED, Refused
from .given import JOURNAL, refuse_others
from .journals import facts, journal_argument, report_of
from .options import json_option
from .out import say_json


@click.command(name="watch")
@journal_argument
@json_option
@click.pass_context
def command(ctx: click.Context, journal: str, run: str | None, as_json: bool) -> None:
    """Watch a run from another terminal, until it is over.

    JOURNAL is the file that the run writes with --journal PATH. With --json it says how the run stands now, and does
    not wait.

    \b
    Examples:
      asyncflow run flow.py --journal run.jsonl &
      asyncflow watch run.jsonl

    The exit code is 1 if tasks have failed, or if the engine is gone and has not ended the run, or if the journal does
    not say what became of all tasks.
    """
    report = report_of(journal, run)  # says what is wrong with the file
    if as_json:
        say_json(facts(report))
        return
    refuse_others(journal, JOURNAL, JOURNAL)  # a report that was saved does not go on
    from ..live import watch

    try:
        went_well = watch(journal, run=run)
    except (ValueError, LookupError, ImportError) as error:
        raise Refused(plain(str(error), 500)) from None
    if not went_well:
        ctx.exit(FAILED)
