"""`perdure demo`: two workers, one killed half way, and the proof that nothing was lost."""

from .command import demo

__all__ = ["demo"]
