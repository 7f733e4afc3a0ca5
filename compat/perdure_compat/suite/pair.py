"""The backend under test beside the reference, in as many possible worlds as it takes.

After an answer that nobody heard, the reference stands in two worlds: in one the
call took effect, in the other not. Each further call is made in all of them, and
those that disagree with an answer or a look of the backend's fall away. What really
happened is used by nobody.
"""

from collections.abc import Collection, Sequence
from itertools import cycle
from typing import Any, NoReturn

import attrs

from perdure.backend import Backend, Peer, Recovery
from perdure.errors import BackendUnavailable
from perdure.model import WorkflowRecord

from .calls import ALL, UNKNOWN, Call, Heartbeat, Outcome
from .fates import Breakage, Fate, Loss
from .likeness import alike, worded
from .plans import WORDS
from .records import AT_ONCE
from .spelled import spelled
from .watch import Sight
from .worlds import World, distinct, sight_of


@attrs.define(eq=False)
class Pair:
    """What must look the same in one world at least, as far as the ids of one history go."""

    judged: Sequence[Backend]
    ids: Sequence[str]
    breakage: Breakage | None = None
    fate: Fate | None = None
    """What awaits the next call."""
    worlds: list[World] = attrs.field(factory=lambda: [World()])
    seen: Sight = attrs.field(factory=Sight)
    """What the last look showed."""
    since: list[Call] = attrs.field(factory=list[Call])
    """What was called since then, as often as it may have taken effect."""
    witnessed: list[Sequence[Peer]] = attrs.field(factory=lambda: [()])
    _said: list[tuple[Call, str, Any]] = attrs.field(factory=list[tuple[Call, str, Any]])
    _turn: "cycle[Backend]" = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._turn = cycle(self.judged)

    @property
    def ordered(self) -> bool:
        """Whether a lone claimer is served in order."""
        return "ordered_claims" not in self.judged[0].capabilities.missing

    @property
    def fresh(self) -> Sight | None:
        """What there is, unless something was called since the last look."""
        return None if self.since else self.seen

    def dead(self) -> set[str]:
        """The workers that are dead, whatever has happened."""
        return set[str].intersection(*[world.dead() for world in self.worlds])

    def living(self) -> set[str]:
        """The workers that live, whatever has happened."""
        return set[str].intersection(*[world.living() for world in self.worlds])

    # ----------------------------------------------------------------- ask

    def ask(self, call: Call) -> Any:
        """Call the backend; the answer, which fits one world at least, or `UNKNOWN`."""
        fate, backend = self._next_fate(), next(self._turn)
        if fate is None:
            return self._learn(call, Outcome(told=call.on(backend)), backend)
        if fate.loss is Loss.STRUCK:
            return self._struck(call, fate, backend)
        if fate.loss is Loss.AFTER:
            call.on(backend)
        self._learn(call, Outcome(), backend, fate=fate)
        return self._again(call) if fate.again and call.repeatable else UNKNOWN

    def _again(self, call: Call) -> Any:
        backend = next(self._turn)
        return self._learn(call, Outcome(told=call.on(backend)), backend)

    def _next_fate(self) -> Fate | None:
        fate = self.fate
        if fate is None:
            return None
        met, self.fate = fate.met()
        return fate if met else None

    def _struck(self, call: Call, fate: Fate, backend: Backend) -> Any:
        assert self.breakage
        strike = self.breakage.strike(call, fate.pick)
        if strike is None:
            return self._learn(call, Outcome(told=call.on(backend)), backend)
        try:
            outcome = Outcome(told=self.breakage.made(call, backend, strike), struck=True)
        except BackendUnavailable as error:
            outcome = Outcome(struck=True, error=error)
        told = self._learn(call, outcome, backend, fate=fate)
        repeated = told is UNKNOWN and fate.again and call.repeatable
        return self._again(call) if repeated else told

    def _learn(
        self, call: Call, outcome: Outcome, backend: Backend, fate: Fate | None = None
    ) -> Any:
        self._note(call, fate, outcome)
        outcome = attrs.evolve(outcome, before=self.fresh)
        if call.hidden(outcome):
            outcome = attrs.evolve(outcome, after=sight_of(backend, self.ids))
        self._keep(call, outcome)
        if not call.reads:
            self.since += [call] * (2 if outcome.struck else 1)
        if isinstance(call, Heartbeat) and outcome.told is not UNKNOWN:
            self.witnessed.append(call.mine(outcome.told))
        return outcome.told

    def _keep(self, call: Call, outcome: Outcome) -> None:
        """Play the call in all worlds, in all ways, and keep those that agree."""
        ways = call.ways(outcome)
        kept, refuted = list[World](), list[tuple[World, Any]]()
        for world in self.worlds:
            for way in ways:
                there = world.fork(f"{call} {way}") if len(ways) > 1 else world
                ours = call.play(there, way, outcome)
                if outcome.told is UNKNOWN or call.agrees(there, outcome, ours):
                    kept.append(there)
                else:
                    refuted.append((there, ours))
        if not kept:
            self._fail(
                f"{call} answered {spelled(outcome.told)}",
                [(world, f"the answer is {spelled(ours)}") for world, ours in refuted],
            )
        self.worlds = distinct(kept) if len(kept) > 1 else kept

    # ---------------------------------------------------------------- look

    def look(self) -> tuple[Sight, Sight]:
        """What was to be seen before, and what is now; one world looks the same."""
        now = sight_of(next(self._turn), self.ids)
        found = [(world, _difference(now, world.sight(self.ids))) for world in self.worlds]
        self.worlds = [world for world, difference in found if not difference]
        if not self.worlds:
            self._fail("A look at the workflows showed what cannot be", found)
        before, self.seen = self.seen, now
        self.since.clear()
        return before, now

    def _fail(self, what: str, found: Sequence[tuple[World, str]]) -> NoReturn:
        lines = [what + ", but:", *[_verdict(world, difference) for world, difference in found]]
        raise AssertionError("\n".join(lines))

    # --------------------------------------------------------------- story

    def _note(self, call: Call, fate: Fate | None, outcome: Outcome) -> None:
        how = f"lost {fate.loss}" if fate else ""
        self._said.append((call, how, outcome.error or outcome.told))

    def story(self) -> str:
        """All calls so far, as the backend saw them."""
        lines = [
            f"{at:>4}. {call} -> {_answer(told)}{f' ({how})' if how else ''}"
            for at, (call, how, told) in enumerate(self._said, 1)
        ]
        return "\n".join(["All calls of this history, one after another:", *lines])

    def end(self, workers: Collection[str]) -> None:
        """Leave nothing behind that a later history could see."""
        judged = next(self._turn)
        for worker_id in workers:
            judged.leave(worker_id)
        last = Recovery(max_strikes=1, backoff=AT_ONCE)
        judged.reap([], margin=AT_ONCE, recovery=last, limit=ALL)
        for _ in range(2):
            judged.wake(limit=ALL)


