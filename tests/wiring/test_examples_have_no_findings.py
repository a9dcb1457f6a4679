"""The examples, planned instead of run: nobody who begins with them is troubled by a false alarm."""

from __future__ import annotations

import asyncio
import runpy
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from pages_kit import write_files
from test_examples import EXAMPLES
from test_plans_of_examples import NOT_COMPARED, PAGES

from asyncflow import WorkflowEngine
from asyncflow.plan import Plan

from .kit import told


class Planned(Exception):
    """There is a plan of what would have been run."""


@pytest.fixture
def plan_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Plans what a script would run."""

    def of(script: Path, *arguments: str | Path) -> Plan:
        run = asyncio.run

        def planned(engine: WorkflowEngine, target: Any, *args: Any, **kwargs: Any) -> None:
            async def main() -> Plan:
                return await engine.plan(target, *args, **kwargs)

            raise Planned(run(main()))

        def begun(main: Any) -> None:
            planned(sys._getframe(1).f_globals["engine"], main)

        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [str(script), *map(str, arguments)])
        monkeypatch.setattr(WorkflowEngine, "run", planned)
        monkeypatch.setattr(asyncio, "run", begun)
        with pytest.raises(Planned) as caught:
            runpy.run_path(str(script), run_name="__main__")
        plan = caught.value.args[0]
        assert isinstance(plan, Plan)
        return plan

    return of


@pytest.mark.parametrize(
    "name",
    [
        "quickstart.py",
        "source_census.py",
        "package_files.py",
        "flaky_service.py",
        "warm_workers.py",
        "election_night.py",
    ],
)
def test_an_example_has_no_findings(name: str, plan_of: Any) -> None:
    plan = plan_of(
        EXAMPLES / name,
        *[Path(sysconfig.get_path("stdlib"), "email")][: name in ("source_census.py", "package_files.py")],
    )
    assert not plan.findings, told(plan.findings)
    assert plan.tasks


@pytest.mark.parametrize(
    "name", sorted(PAGES.keys() - NOT_COMPARED.keys() - {"where.py"})
)  # which runs nothing
def test_an_example_of_a_page_has_no_findings(name: str, plan_of: Any, tmp_path: Path) -> None:
    write_files(PAGES[name].page, tmp_path)
    script = PAGES[name].write(tmp_path)
    plan = plan_of(script)
    assert not plan.findings, told(plan.findings)
    assert plan.tasks


def test_the_example_of_mistakes_has_one(plan_of: Any, tmp_path: Path) -> None:
    script = PAGES["mistakes.py"].write(tmp_path)
    assert "'degree'" in plan_of(script).findings[0].what
