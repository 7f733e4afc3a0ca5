"""Waking, as a call: three transactions, and each may have done its part or not."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from perdure.model import Status
from perdure_compat.reference.outbox import first as longest
from perdure_compat.reference.store import Wakeup
from perdure_compat.reference.workflows import asked, due

from .calls import ALL, UNKNOWN, Call, Outcome, Way, first, left
from .watch import Sight
from .worlds import World

_ALL = (0, 1, 2)
_PARTS = len(_ALL)
_DONE: Mapping[Way, Sequence[int]] = {
    Way.NEVER: (),
    Way.PART: (0,),
    Way.DUE: (1,),
    Way.PARTS: (0, 1),
    Way.ONCE: _ALL,
    Way.TWICE: _ALL * 2,
}


@attrs.frozen
class Woken:
    """What the reference answers; `vague`: it has applied wake-ups, in how many rows is its own."""

    number: int
    vague: bool


@attrs.frozen(kw_only=True)
class Wake(Call):
    """Where not all is done, which wake-ups and which workflows, only a look can tell."""

    verb: str = "wake"

    def hidden(self, outcome: Outcome) -> bool:  # noqa: ARG002 (whatever came of it)
        return bool(self.how["limit"] < ALL)

    def ways(self, outcome: Outcome) -> Sequence[Way]:
        ways = super().ways(outcome)
        halves = outcome.told is UNKNOWN and outcome.struck
        return [*ways, Way.PART, Way.DUE, Way.PARTS] if halves else ways

    def play(self, world: World, way: Way, outcome: Outcome) -> Any:
        answers = list[int]()
        vague = False
        for number in _DONE[way]:
            if number == 0:
                vague = bool(world.reference.store.outbox)
            answers.append(self._part(world, number, outcome))
        last = answers[-_PARTS:]
        return Woken(max(last), vague) if len(last) == _PARTS else UNKNOWN

    def _part(self, world: World, number: int, outcome: Outcome) -> int:
        """Let the reference do a part, for those that it was done for."""
        reference = world.reference
        if outcome.after is None:
            reference.post, reference.choice = longest, due
        else:
            reference.post = _applied(world, outcome.after)
            woken = left(world, outcome.after, Status.DELAYED, Status.WAITING)
            late = _late(world, outcome.after)
            reference.choice = (
                first(woken, outcome.before, due)
                if number < _PARTS - 1
                else lambda one: one.id not in late
            )
        return reference.parts()[number](self.how["limit"])

    def agrees(self, world: World, outcome: Outcome, ours: Woken) -> bool:  # noqa: ARG002 (for overriding)
        told: int = outcome.told
        same = told == ours.number
        return same or (ours.vague and bool(told) == bool(ours.number))


def _applied(world: World, after: Sight) -> Callable[[Sequence[Wakeup], int], Sequence[Wakeup]]:
    """Of each workflow as many as were counted since."""
    here = world.reference.store.workflows
    counted = Counter(
        {key: one.wake - here[key].wake for key, one in after.workflows.items() if key in here}
    )

    def post(wakeups: Sequence[Wakeup], limit: int) -> Sequence[Wakeup]:  # noqa: ARG001 (a row may hold several)
        rest = counted.copy()
        chosen = list[Wakeup]()
        for one in wakeups:
            if rest[one.workflow_id] > 0:
                rest[one.workflow_id] -= 1
                chosen.append(one)
        return chosen

    return post


def _late(world: World, after: Sight) -> set[str]:
    """Who was asked to cancel since."""
    here = world.reference.store.workflows
    return {
        key
        for key, one in after.workflows.items()
        if key in here and asked(one) and not asked(here[key])
    }
