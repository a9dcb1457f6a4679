"""The version of asyncflow."""

__version__ = "0.1.0"
