"""The reference: a backend in memory, small enough to be read as the specification."""

from .backend import MemoryBackend

__all__ = ["MemoryBackend"]
