"""Modules of the user's on machines that lack them: here an agent in a container of its own, by `unshare`."""

from __future__ import annotations

import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

_UNSHARE = ["unshare", "--user", "--map-root-user", "--mount"]


@pytest.fixture(scope="module")
def unshare() -> list[str]:
    """The beginning of a command that runs with mounts of its own."""
    try:
        done = subprocess.run(
            [*_UNSHARE, "mount", "-t", "tmpfs", "none", "/mnt"], check=False, capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("there is no unshare")
    if done.returncode:
        pytest.skip(f"no mounts of one's own here: {done.stderr.decode()}")
    return _UNSHARE


def run_there(unshare: list[str], folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Run a script whose folder its agent does not see."""
    hide = f"mount -t tmpfs none {shlex.quote(str(folder))} && cd /"
    hidden = f"{hide} && exec {sys.executable} -P -m asyncflow.agent --lease -"
    begin = f"""
        import sys
        from asyncflow import WorkflowEngine
        from asyncflow.backends.carried import CarriedBackend
        command = {[*unshare, "sh", "-c", hidden]!r}
        engine = WorkflowEngine(CarriedBackend(agents=0, workers=1, commands=[command]))
    """
    script = folder / "script.py"
    script.write_text(textwrap.dedent(begin) + textwrap.dedent(text))
    return subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False
    )


def test_modules_beside_the_script_travel_to_a_machine_that_lacks_them(
    unshare: list[str], tmp_path: Path
) -> None:
    (tmp_path / "shapes.py").write_text(
        textwrap.dedent("""
        FACTOR = 3
        class Square:
            def __init__(self, side): self.side = side
            def scaled(self): return Square(self.side * FACTOR)
        def area(square): return square.scaled().side ** 2
        def scaled(square): return square.scaled()
        """)
    )
    ran = run_there(
        unshare,
        tmp_path,
        """
        import os
        import shapes

        def sees(path): return os.path.exists(path)

        async def main():
            print(await engine.submit(sees, shapes.__file__))
            print(await engine.submit(shapes.area, shapes.Square(2)))
            back = await engine.submit(shapes.scaled, shapes.Square(2))
            print(type(back) is shapes.Square, back.side)
        engine.run(main)
        """,
    )
    assert ran.stderr == ""
    assert ran.stdout == "False\n36\nTrue 6\n"


def test_a_module_that_a_machine_lacks_is_named_and_so_is_the_machine(
    unshare: list[str], tmp_path: Path
) -> None:
    ran = run_there(
        unshare,
        tmp_path,
        """
        import platform

        def uses():
            import no_such_module
        async def main():
            try:
                await engine.submit(uses)
            except ModuleNotFoundError as error:
                print(error)
                told = [note for note in error.__notes__ if platform.node() in note]
                print(["'no_such_module' is not installed" in note for note in told])
        engine.run(main)
        """,
    )
    assert ran.stderr == ""
    assert ran.stdout == "No module named 'no_such_module'\n[True]\n"
