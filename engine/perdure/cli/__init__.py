"""The command line: `perdure`, or `python -m perdure`."""

from .app import main

__all__ = ["main"]
