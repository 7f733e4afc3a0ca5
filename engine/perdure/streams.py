"""Logs that workflows write while they run, and anybody reads.

A part of the seam, under the rules of `backend`.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import attrs


@attrs.define(kw_only=True, unsafe_hash=True)
class Item:
    """One item of a stream. The first with an offset counts, for each workflow and stream."""

    workflow_id: str
    stream: str
    offset: int
    """Grows with each item of the stream, also from epoch to epoch; it has holes."""
    place: str
    """The step in whose body it was written; empty for the workflow's own code."""
    attempt: int
    """Grows with each try of that step."""
    value_json: str | None
    closes: bool
    """It holds no value: nothing comes after it."""
    epoch: int

    @property
    def size(self) -> int:
        """How many characters of text it carries."""
        return len(self.value_json or "")


@attrs.frozen(kw_only=True)
class Reading:
    """A stream, and what was read of it already."""

    workflow_id: str
    stream: str
    after: int
    """The last offset that was read; -1 before the first."""


class Streams(ABC):
    """A database's way of keeping streams. Items are written by `commit`."""

    @abstractmethod
    def read(self, readings: Sequence[Reading], *, limit: int) -> Sequence[Item]:
        """Up to `limit` items of each stream, the first after an offset, in the order of offsets.

        What a workflow writes becomes visible in that order, so that no later read brings an
        item before one that was read. A workflow or a stream that does not exist has none.
        """
