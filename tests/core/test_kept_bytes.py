"""What fits into the memory of a machine is kept there, and no more."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from asyncflow._core.kept_bytes import bound, fits

SIZES = st.lists(st.integers(0, 10**12), max_size=30)


@given(SIZES, st.integers(0, 10**13), st.integers(1, 64))
def test_all_agents_of_a_machine_together_keep_no_more_than_half_of_its_memory(
    sizes: list[int], memory: int, agents: int
) -> None:
    most = bound(memory, agents)
    held = 0
    for size in sizes:
        if fits(size, held, most):
            held += size
    assert agents * held <= memory / 2


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_what_fits_exactly_is_kept(size: int, held: int) -> None:
    assert fits(max(size, 1), held, held + max(size, 1))
    assert not fits(size, held, held + max(size, 1) - 1)
    assert not fits(0, held, held)
