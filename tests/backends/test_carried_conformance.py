"""The carried backend: the conformance suite over plain TCP, and what becomes of work when agents are lost."""

from __future__ import annotations

from asyncflow.backends.carried import CarriedBackend
from asyncflow.testing.conformance import BackendConformance


class TestCarried(BackendConformance):
    """Two agents on this machine, which share the workers between them."""

    shares_engine = True

    def make_backend(self) -> CarriedBackend:
        return CarriedBackend(agents=2, workers=max(1, self.workers // 2))
