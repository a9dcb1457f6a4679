"""The parts of pages that are made from the code: `python tests/pages_made.py` writes them anew, a test holds them.

A part stands between `<!-- made: NAME -->` and `<!-- end -->`, each on a line of its own with an empty one beside it.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from asyncflow import WorkflowEngine, errors
from asyncflow._core import options
from asyncflow._core.states import TRANSITIONS
from asyncflow._engine.settings import OUTSIDE, PREFIX
from asyncflow.cli import app

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
_PART = re.compile(r"^<!-- made: (?P<name>[\w ]+) -->\n\n(?P<text>.*?)\s*<!-- end -->$", re.M | re.S)


def states() -> str:
    """The states of a task, each with those that may follow."""
    widest = max(map(len, TRANSITIONS))
    going = [
        f"{state:<{widest}} -> {', '.join(sorted(following, key=list(TRANSITIONS).index))}"
        for state, following in TRANSITIONS.items()
        if following
    ]
    over = ", ".join(state for state, following in TRANSITIONS.items() if not following)
    return "\n".join(["```text", *going, f"{'over':<{widest}} :  {over}", "```"])


def all_errors() -> str:
    """Every exception, with what Python would call it, when it is raised and what it carries."""
    rows = []
    for name in errors.__all__:
        cls: Any = getattr(errors, name)
        if not issubclass(cls, BaseException):
            continue
        doc = inspect.cleandoc(cls.__doc__ or "")
        others = [each.__name__ for each in cls.__bases__ if not issubclass(each, errors.AsyncflowError)]
        carries = [f"`{field}`" for field in _described(doc, "Attributes")]
        rows.append((f"`{name}`", ", ".join(f"`{each}`" for each in others), _first(doc), ", ".join(carries)))
    return _table(("error", "is also a", "when", "carries"), rows)


def engine_options() -> str:
    """The arguments of `WorkflowEngine`."""
    meaning = _described(inspect.cleandoc(WorkflowEngine.__doc__ or ""), "Args")
    rows = [
        (f"`{name}`", f"`{parameter.default!r}`", meaning[name])
        for name, parameter in inspect.signature(WorkflowEngine).parameters.items()
    ]
    return _table(("option", "default", "meaning"), rows)


def task_options() -> str:
    """The options of decorators and `with_options`, with the kinds of tasks that take them."""
    kinds = {
        "function": options.TaskOptions,
        "command": options.CommandOptions,
        "block": options.BlockOptions,
    }
    meaning = _keyword_docs()
    rows = []
    for name in meaning:
        takes = [kind for kind, cls in kinds.items() if name in cls.defaults()]
        rows.append((f"`{name}`", "all" if len(takes) == len(kinds) else ", ".join(takes), meaning[name]))
    return _table(("option", "tasks", "meaning"), rows)


def environment() -> str:
    """What may be set outside of the code."""
    rows = [
        (f"`{PREFIX}{name.upper()}`", f"`{name}`" if setting.in_file else "", setting.meaning)
        for name, setting in OUTSIDE.items()
    ]
    return _table(("variable", "key in `[tool.asyncflow]`", "meaning"), rows)


def command_line() -> str:
    """The subcommands, with what each takes."""
    sections = []
    for names in app.SUBCOMMANDS.values():
        for name in names:
            command = app.app.get_command(click.Context(app.app), name)
            assert command is not None
            ctx = click.Context(command, info_name=f"asyncflow {name}")
            usage = " ".join([*command.collect_usage_pieces(ctx)])
            text = inspect.cleandoc(command.help or "").replace("\f", "")
            text = re.sub(r"\x08\n(.+?)(?:\n\n|\Z)", lambda found: _indented(found[1]), text, flags=re.S)
            rows = [record for each in command.params if (record := each.get_help_record(ctx))]
            table = _table(
                ("option", "meaning"), [(f"`{option}`", meaning) for option, meaning in rows if meaning]
            )
            sections.append(f"## {name}\n\n`asyncflow {name} {usage}`\n\n{text.strip()}\n\n{table}")
    return "\n\n".join(sections)


def _indented(examples: str) -> str:
    title, *lines = examples.splitlines()
    code = "\n".join(line.removeprefix("  ") for line in lines)
    return f"{title}\n\n```text\n{code}\n```\n\n"


MADE: dict[str, Callable[[], str]] = {
    "states": states,
    "errors": all_errors,
    "engine options": engine_options,
    "task options": task_options,
    "environment": environment,
    "command line": command_line,
}


def parts(page: Path) -> dict[str, str]:
    """The parts of a page that are made, as the page has them."""
    return {match["name"]: match["text"] for match in _PART.finditer(page.read_text())}


def _keyword_docs() -> dict[str, str]:
    found = {}
    for node in ast.parse(inspect.getsource(options)).body:
        if isinstance(node, ast.ClassDef) and node.name.endswith("Keywords"):
            for key, text in zip(node.body, node.body[1:], strict=False):
                if isinstance(key, ast.AnnAssign) and isinstance(key.target, ast.Name):
                    assert isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
                    found[key.target.id] = " ".join(str(text.value.value).split())
    return found


def _described(doc: str, section: str) -> dict[str, str]:
    """The entries of a section of a docstring."""
    after = doc.partition(f"{section}:\n")[2]
    lines = re.split(r"\n(?=\S)", after)[0] if after else ""
    entries = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", lines, re.M)
    return {name: " ".join(text.split()) for name, text in entries}


def _first(doc: str) -> str:
    return " ".join(doc.partition("\n\n")[0].split())


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines
    ).replace("``", "`")


def write() -> None:
    """Make all parts of all pages anew."""
    for page in PAGES:
        text = page.read_text()
        made = _PART.sub(
            lambda match: f"<!-- made: {match['name']} -->\n\n{MADE[match['name']]()}\n\n<!-- end -->", text
        )
        if made != text:
            page.write_text(made)


if __name__ == "__main__":
    write()
