"""Lines of execution in an attempt, and the places of their steps.

A `Branch` numbers the steps of one line. The root is `''`; each asyncio task
started in a workflow gets a branch of its own, named in creation order.
"""

import asyncio
from datetime import datetime
from typing import NoReturn

import attrs

from .attempt import Abandoned, Attempt
from .cancellation import KIND
from .codec import PORTABLE
from .errors import NonDeterminism
from .history import match
from .model import StepRecord, Wait


@attrs.define(eq=False)
class Branch:
    """One line of execution in an attempt, and its counters."""

    attempt: Attempt
    path: str = ""
    parent: "Branch | None" = None
    seq: int = 0
    children: int = 0
    draws: int = 0
    _alive: bool = True
    _waits: int = 0
    _live: int = 0
    """How many branches that began in it have not ended."""
    _holds: int = 0
    """How often it has said that it goes on, whatever runs beside."""

    def draw(self) -> "Slot":
        """The next step's place."""
        self.seq += 1
        return Slot(self.attempt, self.path, self.seq, self)

    def fork(self) -> "Branch":
        """The branch of the next concurrent line."""
        self.children += 1
        path = f"{self.path}.{self.children}" if self.path else str(self.children)
        return Branch(self.attempt, path, self)

    def draw_random(self) -> str:
        """A seed that is the same on every replay, and different at each call."""
        self.draws += 1
        return f"{self.attempt.id}\0{self.path}\0{self.draws}"

    def strike(self) -> None:
        """Record, on the root, that the request to cancel strikes now; the caller unwinds.

        A replay lets it strike at the same place: where the first step is that was
        not recorded, or, if there was none under way, here.
        """
        attempt = self.attempt
        attempt.cancellation.struck = True
        slot = self.draw()
        if (slot.branch, slot.seq) not in attempt.steps:
            now = attempt.host.now()
            attempt.record(
                StepRecord(
                    workflow_id=attempt.id,
                    branch=slot.branch,
                    seq=slot.seq,
                    name=KIND,
                    kind=KIND,
                    status="success",
                    output_json=PORTABLE.dump(attempt.cancellation.reason),
                    error_json=None,
                    error_message=None,
                    attempts=1,
                    started_at=now,
                    completed_at=now,
                    epoch=attempt.epoch,
                )
            )
        attempt.host.struck(attempt)

    # ------------------------------------------- of an async workflow, on the loop

    def begin(self) -> None:
        """It runs from now on, beside the line that began it."""
        self.attempt.rest.active += 1
        self.attempt.rest.moves += 1
        if self.parent is not None:
            self.parent.change(live=+1)

    def end(self) -> None:
        """It has ended; the line that began it goes on, if nothing else runs beside."""
        self.change(alive=False)
        if self.parent is not None:
            self.parent.change(live=-1)
        self.attempt.rest.look()

    def wait(self, by: int) -> None:
        """It enters (+1) or leaves (-1) a durable wait."""
        self.change(waits=by)

    def hold(self, by: int) -> None:
        """It goes on (+1), though others that it began have not ended; no longer (-1)."""
        self.change(holds=by)

    def change(self, *, alive: bool = True, waits: int = 0, live: int = 0, holds: int = 0) -> None:
        before = self._active()
        self._alive &= alive
        self._waits += waits
        self._live += live
        self._holds += holds
        self.attempt.rest.active += self._active() - before
        self.attempt.rest.moves += 1

    def _active(self) -> bool:
        # Who has started others and does not wait itself waits for them, as far as can be seen.
        return self._alive and not self._waits and (not self._live or self._holds > 0)


@attrs.define(eq=False)
class Slot:
    """The place of one step: an attempt, a branch, a number."""

    attempt: Attempt
    branch: str
    seq: int
    line: Branch

    @property
    def place(self) -> str:
        """The branch and the number: `3`, or `1.2:3`."""
        return f"{self.branch}:{self.seq}" if self.branch else str(self.seq)

    @property
    def key(self) -> str:
        """Names the step for the outside world; the same at every try and every replay."""
        return f"{self.attempt.id}#{self.place}"

    def recorded(self, *, name: str, kind: str) -> StepRecord | None:
        """What is recorded here, if it is what the code asks for.

        Raises:
            Abandoned: it is something else; the workflow is parked.
            CancelledError: the request to cancel struck here, before the code asked.
        """
        record = self.attempt.steps.get((self.branch, self.seq))
        if record is not None and (record.name, record.kind) != (name, kind):
            self._astray(record, name, kind)
        return record

    def _astray(self, record: StepRecord, name: str, kind: str) -> NoReturn:
        if record.kind == KIND and self.attempt.cancellation.pending:
            self.line.seq -= 1  # that draw has not happened
            self.line.strike()
            raise asyncio.CancelledError
        try:
            match(record, name=name, kind=kind)
        except NonDeterminism as error:
            self.attempt.park(error)
            raise Abandoned from error
        raise AssertionError(record)

    def due(self, kind: str, first: datetime) -> datetime:
        """When the wait here is over: the first arrival has said it for good."""
        due = self.attempt.dues.get((self.branch, self.seq))
        if due is None:
            due = first
            self._remember(self.branch, self.seq, kind, due)
        return due

    # A step's tries are a line of their own: the wait after each has a place in it.

    def tries(self) -> int:
        """How many tries of the step here have failed, as far as their back-off is recorded."""
        line = self._tries
        return max((seq for branch, seq in self.attempt.dues if branch == line), default=0)

    def back_off(self, number: int, until: datetime) -> datetime:
        """When the try after that number may begin: recorded when it was first said."""
        due = self.attempt.dues.get((self._tries, number))
        if due is None:
            due = until
            self._remember(self._tries, number, "retry", due)
        return due

    @property
    def _tries(self) -> str:
        return f"{self.branch}#{self.seq}"

    def _remember(self, branch: str, seq: int, kind: str, due: datetime) -> None:
        attempt = self.attempt
        attempt.record(
            Wait(
                workflow_id=attempt.id,
                branch=branch,
                seq=seq,
                kind=kind,
                due=due,
                epoch=attempt.epoch,
            )
        )
