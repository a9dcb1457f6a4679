"""``asyncflow clean``: removes what engines have left that were killed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import click

from .._files.copying import remove
from .._files.owners import Left, clear, is_kept, left_in
from .._show.words import plain, size
from ..backends.carried.node_folder import unused
from .options import json_option
from .out import say, say_json

_WHOSE: Final = {
    "dead": "of an engine that was killed",
    "over": "left on purpose by a run that is over",
    "unknown": "of another machine, or of this one before it was started anew",
    "agent": "of agents that were killed",
}


@click.command(name="clean")
@click.option(
    "--work-dir",
    "folders",
    multiple=True,
    type=click.Path(exists=True, file_okay=False),
    metavar="DIR",
    help="Where runs make their directories, if the engine says work_dir=...; again for more.",
)
@click.option("--kept", is_flag=True, help="Also what was kept on purpose, as sandboxes of failed tasks.")
@click.option("--unknown", is_flag=True, help="Also what other machines may be using.")
@click.option("--dry-run", "-n", is_flag=True, help="Only say what would be removed.")
@json_option
def command(folders: Sequence[str], kept: bool, unknown: bool, dry_run: bool, as_json: bool) -> None:
    """Remove the directories of runs whose engines were killed. What a running engine uses is never touched, and
    sandboxes that were kept as evidence stay without --kept.

    \b
    Examples:
      asyncflow clean --dry-run
      asyncflow clean --work-dir scratch --kept
    """
    rows: list[dict[str, object]] = []
    for left in _all_left(folders):
        whole = kept or (left.kept is not None and not left.kept)
        goes = (kept or left.kept is not None) and (unknown or left.whose != "unknown")
        parts = (
            [each for each in left.path.iterdir() if kept or not is_kept(each.name, left.kept)]
            if goes
            else []
        )
        rows.append(_row(left.path, left.whose, _bytes_in(parts) if goes else 0, whole and goes, goes))
        if goes and not dry_run:
            clear(left, kept)
    for path in unused(Path(tempfile.gettempdir())):
        rows.append(_row(path, "agent", _bytes_in([path]), True, True))
        if not dry_run:
            remove(path)
    if as_json:
        say_json(
            {"dry_run": dry_run, "directories": rows, "bytes": sum(int(str(each["bytes"])) for each in rows)}
        )
    else:
        _tell(rows, dry_run)


def _row(path: Path, whose: str, number: int, whole: bool, goes: bool) -> dict[str, object]:
    return {"path": str(path), "whose": whose, "bytes": number, "whole": whole, "goes": goes}


def _tell(rows: Sequence[dict[str, object]], dry_run: bool) -> None:
    for each in rows:
        what = "stays" if not each["goes"] else "goes" if each["whole"] else "goes but for what is kept in it"
        held = f"{size(int(str(each['bytes'])))}, " if each["goes"] else ""
        say(f"{plain(str(each['path']))}: {held}{_WHOSE[str(each['whose'])]}: {what}")
    gone = [each for each in rows if each["goes"]]
    total = size(sum(int(str(each["bytes"])) for each in gone))
    many = "1 directory" if len(gone) == 1 else f"{len(gone):,} directories"
    say(f"{'Would remove' if dry_run else 'Removed'} {many}, {total}.")
    if any(each["whose"] == "over" and not each["goes"] for each in rows):
        say("What was kept on purpose goes with --kept.")
    if any(each["whose"] == "unknown" and not each["goes"] for each in rows):
        say("What another machine may be using goes with --unknown.")


def _all_left(folders: Sequence[str]) -> Iterable[Left]:
    yield from left_in(Path(tempfile.gettempdir()), "asyncflow-run-")
    there = [Path(each).absolute() for each in folders]
    there += [each for each in (_work_dir(),) if each is not None and each not in there]
    for each in there:
        yield from left_in(each, "run-")


def _work_dir() -> Path | None:
    """That of engines whose code says nothing, from the environment or pyproject.toml."""
    from ..engine import WorkflowEngine

    try:
        return WorkflowEngine()._settings.work_dir
    except (ValueError, LookupError):
        return None


def _bytes_in(paths: Iterable[Path]) -> int:
    """How much of the disk is taken."""
    total = 0
    for path in paths:
        total += _on_disk(path)
        for folder, folders, files in os.walk(path):
            total += sum(_on_disk(Path(folder, each)) for each in (*folders, *files))
    return total


def _on_disk(path: Path) -> int:
    try:
        return os.lstat(path).st_blocks * 512
    except OSError:
        return 0
