"""The table of states: what is legal is accepted, what is not is refused and changes nothing."""

from __future__ import annotations

from collections import deque
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow._core import states
from asyncflow._core.lanes import Lane
from asyncflow._core.states import KEPT, LEGAL, NOW, STATES, STEP, TRANSITIONS, State, state_of, steps_of
from asyncflow._core.task import Task
from asyncflow.errors import AsyncflowError, ImpossibleTransition

from .kit import PlainTask, definition

ALIVE = [State.PENDING, State.READY, State.SUBMITTED, State.RUNNING, State.CANCELLING]
OVER = [State.SUCCEEDED, State.FAILED, State.UPSTREAM_FAILED, State.SKIPPED, State.CANCELLED]


def number(state: State) -> int:
    return STATES.index(state) + 1


def ways() -> dict[State, list[State]]:
    """A shortest legal way from PENDING to each state."""
    found = {State.PENDING: [State.PENDING]}
    queue = deque(found)
    while queue:
        here = queue.popleft()
        for following in sorted(TRANSITIONS[here], key=STATES.index):
            if following not in found:
                found[following] = [*found[here], following]
                queue.append(following)
    return found


WAYS = ways()


def brought_to(state: State) -> Task:
    task = PlainTask(7, definition("fit"), Lane("backend 'thread'"), (), {})
    for step in WAYS[state][1:]:
        task.enter(number(step))
    return task


LEGAL_STEPS = [(here, there) for here in STATES for there in STATES if there in TRANSITIONS[here]]
ILLEGAL_STEPS = [(here, there) for here, there in product(STATES, STATES) if there not in TRANSITIONS[here]]


def test_every_pair_of_states_is_either_legal_or_not() -> None:
    assert len(LEGAL_STEPS) + len(ILLEGAL_STEPS) == len(State) ** 2
    assert LEGAL_STEPS and ILLEGAL_STEPS


@pytest.mark.parametrize(("here", "there"), LEGAL_STEPS)
def test_a_legal_step_is_made_and_told(here: State, there: State) -> None:
    task = brought_to(here)
    task.enter(number(there))
    assert task.state is there
    assert steps_of(task.story) == [*WAYS[here], there]


@pytest.mark.parametrize(("here", "there"), ILLEGAL_STEPS)
def test_an_illegal_step_raises_with_the_story_and_changes_nothing(here: State, there: State) -> None:
    task = brought_to(here)
    before = task.story
    with pytest.raises(ImpossibleTransition) as caught:
        task.enter(number(there))
    assert task.story == before
    told = " -> ".join(WAYS[here])
    assert str(caught.value) == (
        f"'fit' (#7) cannot become {there}. Its story: {told}.\n  This is a bug in asyncflow."
    )
    assert isinstance(caught.value, AsyncflowError)


def test_the_table_names_every_state_and_no_other() -> None:
    assert list(TRANSITIONS) == list(State)
    assert set().union(*TRANSITIONS.values()) <= set(State)


def test_every_state_can_be_reached_from_pending() -> None:
    assert set(WAYS) == set(State)


def test_every_living_state_can_end_and_nothing_follows_an_end() -> None:
    assert [state for state in State if not state.terminal] == ALIVE
    assert [state for state in State if state.terminal] == OVER
    for state in ALIVE:
        reached, queue = {state}, deque([state])
        while queue:
            new = TRANSITIONS[queue.popleft()] - reached
            reached |= new
            queue.extend(new)
        assert reached & set(OVER)


def test_only_a_task_that_is_given_back_or_tried_again_goes_backwards() -> None:
    backwards = {(here, there) for here, there in LEGAL_STEPS if number(there) < number(here)}
    given_back = {(State.SUBMITTED, State.PENDING), (State.SUBMITTED, State.READY)}
    assert backwards == given_back | {(State.RUNNING, State.READY)}


def test_work_that_is_being_stopped_can_only_stop() -> None:
    because_of_others = {State.UPSTREAM_FAILED, State.SKIPPED}  # it was handed out in a chain
    assert TRANSITIONS[State.CANCELLING] == {State.CANCELLED, State.FAILED} | because_of_others


def test_no_value_comes_from_work_that_was_never_handed_out() -> None:
    assert {here for here, there in LEGAL_STEPS if there is State.SUCCEEDED} == {
        State.SUBMITTED,
        State.RUNNING,
    }


def test_what_began_cannot_end_because_of_others() -> None:
    before = {end: {here for here, there in LEGAL_STEPS if there is end} for end in OVER}
    # CANCELLING: it was handed out in a chain behind what failed
    assert before[State.UPSTREAM_FAILED] == {State.PENDING, State.CANCELLING}


def test_a_task_can_skip_itself_only_when_it_was_handed_out() -> None:
    before = {here for here, there in LEGAL_STEPS if there is State.SKIPPED}
    assert before - {State.PENDING, State.CANCELLING} == {State.SUBMITTED, State.RUNNING}


def test_the_integers_and_the_names_are_the_same_states() -> None:
    assert {name: getattr(states, name) for name in State.__members__} == {
        state.name: number(state) for state in State
    }
    assert {number(state) for state in State} <= set(range(1, NOW + 1))
    assert NOW < 1 << STEP


def test_the_integers_are_ordered_from_alive_through_given_up_to_over() -> None:
    # the scheduler asks "< CANCELLING" and "> CANCELLING"
    assert [number(state) for state in ALIVE] == [1, 2, 3, 4, states.CANCELLING]
    assert all(number(state) > states.CANCELLING for state in OVER)


def test_the_bits_that_are_asked_are_the_table() -> None:
    asked = {here: {there for there in State if LEGAL[number(here)] >> number(there) & 1} for here in State}
    assert asked == TRANSITIONS
    assert LEGAL[0] == 0


def test_a_state_reads_as_its_name() -> None:
    for state in State:
        assert f"{state}" == str(state) == state.value == state.name
        assert state == state.name


@given(st.lists(st.sampled_from(list(State)), min_size=1, max_size=16))
def test_a_story_of_up_to_sixteen_steps_is_told_whole(steps: list[State]) -> None:
    story = 0
    for step in steps:
        story = (story << STEP | number(step)) & KEPT
    assert steps_of(story) == steps
    assert state_of(story) is steps[-1]


@given(st.data())
def test_a_long_story_keeps_its_last_sixteen_steps(data: st.DataObject) -> None:
    task = brought_to(State.PENDING)
    walked = [State.PENDING]
    while TRANSITIONS[walked[-1]] and len(walked) < 60:
        # READY and SUBMITTED over and over: a backend may give a task back as often as it likes
        ahead = [state for state in (State.READY, State.SUBMITTED) if state in TRANSITIONS[walked[-1]]]
        go_on = len(walked) < 50
        choices = ahead if go_on and ahead else sorted(TRANSITIONS[walked[-1]], key=STATES.index)
        walked.append(data.draw(st.sampled_from(choices)))
        task.enter(number(walked[-1]))
    assert len(walked) > 50
    assert steps_of(task.story) == walked[-16:]
    assert task.state is walked[-1]
    assert task.story.bit_length() <= 16 * STEP


def test_an_empty_story_has_no_steps() -> None:
    assert steps_of(0) == []


def test_a_task_is_shown_by_its_name_number_and_state() -> None:
    assert repr(brought_to(State.CANCELLING)) == "<Task fit#7 CANCELLING>"
