"""The code blocks of the README and of the pages in docs/, as tests/test_docs.py runs them.

What is done with a block says its language and the comment in the line before it:

    ```python                       a cell: all of a page run in one session, as in a notebook, with `await`
    <!-- example: NAME.py -->       a script of that name, run by itself in the directory of its page
    <!-- file: NAME -->             a file that is written there, of any language
    ```console                      commands after `$ `, each followed by what it prints
    <!-- prints -->                 what the block before prints (and, for a cell, its last expression's repr)
    <!-- raises -->                 the last lines of the error with which the block before ends
    <!-- command: NAME -->          run by .ci/run
    <!-- not run: REASON -->        why it cannot be

A picture, `![what it is](pictures/NAME.svg)` on a line of its own, is drawn by the page's code, as by
``plan.draw("NAME.svg")``; `python tests/pages_drawn.py` writes them.

After `prints` and `raises`, and alone before a console block, `numbers differ` (after a `; `) lets numbers, with their
units, and the spaces around them be others. A line `[...]` in an output stands for any lines,
and `[...]` inside of a line for any text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_FENCE = re.compile(
    r"(?P<indent> *)(?P<ticks>```+)(?P<language>\S*)\n(?P<text>.*?)^(?P=indent)(?P=ticks)$", re.M | re.S
)
_MARK = re.compile(r"<!-- (.+) -->\n\Z")
_PICTURE = re.compile(r"^!\[[^]]*\]\(([^)]+\.svg)\)$", re.M)
_NUMBER = re.compile(
    r"[ \u00a0]*(?<![\w.#])-?\d[\d,.]*(?:[ \u00a0]?(?:ns|µs|ms|s|min|h|%|[kMG]?B)\b|[ \u00a0]?%)?"
)


@dataclass(frozen=True)
class Block:
    """A code block of a page."""

    page: Path
    line: int
    language: str
    mark: str
    text: str

    @property
    def verb(self) -> str:
        return re.split("[:;]", self.mark)[0]

    @property
    def name(self) -> str:
        return self.mark.partition(": ")[2]

    @property
    def numbers_differ(self) -> bool:
        return self.mark.endswith("numbers differ")

    def write(self, directory: Path) -> Path:
        """Write it under its name."""
        path = directory / self.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.text)
        return path

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """All code blocks of a page, in order."""
    text = page.read_text()
    found = []
    for match in _FENCE.finditer(text):
        mark = _MARK.search(text[: match.start()])
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(page, line, match["language"], mark[1] if mark else "", match["text"]))
    return found


def examples() -> dict[str, Block]:
    """All scripts that pages show whole, by name."""
    shown = [block for page in PAGES for block in blocks(page) if block.verb == "example"]
    assert len(shown) == len({block.name for block in shown}), "two examples have one name"
    return {block.name: block for block in shown}


def write_files(page: Path, directory: Path) -> None:
    """Write the files that a page shows."""
    for block in blocks(page):
        if block.verb == "file":
            block.write(directory)


def pictures(page: Path) -> list[Path]:
    """The pictures that a page shows: its own code draws them, in its directory, under the same names."""
    return [page.parent / link for link in _PICTURE.findall(page.read_text())]


def differs(shown: Path, drawn: Path) -> str:
    """What is wrong with a picture beside what the page's code has drawn; "" for nothing. One whose name ends in
    ``-run`` is of a run, where the times are others each time."""
    if not drawn.exists():
        return f"the page's code draws no {drawn.name}"
    if not shown.exists() or (not shown.stem.endswith("-run") and shown.read_bytes() != drawn.read_bytes()):
        return f"{shown.relative_to(ROOT)} is another: write it anew:  python tests/pages_drawn.py"
    return ""


def same(said: str, shown: str, numbers_differ: bool) -> bool:
    """Whether what was printed is what a page shows."""

    def settled(text: str) -> str:
        return re.sub(r" +", " ", _NUMBER.sub(" #", text)) if numbers_differ else text

    def pattern(shown: str) -> str:
        return r"[^\n]*".join(re.escape(part) for part in settled(shown).split("[...]"))

    parts = re.split(r"^ *\[\.\.\.\]\n", shown, flags=re.M)
    return re.fullmatch("(?s:.*)".join(map(pattern, parts)), settled(said)) is not None
