"""The pictures in docs/ are made by the code beside them: `python tests/pictures_made.py` makes them anew.

The scripts of pages that show a picture are run, and leave it; those of docs/gallery are planned and run. Times in
pictures of runs differ each time, so tests compare what boxes and links there are.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from pages_kit import PAGES, ROOT, blocks

PICTURES = ROOT / "docs" / "pictures"
_SHOWN = re.compile(r"!\[[^]]*\]\((?:\.\./)*pictures/([\w-]+\.svg)\)")


def shown(page: Path) -> list[str]:
    """Names of the pictures that a page shows, and its own scripts make."""
    return _SHOWN.findall(page.read_text())


def made_by(page: Path, directory: Path) -> None:
    """Run the scripts of a page; their pictures are then in the directory."""
    for block in blocks(page):
        if block.verb == "example":
            script = block.write(directory)
            subprocess.run(
                [sys.executable, script], cwd=directory, check=True, capture_output=True, timeout=120
            )


def skeleton(svg: str) -> dict[str, list[str]]:
    """What is in a picture, wherever it stands: labels of boxes without numbers of tasks, and links."""
    return {
        "labels": re.findall(r'class="af-label[^>]*>([^<]*)<', svg),
        "links": [
            f"{source}-{target}" for source, target in re.findall(r'data-from="(\d+)" data-to="(\d+)"', svg)
        ],
    }


def write() -> None:
    """Make all pictures anew."""
    for page in PAGES:
        if names := shown(page):
            with tempfile.TemporaryDirectory() as directory:
                made_by(page, Path(directory))
                for name in names:
                    shutil.copy(Path(directory, name), PICTURES / name)


if __name__ == "__main__":
    write()
