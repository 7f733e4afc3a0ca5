"""Fault plans: which statement fails how, all of them singly and in pairs."""

import random
from collections.abc import Callable, Iterator, Sequence

import attrs

from .mishaps import Manners, Mishap
from .statements import Place, Statement


@attrs.frozen
class Strike:
    """A mishap at a statement, counted from the beginning of a run."""

    at: int
    mishap: Mishap

    def __str__(self) -> str:
        return f"{self.mishap} at {self.at}"


Plan = tuple[Strike, ...]


@attrs.define(eq=False)
class Injector:
    """Lets statements fail as a plan says, and remembers the places it saw."""

    _manners: Manners
    _plan: dict[int, Mishap] = attrs.field(factory=dict[int, Mishap])
    _armed: bool = False
    _meanwhile: Callable[[], object] | None = None
    _struck: bool = False
    trace: list[Place] = attrs.field(factory=list[Place])

    def arm(self, plan: Plan, *, meanwhile: Callable[[], object] | None = None) -> None:
        """Count from here, and follow this plan.

        `meanwhile` is what somebody else does between a failure and the next try.
        """
        self._plan = {strike.at: strike.mishap for strike in plan}
        self._meanwhile = meanwhile
        self._struck = False
        self.trace = []
        self._armed = True

    def disarm(self) -> Sequence[Place]:
        """From now on nothing fails; answers with the places that were passed."""
        self._armed = False
        return self.trace

    def lend(self) -> None:
        """After a failure it is the others' turn."""
        if self._armed and self._struck:
            self._struck = False
            if self._meanwhile is not None:
                self._meanwhile()

    def execute(self, statement: Statement) -> None:
        """Run the statement, unless the plan says otherwise."""
        place = statement.place
        mishap = self._next(place) if self._armed else None
        if mishap is None:
            statement.run()
            return
        self._struck = True
        mishap.strike(statement)

    def _next(self, place: Place) -> Mishap | None:
        mishap = self._plan.get(len(self.trace))
        self.trace.append(place)
        # A run in another order may stand elsewhere by now.
        return mishap if mishap in self._manners[place] else None


@attrs.define
class Tally:
    """How many plans ran, and how many there are."""

    ran: int = 0
    possible: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.ran + other.ran, self.possible + other.possible)

    def __str__(self) -> str:
        return f"{self.ran} of {self.possible} plans"


def explore(
    run: Callable[[Plan], Sequence[Place]],
    manners: Manners,
    *,
    singles: int | None = None,
    pairs: int,
) -> Tally:
    """Run without faults, with every single one, and with pairs, all or a fixed sample.

    Args:
        run: does one run under a plan; answers with the places it passed.
        manners: what can go wrong.
        singles: the most single faults to run; None for all.
        pairs: the most pairs to run.
    """
    alone = list(_later((), run(()), manners))
    chosen = _sample(alone, singles)
    double: list[Plan] = []
    for plan in chosen:
        double += _later(plan, run(plan), manners)
    drawn = _sample(double, pairs)
    for plan in drawn:
        run(plan)
    return Tally(1 + len(chosen) + len(drawn), 1 + len(alone) + len(double))


def _later(plan: Plan, trace: Sequence[Place], manners: Manners) -> Iterator[Plan]:
    """The plan with one more strike behind its last."""
    begin = plan[-1].at + 1 if plan else 0
    for at, place in enumerate(trace[begin:], begin):
        for mishap in manners[place]:
            yield (*plan, Strike(at, mishap))


def _sample(plans: list[Plan], most: int | None) -> list[Plan]:
    if most is None or len(plans) <= most:
        return plans
    return random.Random(len(plans)).sample(plans, most)  # noqa: S311 (the same each time)
