"""Draws the pictures of pages by the code beside them: `python tests/pages_drawn.py [PAGE ...]`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from pages_kit import PAGES, blocks, pictures

SESSION = Path(__file__).with_name("pages_session.py")


def draw(page: Path) -> None:
    """Run a page's code in a directory, and take from there what the page shows."""
    cells = [block.text for block in blocks(page) if block.language == "python" and not block.verb]
    with tempfile.TemporaryDirectory() as directory:
        ran = subprocess.run(
            [sys.executable, SESSION],
            cwd=directory,
            input="".join(f"{json.dumps(cell)}\n" for cell in cells),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        for error in filter(None, (json.loads(line)["error"] for line in ran.stdout.splitlines())):
            print(error, file=sys.stderr)
        for shown in pictures(page):
            shown.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path(directory, shown.name), shown)
            print(shown)


if __name__ == "__main__":
    for each in map(Path.resolve, map(Path, sys.argv[1:])) if sys.argv[1:] else PAGES:
        if pictures(each):
            draw(each)
