"""What can be known of a file of Python without running it: what it has for a target, and whether it is a script."""

from __future__ import annotations

import ast
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .exits import Refused

_RUNS = frozenset({"run", "run_until_complete"})


@dataclass(frozen=True, slots=True)
class Source:
    """A file of Python, parsed.

    Args:
        path: of the file.
        tree: what is in it.
    """

    path: str
    tree: ast.Module

    @property
    def is_script(self) -> bool:
        """Whether the file runs something when Python is given it: under ``if __name__ == "__main__"``, or because
        something is run at its top."""
        return any(_is_main_guard(each) or _runs(each) for each in self.tree.body)

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """The functions at its top."""
        for each in self.tree.body:
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                yield each

    def starts_a_loop(self, name: str) -> bool:
        """Whether a plain function runs something itself, as by ``engine.run``, and so is not to be called where an
        event loop runs."""
        return any(
            isinstance(each, ast.FunctionDef) and each.name == name and any(map(_runs, each.body))
            for each in self.functions()
        )

    def likely_targets(self) -> list[str]:
        """The names of the functions that are decorated, or called main."""
        return [each.name for each in self.functions() if each.decorator_list or each.name == "main"]

    def parameters(self, names: Sequence[str] | None = None) -> set[str]:
        """The names of the parameters of some functions; of all at the top if none are named."""
        return {
            parameter.arg
            for each in self.functions()
            if names is None or each.name in names
            for parameter in (*each.args.posonlyargs, *each.args.args, *each.args.kwonlyargs)
        }

    def texts(self) -> frozenset[str]:
        """All texts that are written in it, among which are the options that a script has."""
        constants = (each for each in ast.walk(self.tree) if isinstance(each, ast.Constant))
        return frozenset(each.value for each in constants if isinstance(each.value, str))


def read(path: str) -> Source:
    """Parse a file.

    Raises:
        Refused: it cannot be read, or is no Python.
    """
    try:
        with tokenize.open(path) as file:  # in the encoding that it declares
            return Source(path, ast.parse(file.read(), path))
    except SyntaxError as error:
        place = f"{path}:{error.lineno}" if error.lineno else path
        raise Refused(f"{place}: {error.msg}; it is no Python of this version") from None
    except (OSError, ValueError) as error:
        raise Refused(f"{path} cannot be read as Python: {error}") from None


def _is_main_guard(node: ast.stmt) -> bool:
    if not isinstance(node, ast.If):
        return False
    parts = list(ast.walk(node.test))
    return any(isinstance(each, ast.Name) and each.id == "__name__" for each in parts) and any(
        isinstance(each, ast.Constant) and each.value == "__main__" for each in parts
    )


def _runs(node: ast.stmt) -> bool:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return False
    return any(
        isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.attr in _RUNS
        for each in ast.walk(node)
    )
