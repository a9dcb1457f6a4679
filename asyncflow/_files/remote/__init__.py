"""Files of places that have a URL, through fsspec, which is loaded when first needed."""

from .transfers import Remote

__all__ = ["Remote"]
