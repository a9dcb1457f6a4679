"""Looks at the names of a call's files in its command: none may be read by a shell as anything but a word. Pure.

A shell runs what a name holds (`$(...)`, `;`, a quote) wherever it is not quoted for just that place. What functions
make of paths is text, so the text is looked at, and only if a file of the call has a name that is not plain.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from .shell_text import Place, Span, read

_SPECIAL: Final = re.compile(r"[\x00-\x20\x7f\"$&'()*;<>?\[\\`|]|^[~#]|\{.*(?:,|\.\.)", re.DOTALL)
_WORD: Final = r"(?:^|[\s;&|()/`'\"])"
_SHELL: Final = r"(?:sh|bash|dash|ash|ksh|mksh|zsh)"
_RUN_AGAIN: Final = re.compile(
    rf"{_WORD}{_SHELL}\s(?:[^;&|\n]*\s)?-\w*c\s+\S*$|{_WORD}(?:eval|ssh|rsh|trap)\s[^;&|\n<>]*$"
)
"""What stands before a word that a shell reads a second time."""
_BETWEEN_WORDS: Final = re.compile(r"[\s;&|()<>]+")
_VARIABLES: Final = re.compile(r"\$\w+|\$\{\w+\}|\"")
_SHELLS: Final = re.compile(rf"(?:.*/)?{_SHELL}", re.DOTALL)
_TAKES_SCRIPT: Final = re.compile(r"-\w*c")
_LANGUAGES: Final = re.compile(
    r"(?:.*/)?(?:python|pypy|perl|ruby|node|php|lua|Rscript|julia)[\d.]*", re.DOTALL
)
_TAKES_PROGRAM: Final = re.compile(r"-\w*[ceEr]|--eval|--execute")
_AWKS: Final = re.compile(r"(?:.*/)?(?:[gmn]?awk|g?sed)", re.DOTALL)


def is_plain(name: str) -> bool:
    """Whether every shell reads a name as one word, and as nothing else."""
    return _SPECIAL.search(name) is None


def is_plain_path(path: str) -> bool:
    """Whether each part of a path is plain: in the middle of a word a ``#`` or ``~`` would do nothing, but which of it
    stands in a command is looked at part by part."""
    return all(map(is_plain, path.split("/")))


def unplain(sandbox: str, names: Iterable[str]) -> dict[str, str]:
    """The names of files, and parts of them, that must be quoted wherever they stand in a command; each with the name
    of its file."""
    found = {} if is_plain(sandbox) else {sandbox: sandbox}
    for part in dict.fromkeys(part for name in names for part in name.split("/")):
        if not is_plain(part):
            # Of "a b.tar.gz" there is a stem, too. One letter alone may stand anywhere.
            pieces = [piece for piece in part.split(".") if len(piece) > 1 and not is_plain(piece)]
            found.update(dict.fromkeys([part, *pieces], part))
    return found


def misread(given: str | Sequence[Any], unplain: dict[str, str]) -> str | None:
    """The name of a file that a shell, or another language in the command, would not read as that name; None if there
    is none. ``unplain`` comes from `unplain`."""
    forms = {form: name for piece, name in unplain.items() for form in _forms(piece)}
    if isinstance(given, str):
        return _in_text(given, forms) if any(form in given for form in forms) else None
    arguments = [each.decode(errors="surrogateescape") if isinstance(each, bytes) else each for each in given]
    for number, each in enumerate(arguments):
        before = arguments[:number]
        if _is_script(before):
            name = _in_text(each, forms)
        else:
            name = (
                next((forms[form] for form in forms if form in each), None) if _is_program(before) else None
            )
        if name is not None:
            return name
    return None


def _forms(piece: str) -> set[str]:
    """In which a name may stand in a text: as it is, quoted, and as Python and JSON show it."""
    in_bytes = repr(piece.encode(errors="surrogateescape"))[2:-1]
    shown = {repr(piece)[1:-1], ascii(piece)[1:-1], json.dumps(piece)[1:-1], in_bytes}
    return {piece, piece.replace("'", "'\"'\"'"), piece.replace("'\"'\"'", "'"), *shown}


def _in_text(text: str, forms: dict[str, str]) -> str | None:
    inside: list[tuple[int, int]] = []
    for word in _words(text):
        content = "".join(_content(text, span) for span in word)
        name = next((name for form, name in forms.items() if form in content), None)
        if name is not None:
            rest = _VARIABLES.sub("", _without(content, forms))
            if _SPECIAL.search(rest) or _RUN_AGAIN.search(text[: word[0][0]]):
                return name
        inside += [(start + 1, end - 1) for start, end, place in word if place is Place.WORD]
    inside += [(start, end) for start, end, place in read(text) if place is Place.COMMENT]
    for form, name in forms.items():
        at = text.find(form)
        while at >= 0:
            if not any(start <= at and at + len(form) <= end for start, end in inside):
                return name
            at = text.find(form, at + 1)
    return None


def _words(text: str) -> Iterator[list[Span]]:
    """The words of a command, each with its pieces: 'a "'"b"'" c' is one of three, and may be a program for awk."""
    word: list[Span] = []
    for start, end, place in read(text):
        begin = start
        if place is Place.OUTSIDE:
            for found in _BETWEEN_WORDS.finditer(text, start, end):
                yield [*word, (begin, found.start(), place)]
                word, begin = [], found.end()
        elif place in (Place.COMMENT, Place.HEREDOC, Place.BACKTICKS) or text[end - 1] == "(":  # of $(
            yield word
            word, begin = [], end
        if begin < end:
            word.append((begin, end, place))
    yield word


def _content(text: str, span: Span) -> str:
    start, end, place = span
    if place is not Place.WORD:
        return text[start:end]
    content = text[start + 1 : end - 1]
    return content.replace("'\"'\"'", "'") if text[start] == "'" else content


def _without(content: str, names: Iterable[str]) -> str:
    for name in sorted(names, key=len, reverse=True):
        content = content.replace(name, "")
    return content.lstrip("~#")


def _is_script(before: Sequence[str]) -> bool:
    """Whether an argument is text for a shell: ["sh", "-c", it], or goes to another machine's."""
    if before and _TAKES_SCRIPT.fullmatch(before[-1]):
        return any(map(_SHELLS.fullmatch, before))
    return bool(before) and before[0].rpartition("/")[2] in ("ssh", "rsh")


def _is_program(before: Sequence[str]) -> bool:
    """Whether an argument is a program in another language, whose quotes are not the shell's."""
    if before and _TAKES_PROGRAM.fullmatch(before[-1]) and any(map(_LANGUAGES.fullmatch, before)):
        return True
    awk = next((number for number, each in enumerate(before) if _AWKS.fullmatch(each)), None)
    if awk is None:
        return False
    options = iter(before[awk + 1 :])
    for each in options:
        if not each.startswith("-") or each.startswith(("-f", "-e", "--file", "--expression")):
            return each == "-e" and each is before[-1]
        if each in ("-v", "-F"):
            next(options, None)
    return before[-1] not in ("-v", "-F")
