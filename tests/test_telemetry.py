"""Runs as OpenTelemetry sees them."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from asyncflow import WorkflowEngine
from asyncflow.events import RunBegan, RunEnded, TaskCalled, TaskEnded
from asyncflow.telemetry import OpenTelemetry


class Collected:
    """What was exported."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.spans_by = TracerProvider()
        self.spans_by.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.metrics_by = MeterProvider(metric_readers=[self.reader])

    def listener(self) -> OpenTelemetry:
        return OpenTelemetry(self.spans_by, self.metrics_by)

    @property
    def spans(self) -> dict[str, Any]:
        return {span.name: span for span in self.exporter.get_finished_spans()}

    def metric(self, name: str) -> list[Any]:
        told = self.reader.get_metrics_data()
        assert told is not None
        [metric] = [
            metric
            for resource in told.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
        ]
        return list(metric.data.data_points)


@pytest.fixture
def collected() -> Any:
    made = Collected()
    yield made
    made.spans_by.shutdown()
    made.metrics_by.shutdown()


async def a_run(collected: Collected) -> None:
    engine = WorkflowEngine("thread")
    engine.subscribe(collected.listener())

    @engine.function_task
    def load(number: int) -> int:
        return number

    @engine.function_task
    def fail(number: int) -> int:
        raise ValueError("no")

    @engine.function_task
    def after(number: int) -> int:
        return number

    @engine.block
    async def inside() -> Any:
        return await load(1)

    async with engine:
        with engine.workflow_scope("nightly"):
            block = inside()
        failed = fail(block)
        with pytest.raises(ValueError):
            await failed
        with pytest.raises(Exception, match="did not run"):
            await after(failed)


async def test_workflow_block_and_task_are_spans_inside_each_other(collected: Collected) -> None:
    await a_run(collected)
    spans = collected.spans
    assert set(spans) == {"asyncflow run", "nightly", "inside", "load", "fail", "after"}
    parents = {name: span.parent and span.parent.span_id for name, span in spans.items()}
    numbers = {name: span.context.span_id for name, span in spans.items()}
    assert parents == {
        "asyncflow run": None,
        "nightly": numbers["asyncflow run"],
        "inside": numbers["nightly"],
        "load": numbers["inside"],
        "fail": numbers["asyncflow run"],
        "after": numbers["asyncflow run"],
    }
    for inner, outer in (("load", "inside"), ("inside", "nightly"), ("nightly", "asyncflow run")):
        assert spans[outer].start_time <= spans[inner].start_time
        assert spans[inner].end_time <= spans[outer].end_time


async def test_span_says_what_became_of_its_task_and_what_it_waited_for(collected: Collected) -> None:
    await a_run(collected)
    spans = collected.spans
    assert spans["load"].attributes["asyncflow.task.state"] == "SUCCEEDED"
    assert spans["load"].attributes["asyncflow.task.worker"].startswith("asyncflow-")
    assert spans["load"].status.status_code is StatusCode.UNSET
    assert spans["fail"].status.status_code is StatusCode.ERROR
    [error] = [event for event in spans["fail"].events if event.name == "exception"]
    assert dict(error.attributes) == {"exception.type": "ValueError", "exception.message": "no"}
    assert spans["after"].status.status_code is StatusCode.ERROR
    assert spans["after"].attributes["asyncflow.task.roots"] == (
        spans["fail"].attributes["asyncflow.task.id"],
    )
    assert [link.context.span_id for link in spans["after"].links] == [spans["fail"].context.span_id]


async def test_metrics_count_and_measure_tasks(collected: Collected) -> None:
    await a_run(collected)
    over = {
        (point.attributes["asyncflow.function"], point.attributes["asyncflow.state"]): point.value
        for point in collected.metric("asyncflow.tasks")
    }
    assert over == {
        ("inside", "SUCCEEDED"): 1,
        ("load", "SUCCEEDED"): 1,
        ("fail", "FAILED"): 1,
        ("after", "UPSTREAM_FAILED"): 1,
    }
    assert {point.value for point in collected.metric("asyncflow.tasks.live")} == {0}
    ran = {
        point.attributes["asyncflow.function"]: point.count
        for point in collected.metric("asyncflow.task.run")
    }
    assert ran == {"inside": 1, "load": 1, "fail": 1}


async def test_run_inside_of_a_span_is_part_of_it(collected: Collected) -> None:
    with collected.spans_by.get_tracer("user").start_as_current_span("around"):
        listener = collected.listener()
    listener([RunBegan(1.0, "r", {}), RunEnded(2.0, 0.0)])
    assert collected.spans["asyncflow run"].parent.span_id == collected.spans["around"].context.span_id


def test_what_is_not_over_at_the_end_is_ended_with_the_run(collected: Collected) -> None:
    listener = collected.listener()
    called = TaskCalled(1.5, 1, "load", "function", "p", "", "a.py:1", None, 0, (), ())
    unknown = TaskEnded(1.7, 9, "SUCCEEDED", None, None, "", 0, "", ())
    listener([RunBegan(1.0, "r", {}), called, unknown, RunEnded(2.0, 0.0)])
    assert collected.spans["load"].end_time == 2_000_000_000
    assert {point.value for point in collected.metric("asyncflow.tasks.live")} == {0}


def test_missing_library_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "try:\n    import asyncflow.telemetry\nexcept ImportError as error:\n    print(error)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert 'pip install "asyncflow-engine[otel]"' in told
