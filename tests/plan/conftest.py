"""How long Hypothesis looks. `HYPOTHESIS_PROFILE=soak pytest tests/plan` looks twenty times as long."""

import os

from hypothesis import settings

settings.register_profile("everyday", deadline=None, max_examples=100, print_blob=True)
settings.register_profile("soak", deadline=None, max_examples=2_000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "everyday"))
