"""What a random history may want written, and how it becomes a batch."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

import attrs
from hypothesis import strategies as st

from perdure.backend import Batch, Consumption, Transition
from perdure.model import Status, StepRecord, Wait
from perdure.streams import Item

from .records import WHEN, end, item, step, wait

PLACES = (("", 1), ("", 2), ("1", 1), ("1", 2))
EVENTS = (2, 3)
"""At which of the places events are published."""
ITEMS = (("log", 0), ("log", 1), ("log", 3), ("other", 0))
"""The streams and offsets of what is written to them."""
STREAMS = ("log", "other")
MESSAGES = 3
"""How many messages a workflow may be sent."""
WORDS = "parked by a test"

Ending: TypeAlias = tuple[Status, str]
"""The status to leave, and when time wakes it, if it does."""


@attrs.frozen
class Piece:
    """What is wanted of one workflow.

    `lag`: by how much the writer's epoch is too old. `doubled`: each step twice. `takes`:
    which message the first step takes. `wake_at`: the count that wakes it. `knows`: of a
    request to cancel it. `items`: what it writes to streams.
    """

    workflow: int
    lag: int
    steps: frozenset[int]
    waits: frozenset[int]
    ending: Ending | None
    doubled: bool = False
    takes: int | None = None
    wake_at: int | None = None
    knows: bool = False
    items: frozenset[int] = frozenset()


ENDINGS: Sequence[Ending | None] = (
    *[None] * 5,
    (Status.SUCCESS, ""),
    (Status.ERROR, ""),
    (Status.CANCELLED, ""),
    (Status.PARKED, ""),
    (Status.ENQUEUED, ""),
    (Status.WAITING, "later"),
    (Status.WAITING, "past"),
    (Status.WAITING, "never"),
)
_SOME = st.frozensets(st.sampled_from(range(len(PLACES))), max_size=2)
_FEW = st.frozensets(st.sampled_from(range(len(ITEMS))), max_size=2)
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
        st.sampled_from([None, *range(MESSAGES)]),
        st.sampled_from([None, 1, 2, 3]),
        st.booleans(),
        _FEW,
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
            items=[self._item(piece, at) for piece in plan for at in sorted(piece.items)],
            consumptions=[each for piece in plan for each in self._consumptions(piece)],
            transitions=[self._transition(piece, piece.ending) for piece in plan if piece.ending],
        )

    def _step(self, piece: Piece, at: int) -> StepRecord:
        workflow, epoch = self._key(piece)
        branch, seq = PLACES[at]
        count = self._next()
        return step(
            workflow,
            seq,
            branch=branch,
            epoch=epoch,
            kind="event" if at in EVENTS else "step",
            output_json=f"{count}",
            completed_at=WHEN + timedelta(minutes=7 * count % 5),
        )

    def _consumptions(self, piece: Piece) -> list[Consumption]:
        if piece.takes is None or not piece.steps:
            return []
        workflow, epoch = self._key(piece)
        branch, seq = PLACES[min(piece.steps)]
        return [
            Consumption(
                workflow_id=workflow,
                branch=branch,
                seq=seq,
                epoch=epoch,
                message_id=f"m{piece.takes}",
            )
        ]

    def _wait(self, piece: Piece, at: int) -> Wait:
        workflow, epoch = self._key(piece)
        branch, seq = PLACES[at]
        due = WHEN.replace(year=2030 + self._next())
        return wait(workflow, seq, branch=branch, epoch=epoch, due=due)

    def _item(self, piece: Piece, at: int) -> Item:
        workflow, epoch = self._key(piece)
        stream, offset = ITEMS[at]
        return item(workflow, offset, stream=stream, epoch=epoch, value_json=f"{self._next()}")

    def _transition(self, piece: Piece, ending: Ending) -> Transition:
        workflow, epoch = self._key(piece)
        status, due = ending
        if status is Status.SUCCESS:
            return end(workflow, status, epoch=epoch, output_json=f"{self._next()}")
        if status is Status.WAITING:
            times = {"later": self.later, "past": WHEN}
            return end(
                workflow,
                status,
                epoch=epoch,
                run_at=times.get(due),
                wake_at=piece.wake_at,
                cancelling=piece.knows,
            )
        said = None if status is Status.ENQUEUED else WORDS
        return end(workflow, status, epoch=epoch, error_message=said)

    def _key(self, piece: Piece) -> tuple[str, int]:
        workflow, epoch = self.look(piece.workflow)
        return workflow, max(0, epoch - piece.lag)

    def _next(self) -> int:
        self._count += 1
        return self._count
