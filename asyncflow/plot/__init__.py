"""Pictures: of graphs and of runs, as text, SVG, PNG and pages. Layout and PNG need the extra ``plot``."""

from .drawing import Drawing

__all__ = ["Drawing"]
