"""Reads a command for a POSIX shell as far as its quotes go: which of its text stands where. Pure; nothing is expanded.

Where shells read the same text differently, it counts as quoted: nobody may put a value there.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final


class Place(Enum):
    """Where a piece of a command stands, in words that fit behind "stands"."""

    OUTSIDE = "outside of quotes"
    WORD = "inside quotes"  # these are whole: what is in them can be read off, as of '...' and of "..." without $ and `
    QUOTES = "inside double quotes"
    UNSURE = "where shells read quotes differently"
    ESCAPED = "behind a backslash"
    BACKTICKS = "inside backticks"
    EXPANSION = "inside ${...} or behind a $"
    ARITHMETIC = "inside $((...))"
    HEREDOC = "inside a heredoc"
    COMMENT = "in a comment"


Span = tuple[int, int, Place]
"""Beginning, end and place of a piece of text."""

WHOLE: Final = re.compile(r"""'[^']*'(?:"'"'[^']*')*|"[^"$`\\!]*\"""")
"""What is quoted as a whole: as `shlex.quote` does it, or by double quotes with nothing special in between."""
_ANSI: Final = re.compile(r"\$'((?:[^'\\]|\\.)*)'", re.DOTALL)
_BACKTICKS: Final = re.compile(r"`(?:[^`\\]|\\.)*(?:`|$)", re.DOTALL)
_NOT_TWICE: Final = ("\0", "\\", '"', "<<")
"""What means the same in backticks as outside of them holds none of these."""
_HEREDOC: Final = re.compile(
    r"""<<(-?)[ \t]*((?:'[^']*'|"[^"]*"|\\.|[^\s;&|<>()'"\\\d])(?:'[^']*'|"[^"]*"|\\.|[^\s;&|<>()'"\\])*)"""
)
_PLAIN_RUN: Final = re.compile(r"[^\\'\"`$#()<>{}\n\0c]+")
_CASE: Final = re.compile(r"case\b")
_WORD_BEGINS_BEHIND: Final = frozenset(" \t\n;&|()")