def _answer(told: Any) -> str:
    return repr(told) if isinstance(told, Exception) else spelled(told)


def _verdict(world: World, difference: str) -> str:
    tale = "; ".join(world.tale)
    return f"- if {tale}, {difference}" if tale else f"- {difference}"


def _difference(there: Sight, ours: Sight) -> str:
    """What is not as it should be; empty if all is."""
    found, wanted = _rows(there), _rows(ours)
    for key in [*wanted, *(found.keys() - wanted.keys())]:
        if said := _differs(key, _worded(found.get(key)), _worded(wanted.get(key))):
            return said
    return ""


def _rows(sight: Sight) -> dict[object, Any]:
    rows: dict[object, Any] = dict(sight.workflows.items())
    rows |= {("step", *key): one for key, one in sight.steps.items()}
    rows |= {("item", *key): one for key, one in sight.items.items()}
    return rows | {("wait", *key): one for key, one in sight.waits.items()}


def _differs(key: Any, found: Any, wanted: Any) -> str:
    if wanted is None:
        return f"nothing is at {key}, where there is {spelled(found)}"
    if found is None:
        return f"{spelled(wanted)} is missing"
    if alike(found, wanted):
        return ""
    fields = [field.name for field in attrs.fields(found.__class__)]
    wrong = [name for name in fields if not alike(getattr(found, name), getattr(wanted, name))]
    said = [
        f"{name} is {spelled(getattr(wanted, name))}, not {spelled(getattr(found, name))}"
        for name in wrong
    ]
    return f"of {key} " + " and ".join(said)


def _worded(record: Any) -> Any:
    return worded(record, ours=WORDS) if isinstance(record, WorkflowRecord) else record
