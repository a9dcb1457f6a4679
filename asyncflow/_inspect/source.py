"""Source files as trees, and which part of one an instruction of compiled code belongs to.

What runs need not be what the file holds by now, and not all code has a file: then there is no tree, and no part.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from types import CodeType
from typing import Any, Final

Position = tuple[int | None, int | None, int | None, int | None]
"""Line, last line, column and last column, as `CodeType.co_positions` has them."""

NOWHERE: Final[Position] = (None, None, None, None)
FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
COMPREHENSIONS: Final = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Source:
    """The source of one file.

    Args:
        filename: of the file, or what a notebook calls a cell.
        namespace: of the module, which may know how to get the source.
    """

    def __init__(self, filename: str, namespace: dict[str, object] | None = None) -> None:
        try:
            self._tree = ast.parse("".join(linecache.getlines(filename, namespace)))
        except Exception:
            self._tree = ast.Module([], [])

    def walk(self) -> Iterator[ast.AST]:
        """All nodes, outer ones first."""
        return ast.walk(self._tree)

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """The node around each node."""
        return {child: node for node in self.walk() for child in ast.iter_child_nodes(node)}

    @cached_property
    def calls(self) -> dict[Position, ast.Call]:
        """All calls, by their positions."""
        return {position_of(node): node for node in self.walk() if isinstance(node, ast.Call)}

    def innermost(self, position: Position) -> ast.AST | None:
        """The innermost expression or statement that has a position."""
        found: ast.AST | None = None
        for node in self.walk():
            if isinstance(node, (ast.expr, ast.stmt)) and position_of(node) == position:
                found = node
        return found


def position_of(node: Any) -> Position:
    """The position of an expression, a statement or a pattern."""
    return node.lineno, node.end_lineno, node.col_offset, node.end_col_offset


def position_at(code: CodeType, instruction: int) -> Position:
    """The position of an instruction, by its place in the code; `NOWHERE` where Python keeps none."""
    return next(islice(code.co_positions(), instruction // 2, None), NOWHERE)


def bindings(node: ast.AST) -> list[tuple[ast.expr, ast.expr | None]]:
    """What a node assigns to, each with the expression whose value, or whose items, that takes; None for no value."""
    match node:
        case ast.Assign(targets=targets, value=value):
            return [(target, value) for target in targets]
        case ast.AnnAssign() | ast.NamedExpr() | ast.AugAssign():
            return [(node.target, node.value)]
        case ast.For() | ast.AsyncFor() | ast.comprehension():
            return [(node.target, node.iter)]
        case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
            return [(target, value)]
    return []


def names_in(node: ast.AST) -> set[str]:
    """All names in a part of the source."""
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
