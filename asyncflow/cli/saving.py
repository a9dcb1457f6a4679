"""Writes what is to be looked at into files, in the form that their names ask for."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from .._show.words import plain
from .exits import Refused


def check(path: str, option: str, forms: Sequence[str] = ()) -> None:
    """See to it that a file can be written, before there is anything to write.

    Args:
        path: of it.
        option: that names it, for errors.
        forms: the ends that its name can have; none for any.

    Raises:
        Refused: it cannot.
    """
    folder = os.path.dirname(path) or os.curdir
    if forms and not path.endswith(tuple(forms)):
        raise Refused(
            f"{option} {plain(path)}: the end of the name says the form; it can be one of {' '.join(forms)}"
        )
    if not os.path.isdir(folder):
        raise Refused(
            f"{option} {plain(path)}: there is no folder {plain(folder)!r}", f"mkdir -p {plain(folder)}"
        )
    if not os.access(path if os.path.exists(path) else folder, os.W_OK):
        raise Refused(f"{option} {plain(path)}: it may not be written")


def written(path: str, option: str, write: Callable[[], object]) -> None:
    """Write a file.

    Args:
        path: of it.
        option: that names it, for errors.
        write: does so.

    Raises:
        Refused: it cannot be written, or not in that form.
    """
    try:
        write()
    except OSError as error:
        check(path, option)  # which may know why
        raise Refused(f"{option} {plain(path)}: it cannot be written: {error.strerror or error}") from None
    except (ValueError, ImportError) as error:
        why = str(error).removeprefix(f"{os.path.basename(path)!r}: ")
        raise Refused(f"{option} {plain(path)}: {why}") from None
