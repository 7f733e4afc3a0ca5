"""A mutant: what is wrong with it, and which test must say so."""

import attrs

from .changes import Change


@attrs.frozen(kw_only=True)
class Mutant:
    """A backend that is right but for one change."""

    name: str
    wrong: str
    """The mistake, in a sentence."""
    change: Change
    noun: str
    caught_by: str
    """The test of the suite, under this noun, that must fail; with its parameters, or any."""

    @property
    def scheme(self) -> str:
        """By which its URL chooses it."""
        return f"mutant-{self.name}"

    @property
    def attribute(self) -> str:
        """What its class is called in this module."""
        return self.name.replace("-", "_")
