"""Every wrong workflow of the corpus is caught with the right words, and no right one is troubled."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from asyncflow import WorkflowEngine
from asyncflow.errors import WiringError

from . import attributes, between, calls, engines, files, forgotten, leaving, literals, returns, uses
from .kit import RIGHT, WRONG, Workflow, Wrong, name_of, told

assert all(
    (attributes, between, calls, engines, files, forgotten, leaving, literals, returns, uses)
)  # which fill the lists


@pytest.fixture
async def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WorkflowEngine]:
    monkeypatch.chdir(tmp_path)
    Path("there.csv").write_text("1,2\n")
    Path("folder").mkdir()
    yield WorkflowEngine(backends={"io": "thread", "cpu": "process"}, max_tasks=500)
    assert sorted(os.listdir()) == ["folder", "there.csv"]  # nothing has run


@pytest.mark.parametrize("case", WRONG, ids=name_of)
async def test_a_wrong_workflow_is_caught_with_line_ends_and_mend(
    case: Wrong, engine: WorkflowEngine
) -> None:
    plan = await engine.plan(case.workflow(engine))
    assert len(plan.findings) == 1, told(plan.findings)
    found = plan.findings[0]
    assert case.what in found.what, told(plan.findings)
    assert any(place in found.where for place in case.places), (case.places, told(plan.findings))
    assert case.mend in found.mend, told(plan.findings)
    if case.ends:
        assert tuple(each.partition(" (#")[0] for each in found.ends) == case.ends, told(plan.findings)
    with pytest.raises(WiringError) as caught:
        plan.check()
    assert found.what in str(caught.value)


@pytest.mark.parametrize("workflow", RIGHT, ids=name_of)
async def test_a_right_workflow_is_not_troubled(workflow: Workflow, engine: WorkflowEngine) -> None:
    plan = await engine.plan(workflow(engine))
    assert not plan.findings, told(plan.findings)
    assert plan.check() is plan and plan.tasks


def test_the_corpus_has_sixty_of_each() -> None:
    assert len(WRONG) >= 60 and len(RIGHT) >= 60
