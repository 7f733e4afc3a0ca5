"""What a random history may want written, and how it becomes a batch."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeAlias

import attrs
from hypothesis import strategies as st

from perdure.backend import Batch, Transition
from perdure.model import Status, StepRecord, Wait

from .records import WHEN, end, step, wait

PLACES = (("", 1), ("", 2), ("1", 1))
WORDS = "parked by a test"

Ending: TypeAlias = tuple[Status, bool]
"""The status to leave, and whether its due time, if it has one, is still to come."""


@attrs.frozen
class Piece:
    """What is wanted of one workflow.

    `lag`: by how much the writer's epoch is too old. `doubled`: each step twice.
    """

    workflow: int
    lag: int
    steps: frozenset[int]
    waits: frozenset[int]
    ending: Ending | None
    doubled: bool = False


ENDINGS: Sequence[Ending | None] = (
    *[None] * 5,
    (Status.SUCCESS, False),
    (Status.ERROR, False),
    (Status.PARKED, False),
    (Status.ENQUEUED, False),
    (Status.WAITING, True),
    (Status.WAITING, False),
)
_SOME = st.frozensets(st.sampled_from(range(len(PLACES))), max_size=2)
_LAG = st.sampled_from([0, 0, 0, 0, 1, 2, -1])


def plans(workflows: int) -> st.SearchStrategy[list[Piece]]:
    """Batches over so many workflows."""
    pieces = st.builds(
        Piece,
        st.sampled_from(range(workflows)),
        _LAG,
        _SOME,
        _SOME,
        st.sampled_from(ENDINGS),
        st.sampled_from([False, False, False, True]),
    )
    return st.lists(pieces, min_size=1, max_size=3, unique_by=lambda piece: piece.workflow)


@attrs.define
class Writer:
    """Makes batches in which no two records are the same.

    `look` tells the id and the epoch of a workflow by its number.
    """

    look: Callable[[int], tuple[str, int]]
    later: datetime
    _count: int = 0

    def batch(self, plan: Sequence[Piece]) -> Batch:
        """The batch that the plan means now."""
        return Batch(
            steps=[
                self._step(piece, at)
                for piece in plan
                for at in sorted(piece.steps)
                for _ in range(2 if piece.doubled else 1)
            ],
            waits=[self._wait(piece, at) for piece in plan for at in sorted(piece.waits)],
            transitions=[self._transition(piece, piece.ending) for piece in plan if piece.ending],
        )

    def _step(self, piece: Piece, at: int) -> StepRecord:
        workflow, epoch = self._key(piece)
        branch, seq = PLACES[at]
        output = f"{self._next()}"
        return step(workflow, seq, branch=branch, epoch=epoch, output_json=output)

    def _wait(self, piece: Piece, at: int) -> Wait:
        workflow, epoch = self._key(piece)
        branch, seq = PLACES[at]
        due = WHEN.replace(year=2030 + self._next())
        return wait(workflow, seq, branch=branch, epoch=epoch, due=due)

    def _transition(self, piece: Piece, ending: Ending) -> Transition:
        workflow, epoch = self._key(piece)
        status, later = ending
        if status is Status.SUCCESS:
            return end(workflow, status, epoch=epoch, output_json=f"{self._next()}")
        if status is Status.WAITING:
            return end(workflow, status, epoch=epoch, run_at=self.later if later else WHEN)
        said = None if status is Status.ENQUEUED else WORDS
        return end(workflow, status, epoch=epoch, error_message=said)

    def _key(self, piece: Piece) -> tuple[str, int]:
        workflow, epoch = self.look(piece.workflow)
        return workflow, max(0, epoch - piece.lag)

    def _next(self) -> int:
        self._count += 1
        return self._count
