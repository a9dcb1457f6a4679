"""Where actors are placed, without Ray."""

from __future__ import annotations

from asyncflow_ray.places import Held, Node, Place, anywhere, on_each_node, options

NODES = [Node("a", 2, 2), Node("b", 8, 8), Node("head", 0, 0)]


def held(**cpus: int) -> list[Held]:
    return [Held(node, much, True) for node, much in cpus.items()]


WAITS = Held(None, 1, False)


def test_the_largest_nodes_come_first_and_no_more_of_them_than_are_of_use() -> None:
    assert on_each_node(5, None, NODES, (), []) == [Place("b", 8)]
    assert on_each_node(9, None, NODES, (), []) == [Place("b", 8), Place("a", 2)]
    assert on_each_node(9, None, NODES, (), held(b=8)) == [Place("a", 2)]
    assert on_each_node(0, None, NODES, (), []) == []


def test_one_actor_waits_for_a_node_that_is_not_there_yet() -> None:
    everywhere = ("a", "b", "head")
    assert on_each_node(11, None, NODES, (), held(a=2, b=8)) == [Place(None, 1, everywhere)]
    assert on_each_node(11, 4, NODES, (), held(b=4)) == [Place(None, 4, everywhere)]  # "a" is too small
    assert on_each_node(20, None, NODES, (), [*held(a=2, b=8), WAITS]) == []


def test_what_others_have_of_a_node_is_waited_for() -> None:
    busy = [Node("a", 2, 1), Node("b", 8, 0)]
    assert on_each_node(9, None, busy, (), []) == [Place("a", 1), Place("b", 1), Place(None, 1, ("a", "b"))]
    there = [Held("a", 1, True), Held("b", 1, True), WAITS]
    assert on_each_node(4, None, busy, (), there) == [Place("a", 1)]
    assert on_each_node(9, None, [Node("a", 2, 0), Node("b", 8, 5)], (), there) == [
        Place("a", 1),
        Place("b", 5),
    ]
    waiting = [*there, Held("a", 1, False), Held("b", 1, False)]
    assert on_each_node(9, None, busy, (), waiting) == []
    assert on_each_node(9, 1, busy, (), there) == []  # as many as were asked for


def test_a_node_that_has_refused_is_not_asked_again() -> None:
    assert on_each_node(9, None, NODES, {"b"}, []) == [Place("a", 2), Place(None, 1, ("a", "b", "head"))]


def test_slots_are_placed_wherever_there_is_room() -> None:
    assert anywhere(5, 3, 2, 1) == [Place(None, 2)] * 2
    assert anywhere(0, 3, 2, 1) == []


def test_what_is_reserved_is_spelled_as_ray_has_it() -> None:
    found = options(Place(None, 2), {"GPU": 1, "memory": 100, "tpu": 0.5})
    assert found == {
        "num_cpus": 2,
        "num_gpus": 1,
        "memory": 100,
        "resources": {"tpu": 0.5},
        "max_restarts": 0,
        "max_task_retries": 0,
    }
