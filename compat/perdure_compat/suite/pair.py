"""The backend under test beside the reference: the same calls, and answers to compare."""

from collections.abc import Callable, Collection, Sequence
from itertools import cycle
from typing import Any, TypeVar

from perdure.backend import (
    Backend,
    Batch,
    Claimed,
    Committed,
    Lane,
    Peer,
    Pulse,
    Reaped,
    Recovery,
)
from perdure.model import WorkflowRecord
from perdure_compat.reference import MemoryBackend
from perdure_compat.reference.workflows import turn

from .likeness import APART, alike, worded
from .plans import WORDS
from .records import AT_ONCE
from .watch import Sight

T = TypeVar("T")

ALL = 10_000
"""A limit that no history reaches: which ones a smaller one takes is not always promised."""


def _as_it_is(answer: Any) -> Any:
    return answer


class Pair:
    """Two worlds that must look the same, as far as the ids of one history go."""

    def __init__(self, judged: Sequence[Backend], *, prefix: str) -> None:
        self._judged = cycle(judged)
        self._ordered = "ordered_claims" not in judged[0].capabilities.missing
        self._prefix = prefix
        self.reference = MemoryBackend("memory://")
        self.reference.migrate()
        self.seen = Sight()

    def ask(self, verb: Callable[[Backend], T], tidy: Callable[[T], object] = _as_it_is) -> T:
        """Call both; what is under test must answer like the reference."""
        theirs, ours = verb(next(self._judged)), verb(self.reference)
        assert alike(tidy(theirs), tidy(ours)), f"told {theirs!r}, and the reference {ours!r}"
        return theirs

    def look(self, ids: Collection[str]) -> tuple[Sight, Sight]:
        """What was to be seen before, and what is now; both worlds look the same."""
        judged = next(self._judged)
        now = Sight.of(judged.load(ids), judged.history(ids))
        ours = Sight.of(self.reference.load(ids), self.reference.history(ids))
        for key, one in ours.workflows.items():
            there = now.workflows.get(key)
            assert there is not None, f"{key} is missing"
            assert alike(_worded(there), _worded(one)), f"there is {there}, not {one}"
        assert now.workflows.keys() == ours.workflows.keys()
        assert alike(now.steps, ours.steps), f"there is {now.steps}, not {ours.steps}"
        assert alike(now.waits, ours.waits), f"there is {now.waits}, not {ours.waits}"
        before, self.seen = self.seen, now
        return before, now

    # --------------------------------------------------------------- verbs

    def heartbeat(self, verb: Callable[[Backend], Pulse | None]) -> tuple[list[Peer], list[Peer]]:
        """The peers of this history as each world's worker sees them."""
        theirs, ours = verb(next(self._judged)), verb(self.reference)
        if theirs is None or ours is None:
            assert theirs is ours, f"told {theirs!r}, and the reference {ours!r}"
            return [], []
        assert alike(theirs.now, ours.now)
        assert theirs.orphans == ours.orphans, f"orphans: {theirs.orphans}, not {ours.orphans}"
        self._compare_due(theirs, ours)
        one, other = self._mine(theirs), self._mine(ours)
        leases = [{p.worker_id: p.lease_until for p in each} for each in (one, other)]
        assert alike(*leases), f"peers {one}, not {other}"
        return one, other

    def _compare_due(self, theirs: Pulse, ours: Pulse) -> None:
        # Earlier histories may have left something that is due in years.
        if ours.next_due is not None:
            assert theirs.next_due is not None, "something waits"
            assert theirs.next_due < ours.next_due + APART
            if ours.next_due < ours.now:
                assert alike(theirs.next_due, ours.next_due)

    def _mine(self, pulse: Pulse) -> list[Peer]:
        mine = [peer for peer in pulse.peers if peer.worker_id.startswith(self._prefix)]
        return sorted(mine, key=lambda peer: peer.worker_id)

    def reap(
        self, seen: tuple[list[Peer], list[Peer]], *, recovery: Recovery, **how: Any
    ) -> Reaped:
        """Each world judges by what was seen in it."""
        theirs = next(self._judged).reap(seen[0], recovery=recovery, limit=ALL, **how)
        ours = self.reference.reap(seen[1], recovery=recovery, limit=ALL, **how)
        assert sorted(theirs.workers) == sorted(ours.workers), f"dead: {theirs}, not {ours}"
        assert theirs.workflows == ours.workflows, f"recovered: {theirs}, not {ours}"
        return theirs

    def claim(
        self, worker_id: str, lanes: Sequence[Lane], *, limit: int, suspects: bool
    ) -> Sequence[Claimed]:
        """Who has no order to keep chooses first, and the reference chooses the same."""
        theirs = next(self._judged).claim(worker_id, lanes, limit=limit, suspects=suspects)
        self.reference.turn = self._turn([one.id for one in theirs])
        ours = self.reference.claim(worker_id, lanes, limit=limit, suspects=suspects)
        if not self._ordered:
            theirs = sorted(theirs, key=lambda one: one.id)
            ours = sorted(ours, key=lambda one: one.id)
        assert alike(theirs, ours), f"claimed {theirs!r}, and the reference {ours!r}"
        return theirs

    def _turn(self, chosen: Collection[str]) -> Callable[[WorkflowRecord], Any]:
        if not self._ordered:
            return lambda one: (one.id not in chosen, turn(one))
        # Their times decide: two clocks may not agree on which came first.
        there = self.seen.workflows
        return lambda one: turn(there[one.id])

    def commit(self, worker_id: str, batch: Batch) -> Committed:
        """Write a batch in both worlds."""
        return self.ask(lambda backend: backend.commit(worker_id, batch))

    def end(self, workers: Collection[str]) -> None:
        """Leave nothing behind that a later history could see."""
        judged = next(self._judged)
        for worker_id in workers:
            judged.leave(worker_id)
        last = Recovery(max_strikes=1, backoff=AT_ONCE)
        judged.reap([], margin=AT_ONCE, recovery=last, limit=ALL)
        judged.wake(limit=ALL)


def _worded(workflow: WorkflowRecord) -> WorkflowRecord:
    return worded(workflow, ours=WORDS)
