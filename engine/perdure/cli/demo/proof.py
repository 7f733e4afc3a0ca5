"""The proof: what the tables hold, against what was asked for. Pure, so that it can be tested."""

from collections import Counter
from collections.abc import Collection, Iterable

import attrs

Piece = tuple[str, str]
"""A workflow's id and the name of one of its steps."""


@attrs.frozen(kw_only=True)
class Proof:
    """How the recorded steps differ from the expected ones."""

    steps: int
    """Records in the table."""
    lost: int
    """Expected and not recorded."""
    duplicated: int
    """Recorded more often than expected."""


def prove(recorded: Iterable[Piece], *, ids: Collection[str], steps: Collection[str]) -> Proof:
    """Compare multisets: each step of each workflow, exactly once, and nothing else."""
    found = Counter(recorded)
    expected = Counter((key, step) for key in ids for step in steps)
    return Proof(
        steps=found.total(),
        lost=(expected - found).total(),
        duplicated=(found - expected).total(),
    )


@attrs.frozen(kw_only=True)
class Bodies:
    """How often step bodies ran, as they said themselves."""

    by_process: Counter[int]
    repeated: int
    """Runs beyond the first of a step."""

    @classmethod
    def read(cls, log: str) -> "Bodies":
        """From the log, one line for each run: process, workflow, step."""
        lines = [line.split("\t") for line in log.splitlines()]
        pieces = Counter((key, step) for _, key, step in lines)
        return cls(
            by_process=Counter(int(pid) for pid, _, _ in lines),
            repeated=pieces.total() - len(pieces),
        )
