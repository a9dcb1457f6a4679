"""The conformance suite: what the engine expects of a backend, as tests.

    from asyncflow.testing.conformance import BackendConformance

    class TestDask(BackendConformance):
        def make_backend(self):
            return DaskBackend(workers=self.workers)

It needs pytest with pytest-asyncio, and the mark ``soak`` registered: cases that take minutes carry it, so that
``-m "not soak"`` is the everyday run. Cases choose themselves by what the backend declares that it can do. After each
one the same is asked: the error arrived on the right future, the next tasks work, and nothing is left behind. No
case may hang: one that does is ended with the stacks of all threads.
"""

import pkgutil

import pytest

# Before these are imported, or their asserts would say only "AssertionError".
pytest.register_assert_rewrite(*(f"{__name__}.{theme.name}" for theme in pkgutil.iter_modules(__path__)))

from ._amounts import Amounts  # noqa: E402
from ._awaits import Awaits  # noqa: E402
from ._base import Conformance, looked_after  # noqa: E402
from ._cancels import Cancels  # noqa: E402
from ._chains import Chains  # noqa: E402
from ._contract import Contract  # noqa: E402
from ._failures import Failures, Values  # noqa: E402
from ._graphs import Graphs  # noqa: E402
from ._inside import Inside  # noqa: E402
from ._kept import KeptResults  # noqa: E402
from ._lives import Lives, Scripts  # noqa: E402
from ._loads import Loads  # noqa: E402
from ._policies import Policies  # noqa: E402
from ._processes import Processes  # noqa: E402
from ._raw import Piece, Record  # noqa: E402
from ._reports import Reports  # noqa: E402
from ._stops import Stops  # noqa: E402
from ._streams import Generators, GeneratorsElsewhere, GeneratorsRefused, Streams  # noqa: E402

__all__ = ["BackendConformance", "Conformance", "Piece", "Record", "looked_after"]


class BackendConformance(
    Contract,
    Chains,
    KeptResults,
    Stops,
    Graphs,
    Failures,
    Values,
    Inside,
    Cancels,
    Awaits,
    Policies,
    Processes,
    Lives,
    Loads,
    Reports,
    Amounts,
    Streams,
    Generators,
    GeneratorsElsewhere,
    GeneratorsRefused,
    Scripts,
):
    """All cases. A subclass has a method ``make_backend`` and may set:

    Attributes:
        workers: how many pieces of work the backend of `make_backend` runs at once; 1 only if it is sequential.
        executes: False if it calls no function and its results are stand-ins.
        patience: seconds after which a case is taken to hang.
        grace: seconds that an engine's shutdown gives it; more than the patience, so that to use it up is to hang.
        excused: cases that it cannot pass, by name, each with the reason.
        shares_engine: True to have one engine for all cases that need none of their own, where starting one is slow. It
            runs on a loop of its own; after each case the next tasks work on it, and nothing is left but it.
    """
