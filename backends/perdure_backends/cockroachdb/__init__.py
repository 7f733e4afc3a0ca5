"""CockroachDB."""

from .backend import CockroachBackend

__all__ = ["CockroachBackend"]
