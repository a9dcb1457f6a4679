"""Services: who keeps one, when it is stopped, in which order, and when one is asked for."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow._core.lanes import Lane
from asyncflow._core.options import CommandOptions, ServiceOptions, TaskOptions, check_service
from asyncflow._core.probes import Http, Line, Port, http, port, probe_of
from asyncflow._core.scheduler import Scheduler
from asyncflow._core.services import Service, in_order, is_idle, lane_of_services, parted
from asyncflow._core.states import NOW, PENDING, READY, STEP, SUBMITTED
from asyncflow._core.task import Definition

from .kit import PlainTask


class Graph:
    """A scheduler with a lane for plain tasks and the two lanes of services."""

    def __init__(self) -> None:
        self.scheduler = Scheduler()
        self.plain = Lane("backend")
        self.services = lane_of_services("this machine")
        self.count = 0
        self.started: list[int] = []

    def call(self, *dependencies: PlainTask) -> PlainTask:
        return self._call(Definition(int, "function", TaskOptions()), self.plain, dependencies)

    def service(self, *dependencies: PlainTask, stop_after: str = "users") -> PlainTask:
        return self._call(
            Definition(int, "service", ServiceOptions()), self.services, dependencies, stop_after
        )

    def _call(
        self, definition: Definition, lane: Lane, dependencies: tuple[PlainTask, ...], stop_after: str = ""
    ) -> PlainTask:
        self.count += 1
        task = PlainTask(self.count, definition, lane, (), {})
        if stop_after:
            task.service = Service((), {}, stop_after)  # type: ignore[arg-type]
            task.service.called(task, None)
            task.story = PENDING << STEP | PENDING
        self.scheduler.called(task, dependencies)
        return task

    def run(self) -> list[int]:
        """Hand over all that is ready. Returns the numbers of what was."""
        self.scheduler.lanes.due.clear()
        batch = [*self.scheduler.lanes.take(self.services), *self.scheduler.lanes.take(self.plain)]
        for task in batch:
            self.scheduler.started(task)
        return [task.id for task in batch]


def test_a_service_is_not_asked_for_before_all_else_is_there() -> None:
    graph = Graph()
    service, load = graph.service(), graph.call()
    user = graph.call(service, load)
    assert graph.run() == [load.id]
    assert is_idle(service)
    graph.scheduler.succeeded(load)
    assert graph.run() == [service.id]
    assert user.story & NOW == PENDING
    graph.scheduler.succeeded(service)
    assert graph.run() == [user.id]


def test_a_service_whose_only_user_will_not_run_is_not_asked_for() -> None:
    graph = Graph()
    service, load = graph.service(), graph.call()
    graph.call(service, load)
    graph.run()
    graph.scheduler.failed(load, OSError())
    assert graph.run() == []
    assert is_idle(service)


def test_services_that_need_others_ask_for_them_when_they_are_needed() -> None:
    graph = Graph()
    first = graph.service()
    second = graph.service(first)
    third = graph.service(second, first)
    assert graph.run() == []
    graph.call(third)
    order = []
    while batch := graph.run():
        order += batch
        for number in batch:
            graph.scheduler.succeeded(graph.scheduler.live[number])
    assert order == [first.id, second.id, third.id, 4]


def test_a_service_that_is_needed_while_its_inputs_are_made_starts_when_they_are_there() -> None:
    graph = Graph()
    load = graph.call()
    service = graph.service(load)
    graph.call(service)
    assert graph.run() == [load.id]
    graph.scheduler.succeeded(load)
    assert graph.run() == [service.id]


def test_what_waits_for_a_service_is_in_no_chain_behind_another_task() -> None:
    graph = Graph()
    graph.plain.links = True
    service, load = graph.service(), graph.call()
    user = graph.call(load, service)
    graph.run()
    assert load.link is None
    assert user.story & NOW != SUBMITTED


def test_an_idle_service_that_is_cancelled_has_no_place_anywhere() -> None:
    graph = Graph()
    service = graph.service()
    assert (service.story & NOW, list(graph.services.ready)) == (READY, [])
    graph.scheduler.cancel(service)
    assert graph.run() == []
    assert not graph.scheduler.live


@given(st.data())
def test_random_graphs_start_each_service_that_is_needed_and_no_other(data: st.DataObject) -> None:
    graph = Graph()
    tasks: list[PlainTask] = []
    services: set[int] = set()
    for _ in range(data.draw(st.integers(1, 12))):
        dependencies = data.draw(st.lists(st.sampled_from(tasks), unique=True, max_size=4)) if tasks else []
        if data.draw(st.booleans()):
            task = graph.service(*dependencies)
            services.add(task.id)
        else:
            task = graph.call(*dependencies)
        tasks.append(task)
    needed = _needed(graph, tasks, services)
    ran: list[int] = []
    while batch := graph.run():
        for number in data.draw(st.permutations(batch)):
            ran.append(number)
            graph.scheduler.succeeded(graph.scheduler.live[number])
    assert sorted(ran) == sorted(needed)
    assert all(is_idle(task) for task in graph.scheduler.live.values())


def _needed(graph: Graph, tasks: list[PlainTask], services: set[int]) -> set[int]:
    """What is to run: all that is no service, and what any of that waits for."""
    waits: dict[int, list[int]] = {task.id: [] for task in tasks}
    for task in tasks:
        dependents = task.dependents
        for dependent in dependents if isinstance(dependents, list) else [dependents] if dependents else []:
            waits[dependent.id].append(task.id)
        for service in (task.rare.unasked if task.rare is not None else None) or ():
            waits[task.id].append(service.id)
    todo = [task.id for task in tasks if task.id not in services]
    needed = set()
    while todo:
        number = todo.pop()
        if number not in needed:
            needed.add(number)
            todo += waits[number]
    return needed


@given(st.data())
def test_a_service_is_stopped_exactly_when_the_last_that_kept_it_is_over(data: st.DataObject) -> None:
    services = [Service((), {}, "users") for _ in range(3)]
    up = []
    for number, service in enumerate(services):
        task = PlainTask(100 + number, Definition(int, "service", ServiceOptions()), Lane("here"), (), {})
        task.service = service
        service.called(task, None)
        up.append(task)
    kept: dict[int, set[Service]] = {}
    stopped: list[Service] = []
    for step in data.draw(st.lists(st.integers(0, 5), max_size=20)):
        if step in kept:
            over = kept.pop(step)
            for task in in_order(up, parted(step, over)):
                up.remove(task)
                stopped.append(task.service)
        else:
            live = [each for each in services if each not in stopped]
            kept[step] = set(data.draw(st.lists(st.sampled_from(live), unique=True))) if live else set()
            for service in kept[step]:
                service.taken(step)
        in_use = set().union(*kept.values())
        assert not in_use & set(stopped)
        assert all(each in stopped or each in in_use or not each.was_kept for each in services)


def test_what_was_up_last_is_stopped_first() -> None:
    up = []
    for number in range(4):
        task = PlainTask(number + 1, Definition(int, "service", ServiceOptions()), Lane("here"), (), {})
        task.service = Service((), {}, "users")
        task.service.called(task, None)
        task.service.taken(9)
        up.append(task)
    services = [task.service for task in up]
    services[1].taken(8)
    left = parted(9, services)
    assert [task.id for task in in_order(up, left)] == [4, 3, 1]


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        (8080, Port),
        (port(80, "::1"), Port),
        (http("http://a/"), Http),
        ("up", Line),
        (re.compile("u."), Line),
    ],
)
def test_what_may_be_given_to_tell_that_a_service_is_ready(given: object, asked: type) -> None:
    assert type(probe_of("ready", given)) is asked


@pytest.mark.parametrize("given", [0, 65536, True, "", b"up", re.compile(b"up"), 1.5, None])
def test_what_cannot_tell_that_a_service_is_ready_is_refused(given: object) -> None:
    with pytest.raises((TypeError, ValueError), match=r"ready|port"):
        probe_of("ready", given)


def test_text_is_looked_for_as_it_is() -> None:
    probe = probe_of("ready", "up (1)")
    assert isinstance(probe, Line)
    assert probe.pattern.search("server up (1) now")
    assert not probe.pattern.search("server up 1 now")


@pytest.mark.parametrize("option", ["timeout", "deadline", "limits", "max_concurrent", "detached", "backend"])
def test_options_that_no_service_can_have_are_refused_with_a_reason(option: str) -> None:
    given = {"limits": "api", "max_concurrent": 2, "detached": True, "backend": "thread"}.get(option, 3)
    with pytest.raises(TypeError, match=f"{option}=.*: a service|{option}=.*: nobody waits"):
        ServiceOptions().changed(**{option: given})
    if option != "backend":
        with pytest.raises(TypeError, match=f"'serve': {option}="):
            check_service("serve", CommandOptions(service=True).changed(**{option: given}))


@pytest.mark.parametrize("option", ["ready", "ready_timeout", "stop_after"])
def test_options_of_services_are_refused_for_commands_that_are_none(option: str) -> None:
    given = {"ready": 80, "ready_timeout": 3, "stop_after": "run"}[option]
    with pytest.raises(TypeError, match=rf"executable_task\(service=True, {option}="):
        check_service("serve", CommandOptions().changed(**{option: given}))
