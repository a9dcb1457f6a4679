"""Runs the cells of a page, one after another, as a notebook does: tests/test_docs.py starts it.

A line of JSON for each cell comes in; what it printed, and the last lines of its error, go out the same way.
"""

import ast
import asyncio
import json
import linecache
import os
import sys
import traceback
from types import FunctionType

EXPRESSION_VALUE = "_"


def compiled(source: str, name: str) -> FunctionType:
    """A cell as a function; its last expression, if it ends in one, is kept."""
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    tree = ast.parse(source, name)
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = tree.body[-1]
        assigned = ast.Assign([ast.Name(EXPRESSION_VALUE, ast.Store())], last.value)
        tree.body[-1] = ast.fix_missing_locations(ast.copy_location(assigned, last))
    code = compile(tree, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    return FunctionType(code, globals())


def shown(value: object) -> str:
    """As a notebook shows it."""
    bundle = getattr(value, "_repr_mimebundle_", None)
    return repr(value) if bundle is None else str(bundle()["text/plain"])


async def run(source: str, name: str) -> None:
    globals()[EXPRESSION_VALUE] = None
    begun = compiled(source, name)()
    if begun is not None:
        await begun
    if globals()[EXPRESSION_VALUE] is not None:
        print(shown(globals()[EXPRESSION_VALUE]))


def main() -> None:
    printed = os.memfd_create("printed")
    with os.fdopen(os.dup(1), "w") as replies, asyncio.Runner() as runner:
        os.dup2(printed, 1)
        for number, line in enumerate(sys.stdin, 1):
            error = ""
            try:
                runner.run(run(json.loads(line), f"cell {number}"))
            except Exception as raised:
                error = "".join(traceback.format_exception_only(raised))
            sys.stdout.flush()
            said = os.pread(printed, os.fstat(printed).st_size, 0).decode()
            os.ftruncate(printed, 0)
            os.lseek(printed, 0, os.SEEK_SET)
            json.dump({"said": said, "error": error}, replies)
            print(file=replies, flush=True)


if __name__ == "__main__":
    main()
