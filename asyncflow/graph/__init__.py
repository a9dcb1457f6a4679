"""Graphs that are declared before they run: steps by name, which refer to one another by name."""

from .graph import Graph
from .steps import OutputRef, Ref, Step, ref, step

__all__ = ["Graph", "OutputRef", "Ref", "Step", "ref", "step"]
