"""What the statements of a source file decide on, so that an instruction can be told to belong to one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from .attributes import stored_by
from .source import COMPREHENSIONS, Position, Source, position_of

_Range = tuple[tuple[int, int], tuple[int, int]]


class Statements:
    """The conditions, loops and calls of one file; none if its source cannot be had.

    Args:
        filename: of the file, or what a notebook calls a cell.
        namespace: of the module, which may know how to get the source.
    """

    def __init__(self, filename: str, namespace: dict[str, Any]) -> None:
        self._whole: dict[Position, str] = {}  # of what an instruction may have the position
        self._deciding: list[tuple[_Range, str]] = []
        self._calls: list[tuple[_Range, str]] = []
        self._tried: list[tuple[_Range, str]] = []
        self.mentioned: set[str] = set()
        """The names of attributes that anything is assigned to, or that code asks for before it uses them."""
        for node in Source(filename, namespace).walk():  # outer ones first
            parts = [(_range(part), kind) for part, kind in _decided_on(node)]
            self._deciding += parts
            if parts and hasattr(node, "lineno"):
                self._whole[position_of(node)] = parts[0][1]
            elif isinstance(node, COMPREHENSIONS):
                self._whole[position_of(node)] = ""
            if isinstance(node, ast.Call):
                self._calls.append((_range(node), _name(node.func)))
                self.mentioned |= _asked_for(node)
            self.mentioned |= set(stored_by(node))
            self._tried += [(_range(part), "try") for part in _tried_in(node)]

    def is_tried(self, position: Position) -> bool:
        """Whether somebody is prepared for an error of an instruction."""
        return _innermost(self._tried, position) is not None

    def kind_at(self, position: Position, operation: str) -> str | None:
        """The kind of statement whose condition, or what it goes over, an instruction is part of.

        Args:
            position: of the instruction; in Python 3.11 that of the whole statement if it is a jump.
            operation: what the instruction asks.
        """
        whole = self._whole.get(position)
        if whole == "":  # of a comprehension, which does both
            return "for" if operation == "iteration" else "if"
        return whole or _innermost(self._deciding, position)

    def called_at(self, position: Position) -> str | None:
        """The last name of what a call calls; None if the source tells nothing."""
        return _innermost(self._calls, position)


def _decided_on(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    match node:
        case ast.If(test=test) | ast.IfExp(test=test):
            yield test, "if"
        case ast.While(test=test):
            yield test, "while"
        case ast.Assert(test=test):
            yield test, "assert"
        case ast.For(iter=over) | ast.AsyncFor(iter=over):
            yield over, "for"
        case ast.comprehension(iter=over, ifs=tests):
            yield over, "for"
            yield from ((test, "if") for test in tests)
        case ast.match_case(pattern=pattern, guard=guard):
            yield pattern, "match"
            if guard is not None:
                yield guard, "if"


def _tried_in(node: ast.AST) -> list[ast.stmt]:
    match node:
        case ast.Try(body=body, handlers=[_, *_]) | ast.TryStar(body=body):
            return body
        case ast.With(items=items, body=body) if any("suppress" in ast.dump(each) for each in items):
            return body
    return []


def _asked_for(call: ast.Call) -> set[str]:
    """The names in ``hasattr(model, "tune")`` and the like."""
    if _name(call.func) not in ("hasattr", "getattr", "setattr"):
        return set()
    return {
        each.value for each in call.args if isinstance(each, ast.Constant) and isinstance(each.value, str)
    }


def _name(function: ast.expr) -> str:
    match function:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _range(node: Any) -> _Range:
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)


def _innermost(ranges: list[tuple[_Range, str]], position: Position) -> str | None:
    line, last_line, column, last_column = position
    if line is None or last_line is None or column is None or last_column is None:
        return None
    first, last = (line, column), (last_line, last_column)
    return next((what for (begin, end), what in reversed(ranges) if begin <= first and last <= end), None)
