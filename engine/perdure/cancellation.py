"""A request to end a workflow, on its way into the workflow's code."""

import attrs

KIND = "cancelled"
"""The step that records where the request struck."""


@attrs.define(eq=False)
class Cancellation:
    """What an attempt knows of it."""

    reason: str | None = None
    """None: nobody has asked for it."""
    struck: bool = False
    """The code has been told; what it does from now on is cleaning up."""
    unwinding: bool = False
    """The waits that it has struck are still there; the code has not moved on yet."""
    shields: int = 0
    """How many blocks are open that it must not strike."""

    @property
    def known(self) -> bool:
        """Whether the code has been told, or is not to be told yet."""
        return self.reason is not None and not self.pending

    @property
    def pending(self) -> bool:
        """Whether the code is to be told at its next step or wait."""
        return self.reason is not None and not self.struck and not self.shields
