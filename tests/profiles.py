"""How many examples Hypothesis looks at: some hundred by hand, a third of it in each job of CI, and many in a soak.

CI runs the suite once for each Python, with other examples each time, so that together they look as long as one does
by hand. `HYPOTHESIS_PROFILE` names another profile: `HYPOTHESIS_PROFILE=soak pytest tests/core`.
"""

from __future__ import annotations

import os

from hypothesis import settings

_USUAL = 100
_EXAMPLES = {"ci": 35, "everyday": _USUAL, "soak": 20 * _USUAL}

for _name, _count in _EXAMPLES.items():
    settings.register_profile(_name, deadline=None, max_examples=_count, print_blob=True, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "everyday"))


def examples(count: int) -> settings:
    """As many examples, by hand; more or fewer in the proportion that the profile has chosen.

    Args:
        count: of examples in the profile `everyday`.
    """
    return settings(max_examples=max(1, count * settings().max_examples // _USUAL))