class _Reader:
    """Goes through a command once."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.spans: list[Span] = []
        self.open: list[
            str
        ] = []  # what is open, innermost last: " ( ${ (( or a parenthesis inside of the last
        self.heredocs: list[
            tuple[str, bool]
        ] = []  # ends of those whose bodies follow, and whether tabs go before them

    def read(self) -> list[Span]:
        steps = {'"': self._in_quotes, "${": self._in_expansion, "((": self._in_sum, "a(": self._in_sum}
        while self.at < len(self.text):
            steps.get(self.open[-1] if self.open else "", self._outside)()
        return self.spans

    # -- steps --------------------------------------------------------------------------------------------

    def _take(self, length: int, place: Place) -> None:
        end = min(self.at + length, len(self.text))
        self.spans.append((self.at, end, place))
        self.at = end

    def _rest(self) -> None:
        """From here on nobody can say: shells differ."""
        self._take(len(self.text), Place.UNSURE)

    def _is_next(self, *tokens: str) -> str | None:
        return next((token for token in tokens if self.text.startswith(token, self.at)), None)

    def _opens(self, place: Place) -> bool:
        """Take what opens something behind a dollar or by a backtick, wherever that counts."""
        opened = self._is_next("$((", "$(", "${", "$\0", "`")
        if opened == "`":
            self._backticks()
        elif opened == "$\0":
            self._take(2, Place.EXPANSION)
        elif opened is not None:
            self.open.append({"$((": "((", "$(": "(", "${": "${"}[opened])
            self._take(len(opened), place)
        return opened is not None

    def _backticks(self) -> None:
        """What is in them is a command; but a backslash counts twice there, and a value may bring its own end along."""
        found = _BACKTICKS.match(self.text, self.at)
        inside = found[0][1:-1] if found else ""
        if not found or not found[0].endswith("`", 1) or any(each in inside for each in _NOT_TWICE):
            self._take(len(found[0]) if found else 1, Place.BACKTICKS)
            return
        self._take(1, Place.BACKTICKS)
        self.spans += [(self.at + start, self.at + end, place) for start, end, place in read(inside)]
        self.at += len(inside)
        self._take(1, Place.BACKTICKS)

    def _outside(self) -> None:
        text, here = self.text, self.text[self.at]
        if here == "\\":
            self._take(2, Place.ESCAPED)
        elif here in "'\"":
            self._quoted(here)
        elif ansi := _ANSI.match(text, self.at):
            # A shell that does not know this ends it at the first quote.
            self._rest() if "\\'" in ansi[0] else self._take(len(ansi[0]), Place.UNSURE)
        elif here == "#" and (self.at == 0 or text[self.at - 1] in _WORD_BEGINS_BEHIND):
            end = text.find("\n", self.at)
            self._take((len(text) if end < 0 else end) - self.at, Place.COMMENT)
        elif here == "\n" and self.heredocs:
            self._take(1, Place.OUTSIDE)
            self._bodies()
        elif here in "<>()":
            self._redirected(here)
        elif "(" in self.open and _CASE.match(text, self.at) and text[self.at - 1] in _WORD_BEGINS_BEHIND:
            self._rest()  # its parentheses have no partners
        elif not self._opens(Place.OUTSIDE):
            run = _PLAIN_RUN.match(text, self.at)
            self._take(len(run[0]) if run else 1, Place.OUTSIDE)

    def _quoted(self, mark: str) -> None:
        whole = WHOLE.match(self.text, self.at)
        if whole:
            self._take(len(whole[0]), Place.WORD)
        elif mark == '"':
            self.open.append('"')
            self._take(1, Place.QUOTES)
        else:
            self._rest()

    def _redirected(self, here: str) -> None:
        heredoc = _HEREDOC.match(self.text, self.at) if self._is_next("<<") else None
        if self._is_next("<<<"):
            self._take(3, Place.OUTSIDE)
        elif heredoc:
            self.heredocs.append((re.sub(r"['\"\\]", "", heredoc[2]), bool(heredoc[1])))
            self._take(len(heredoc[0]), Place.HEREDOC)
        elif self._is_next("(("):
            self.open.append("((")
            self._take(2, Place.OUTSIDE)
        else:
            if here == "(":
                self.open.append("(")
            elif here == ")" and self.open and self.open[-1] == "(":
                self.open.pop()
            self._take(1, Place.OUTSIDE)

    def _bodies(self) -> None:
        for end, has_tabs in self.heredocs:
            start = self.at
            while self.at < len(self.text):
                line, _, _ = self.text[self.at :].partition("\n")
                self.at += len(line) + 1
                if (line.lstrip("\t") if has_tabs else line) == end:
                    break
            self.at = min(self.at, len(self.text))
            self.spans.append((start, self.at, Place.HEREDOC))
        self.heredocs.clear()

    def _in_quotes(self) -> None:
        here = self.text[self.at]
        if here == "\\":
            self._take(2, Place.QUOTES)
        elif here == '"':
            self.open.pop()
            self._take(1, Place.QUOTES)
        elif not self._opens(Place.QUOTES):
            self._take(1, Place.QUOTES)

    def _in_expansion(self) -> None:
        here = self.text[self.at]
        if here == "}":
            self.open.pop()
        elif here == '"':
            self.open.append('"')
        elif here == "'" and '"' not in self.open:
            end = self.text.find("'", self.at + 1)
            self._take((len(self.text) if end < 0 else end) - self.at, Place.EXPANSION)
        elif self._opens(Place.EXPANSION):
            return
        self._take(2 if here == "\\" else 1, Place.EXPANSION)

    def _in_sum(self) -> None:
        here = self.text[self.at]
        closes = "))" if self.open[-1] == "((" else ")"
        if self._is_next(closes):
            self.open.pop()
            self._take(len(closes), Place.ARITHMETIC)
        elif here == "(":
            self.open.append("a(")
            self._take(1, Place.ARITHMETIC)
        elif here == '"':
            self.open.append('"')
            self._take(1, Place.QUOTES)
        elif not self._opens(Place.ARITHMETIC):
            self._take(2 if here == "\\" else 1, Place.ARITHMETIC)


def read(text: str) -> list[Span]:
    """The pieces of a command, one after another, each with where it stands. A null character is a value that is to
    be put in."""
    return _Reader(text).read()


def places(text: str, mark: str = "\0") -> list[Place]:
    """Where each of the marks (one character) in a command stands."""
    return [place for start, end, place in read(text) for _ in range(text.count(mark, start, end))]
