"""Calls: a verb and its arguments, to be made on a backend and in a possible world."""

from collections.abc import Callable, Collection, Mapping, Sequence
from enum import StrEnum
from typing import Any

import attrs

from perdure.backend import Backend, Peer, Pulse, Reaped
from perdure.errors import OutcomeUnknown
from perdure.model import Status, WorkflowRecord
from perdure_compat.reference.workflows import turn

from .likeness import APART, alike, reasoned
from .spelled import call as spelled_call
from .watch import Sight
from .worlds import World

ALL = 10_000
"""A limit that no history reaches."""


class Unknown:
    """No answer came: the call may have taken effect, or not."""

    def __repr__(self) -> str:
        return "no answer"


UNKNOWN = Unknown()


class Way(StrEnum):
    """How often a call took effect, whoever heard of it."""

    NEVER = "never happened"
    ONCE = "happened"
    TWICE = "happened twice"
    PART = "only applied wake-ups"
    DUE = "only woke who was due"
    PARTS = "cancelled nothing"
    HALF = "only declared deaths"
    HALF_AND_ONCE = "declared deaths, then happened"
    ONCE_AND_HALF = "happened, then recovered once more"


@attrs.frozen(kw_only=True)
class Outcome:
    """What is known of a call that was made."""

    told: Any = UNKNOWN
    struck: bool = False
    """Something failed on the way, so the backend may have tried twice."""
    error: Exception | None = None
    before: Sight | None = None
    """What there was before, if a look showed it and nothing was called since."""
    after: Sight | None = None
    """What there is now, if somebody looked."""


def _as_it_is(answer: Any) -> Any:
    return answer


@attrs.frozen(kw_only=True)
class Call:
    """One call, which can be made again with the same arguments."""

    verb: str
    args: tuple[Any, ...] = ()
    how: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    worker: str | None = None
    """On whose behalf."""
    tidy: Callable[[Any], object] = _as_it_is
    """What of the answer is promised."""
    reads: bool = False

    def __str__(self) -> str:
        return spelled_call(self.verb, self.args, self.how)

    @property
    def repeatable(self) -> bool:
        """Whether it may be sent again after a lost answer."""
        return True

    def on(self, backend: Backend) -> Any:
        """Make the call."""
        return getattr(backend, self.verb)(*self.args, **self.how)

    def hidden(self, outcome: Outcome) -> bool:  # noqa: ARG002 (for overriding)
        """Whether only a look can tell which workflows it took."""
        return False

    def ways(self, outcome: Outcome) -> Sequence[Way]:
        """How it may have taken effect, as far as its caller knows."""
        heard = [Way.NEVER, Way.ONCE] if outcome.told is UNKNOWN else [Way.ONCE]
        return [*heard, Way.TWICE] if outcome.struck else heard

    def play(self, world: World, way: Way, outcome: Outcome) -> Any:  # noqa: ARG002 (for overriding)
        """Let it take effect in that way in a world; the last answer."""
        times = {Way.NEVER: 0, Way.ONCE: 1}.get(way, 2)
        answers = [self.on(world.reference) for _ in range(times)]
        return answers[-1] if answers else UNKNOWN

    def agrees(self, world: World, outcome: Outcome, ours: Any) -> bool:  # noqa: ARG002 (for overriding)
        """Whether the answer is what the world's own would be."""
        return alike(self.tidy(outcome.told), self.tidy(ours))


# ---------------------------------------------------------------- choice


def left(world: World, after: Sight | None, *statuses: Status) -> set[str]:
    """What is in these statuses in a world, and is not where somebody looked."""
    there = (after or Sight()).workflows
    return {
        key
        for key, one in world.reference.store.workflows.items()
        if one.status in statuses and key in there and there[key].status not in statuses
    }


def first(
    chosen: Collection[str], before: Sight | None, line: Callable[[WorkflowRecord], Any]
) -> Callable[[WorkflowRecord], Any]:
    """Those that were chosen first: among equals, or among all if nobody looked before."""
    if before is None:
        return lambda one: (one.id not in chosen, line(one))
    # Their times decide: two clocks may not agree on which came first.
    there = before.workflows
    return lambda one: (line(there.get(one.id, one)), one.id not in chosen)


# ------------------------------------------------------------- heartbeat


@attrs.frozen(kw_only=True)
class Heartbeat(Call):
    """Each world has peers of its own, whose beats need not be the same numbers."""

    prefix: str
    """How the ids of this history's workers begin."""
    verb: str = "heartbeat"

    def agrees(self, world: World, outcome: Outcome, ours: Pulse | None) -> bool:
        told: Pulse | None = outcome.told
        if told is None or ours is None:
            return told is ours and world.told([], [])
        one, other = self.mine(told), self.mine(ours)
        leases = [{p.worker_id: p.lease_until for p in each} for each in (one, other)]
        return (
            alike(told.now, ours.now)
            and told.orphans == ours.orphans
            and told.outbox >= ours.outbox
            and _same_due(told, ours)
            and alike(*leases)
            and world.told(one, other)
        )

    def mine(self, pulse: Pulse | None) -> list[Peer]:
        """The peers of this history."""
        peers = pulse.peers if pulse else ()
        mine = [peer for peer in peers if peer.worker_id.startswith(self.prefix)]
        return sorted(mine, key=lambda peer: peer.worker_id)


