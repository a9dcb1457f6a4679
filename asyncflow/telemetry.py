"""What happens in runs, as spans and metrics of OpenTelemetry. It listens, and decides nothing.

    engine.subscribe(OpenTelemetry())

A run is a span; in it is one for each workflow (``engine.workflow_scope``), in these the blocks, and in blocks the
tasks, each from its call to its end, with links to what it waited for. It needs
``pip install "asyncflow-engine[otel]"``, and whatever exporter you use.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final

from .events import (
    Event,
    RunBegan,
    RunEnded,
    ServiceEnded,
    StreamBegan,
    StreamCounted,
    TaskAdmitted,
    TaskAttemptFailed,
    TaskCalled,
    TaskEnded,
    TaskReturned,
    TaskStaged,
    TaskStarted,
    TaskSubmitted,
)

try:
    from opentelemetry import context, metrics, trace
except ImportError:
    raise ImportError(
        'asyncflow.telemetry needs OpenTelemetry:  pip install "asyncflow-engine[otel]"', name="opentelemetry"
    ) from None

_NAME: Final = "asyncflow"
_KNOWN: Final = 10_000  # tasks that links can lead to
_LINKS: Final = 128  # to dependencies; what the specification lets a span have


class OpenTelemetry:
    """A listener for `WorkflowEngine.subscribe`; of one engine at a time.

    Spans are begun in the context in which this is made: inside a span of yours, runs are part of that.

    Metrics: ``asyncflow.tasks`` counts tasks that are over by function and state, ``asyncflow.tasks.live`` those that
    are not; ``asyncflow.task.run`` and ``asyncflow.task.wait`` are seconds that tasks ran, and that passed before.

    Args:
        tracer_provider: makes the spans; None for the global one.
        meter_provider: makes the metrics; None for the global one.

    Raises:
        ImportError: OpenTelemetry is not installed.
    """

    def __init__(
        self,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        self._tracer = trace.get_tracer(_NAME, tracer_provider=tracer_provider)
        meter = metrics.get_meter(_NAME, meter_provider=meter_provider)
        self._over = meter.create_counter("asyncflow.tasks", unit="{task}", description="tasks that are over")
        self._live = meter.create_up_down_counter(
            "asyncflow.tasks.live", unit="{task}", description="tasks that were called and are not over"
        )
        self._run = meter.create_histogram("asyncflow.task.run", unit="s", description="how long tasks ran")
        self._wait = meter.create_histogram(
            "asyncflow.task.wait", unit="s", description="from the call of a task to its start"
        )
        self._around = context.get_current()
        self._whole: trace.Span | None = None
        self._workflows: dict[str, trace.Span] = {}
        self._tasks: dict[int, tuple[trace.Span, TaskCalled]] = {}
        self._known: OrderedDict[int, trace.SpanContext] = (
            OrderedDict()
        )  # of the latest, also of those that are over

    def __call__(self, events: Sequence[Event]) -> None:
        """Take events."""
        for event in events:
            if isinstance(event, TaskCalled):
                self._called(event)
            elif isinstance(event, TaskEnded):
                self._ended(event)
            elif isinstance(event, RunBegan):
                self._whole = self._span("asyncflow run", event.time, self._around)
                self._whole.set_attribute("asyncflow.run", event.run)
            elif isinstance(event, RunEnded):
                self._run_ended(event)
            elif not isinstance(event, (StreamBegan, StreamCounted)) and event.id in self._tasks:
                span, _ = self._tasks[event.id]
                told = {"exception.message": event.error} if isinstance(event, TaskAttemptFailed) else None
                span.add_event(_STEPS[type(event)], told, timestamp=_nanoseconds(event.time))

    def _called(self, event: TaskCalled) -> None:
        waits = dict.fromkeys(event.dependencies)
        links = [trace.Link(self._known[each]) for each in waits if each in self._known][:_LINKS]
        span = self._span(event.name, event.time, trace.set_span_in_context(self._parent(event)), links)
        span.set_attributes(
            {
                "asyncflow.task.id": event.id,
                "asyncflow.task.kind": event.kind,
                "asyncflow.task.place": event.place,
                "asyncflow.task.called_at": event.called_at,
            }
        )
        self._tasks[event.id] = span, event
        self._known[event.id] = span.get_span_context()
        if len(self._known) > _KNOWN:
            self._known.popitem(last=False)
        self._live.add(1, {"asyncflow.function": event.name})

    def _parent(self, event: TaskCalled) -> trace.Span:
        """What a call is inside of: a block, or a workflow, or nothing but the run."""
        if event.block in self._tasks:
            return self._tasks[event.block][0]
        whole = self._whole or trace.INVALID_SPAN
        if event.workflow is None:
            return whole
        if event.workflow not in self._workflows:
            inside = trace.set_span_in_context(whole)
            self._workflows[event.workflow] = self._span(event.workflow, event.time, inside)
        return self._workflows[event.workflow]

    def _ended(self, event: TaskEnded) -> None:
        span, called = self._tasks.pop(event.id, (None, None))
        if span is None or called is None:
            return  # it was called before anybody listened
        labels = {"asyncflow.function": called.name}
        self._live.add(-1, labels)
        self._over.add(1, {**labels, "asyncflow.state": event.state})
        span.set_attributes({"asyncflow.task.state": event.state, "asyncflow.task.worker": event.worker})
        if event.started is not None and event.finished is not None:
            self._run.record(event.finished - event.started, labels)
            self._wait.record(max(0.0, event.started - called.time), labels)
            span.set_attribute("asyncflow.task.run", event.finished - event.started)
        if event.roots:
            span.set_attribute("asyncflow.task.roots", event.roots)
        if event.state in ("FAILED", "UPSTREAM_FAILED"):
            span.set_status(trace.StatusCode.ERROR, event.error or "what it depends on failed")
        if event.error:
            kind, _, message = event.error.partition(": ")
            told = {"exception.type": kind, "exception.message": message}
            span.add_event("exception", told, timestamp=_nanoseconds(event.time))
        span.end(_nanoseconds(event.time))

    def _run_ended(self, event: RunEnded) -> None:
        left = [span for span, _ in self._tasks.values()]
        for span in [*left, *self._workflows.values(), *([self._whole] if self._whole else [])]:
            span.end(_nanoseconds(event.time))
        for _, called in self._tasks.values():
            self._live.add(-1, {"asyncflow.function": called.name})
        self._tasks.clear()
        self._known.clear()
        self._workflows.clear()
        self._whole = None

    def _span(
        self, name: str, time: float, inside: context.Context, links: Sequence[trace.Link] = ()
    ) -> trace.Span:
        return self._tracer.start_span(name, inside, links=links, start_time=_nanoseconds(time))

    def __repr__(self) -> str:
        return "<OpenTelemetry>"


_STEPS: Final[dict[type[Any], str]] = {
    ServiceEnded: "service ended",
    TaskAdmitted: "admitted",
    TaskAttemptFailed: "attempt failed",
    TaskReturned: "returned",
    TaskStaged: "staged",
    TaskSubmitted: "submitted",
    TaskStarted: "started",
}


def _nanoseconds(time: float) -> int:
    return int(time * 1e9)
