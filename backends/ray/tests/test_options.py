"""What is given to the backend is checked when it is made."""

from __future__ import annotations

from typing import Any

import pytest
from asyncflow_ray import RayBackend


@pytest.mark.parametrize(
    "given, error, told",
    [
        ({"address": 5}, TypeError, "address=5: the address of a Ray cluster is needed"),
        ({"slots": "2"}, TypeError, "slots='2'"),
        ({"slots": 0}, ValueError, "slots=0"),
        ({"cores": 1.5}, TypeError, "cores=1.5"),
        ({"workers": -1}, ValueError, "workers=-1"),
        ({"workers": 2, "slots": 2}, TypeError, "give either"),
        ({"resources": 3}, TypeError, "resources=3: a dict is needed"),
        (
            {"resources": {"GPU": "one"}},
            TypeError,
            "resources={'GPU': 'one'}: of 'GPU' a number above 0 is needed",
        ),
        ({"resources": {"GPU": -1}}, ValueError, "resources={'GPU': -1}"),
        ({"idle_after": -1}, ValueError, "idle_after"),
    ],
)
def test_an_option_of_no_use_is_told_by_its_name(
    given: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error) as caught:
        RayBackend(**given)
    assert told in str(caught.value)