def _same_due(told: Pulse, ours: Pulse) -> bool:
    # Earlier histories may have left something that is due in years.
    if ours.next_due is None:
        return True
    if told.next_due is None or told.next_due >= ours.next_due + APART:
        return False
    return ours.next_due >= ours.now or alike(told.next_due, ours.next_due)


# ------------------------------------------------------------------ reap


@attrs.frozen(kw_only=True)
class Reap(Call):
    """Two transactions; each world judges by what was witnessed in it."""

    witness: int
    """Which of the heartbeats showed the peers."""
    verb: str = "reap"

    def hidden(self, outcome: Outcome) -> bool:
        unclear = outcome.told is UNKNOWN or outcome.struck
        return bool(unclear and self.how["limit"] < ALL)

    def ways(self, outcome: Outcome) -> Sequence[Way]:
        ways = super().ways(outcome)
        if outcome.told is UNKNOWN:
            return [*ways, Way.HALF]
        return [*ways, Way.HALF_AND_ONCE, Way.ONCE_AND_HALF] if outcome.struck else ways

    def play(self, world: World, way: Way, outcome: Outcome) -> Any:
        told = set[str]() if outcome.told is UNKNOWN else set[str](outcome.told.workflows)
        moved = left(world, outcome.after, Status.RUNNING) or told
        # An answer names the last of them.
        world.reference.choice = lambda one: (one.id not in moved, one.id in told)
        match way:
            case Way.HALF:
                return self._once(world, limit=0)
            case Way.HALF_AND_ONCE:
                self._once(world, limit=0)
                return self._once(world)
            case Way.ONCE_AND_HALF:
                dead = self._once(world).workers
                return Reaped(workers=dead, workflows=self._once(world).workflows)
            case _:
                times = {Way.NEVER: 0, Way.ONCE: 1}.get(way, 2)
                answers = [self._once(world) for _ in range(times)]
                return answers[-1] if answers else UNKNOWN

    def _once(self, world: World, **how: Any) -> Reaped:
        return world.reference.reap(world.witnessed[self.witness], **{**self.how, **how})

    def agrees(self, world: World, outcome: Outcome, ours: Reaped) -> bool:  # noqa: ARG002 (for overriding)
        told: Reaped = outcome.told
        same = sorted(told.workers) == sorted(ours.workers)
        return same and dict(told.workflows) == dict(ours.workflows)


# ----------------------------------------------------------------- claim


@attrs.frozen(kw_only=True)
class Claim(Call):
    """Who has no order to keep chooses first, and each world follows."""

    ordered: bool
    verb: str = "claim"

    @property
    def repeatable(self) -> bool:
        return False

    def hidden(self, outcome: Outcome) -> bool:
        clear = self.ordered and outcome.before is not None
        return outcome.told is UNKNOWN and not clear

    def ways(self, outcome: Outcome) -> Sequence[Way]:
        if outcome.told is not UNKNOWN:
            return [Way.ONCE]
        if outcome.error and not isinstance(outcome.error, OutcomeUnknown):
            return [Way.NEVER]
        return [Way.NEVER, Way.ONCE]

    def play(self, world: World, way: Way, outcome: Outcome) -> Any:
        if way is Way.NEVER:
            return UNKNOWN
        chosen = self._chosen(world, outcome)
        limit = self.how["limit"]
        if self.hidden(outcome) or (outcome.struck and chosen and not self.ordered):
            limit = min(limit, len(chosen))
        before = outcome.before if self.ordered else None
        world.reference.turn = first(chosen, before, turn)
        return world.reference.claim(*self.args, **{**self.how, "limit": limit})

    def _chosen(self, world: World, outcome: Outcome) -> set[str]:
        if outcome.told is not UNKNOWN:
            return {one.id for one in outcome.told}
        now = outcome.after.workflows.values() if outcome.after else ()
        was = world.reference.store.workflows
        return {
            one.id
            for one in now
            if one.owner == self.worker and one.id in was and one.epoch == was[one.id].epoch + 1
        }

    def agrees(self, world: World, outcome: Outcome, ours: Any) -> bool:  # noqa: ARG002 (for overriding)
        told, ours = ([reasoned(one) for one in each] for each in (outcome.told, ours))
        if not self.ordered or outcome.before is None:
            told, ours = (sorted(each, key=lambda one: one.id) for each in (told, ours))
        return alike(told, ours)
