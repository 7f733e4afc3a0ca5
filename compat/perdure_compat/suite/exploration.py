"""Fault plans: none, every single fault, and pairs of them; all, or a fixed sample."""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import attrs

from perdure_compat.fault import Mishap, Plan, Strike

Trace: TypeAlias = Sequence[Sequence[Mishap]]
"""What could have gone wrong at each point of a run."""


@attrs.frozen
class Tally:
    """How many plans ran, and how many there are."""

    ran: int
    possible: int

    def __str__(self) -> str:
        return f"{self.ran} of {self.possible} plans"


def explore(
    run: Callable[[Plan], Trace],
    *,
    singles: int | None = None,
    pairs: int | None,
    seed: int | None = None,
) -> Tally:
    """Run without faults, with every single one, and with pairs.

    Args:
        run: does one run under a plan; answers with the points that it passed.
        singles: the most single faults to run; None for all.
        pairs: the most pairs to run; None for all.
        seed: chooses them; None chooses the same ones each time.
    """
    alone = list(_later((), run(())))
    chosen = _sample(alone, singles, seed)
    double: list[Plan] = []
    for plan in chosen:
        double += _later(plan, run(plan))
    drawn = _sample(double, pairs, seed)
    for plan in drawn:
        run(plan)
    return Tally(1 + len(chosen) + len(drawn), 1 + len(alone) + len(double))


def _later(plan: Plan, trace: Trace) -> Iterator[Plan]:
    """The plan with one more strike behind its last."""
    begin = plan[-1].at + 1 if plan else 0
    for at, mishaps in enumerate(trace[begin:], begin):
        for mishap in mishaps:
            yield (*plan, Strike(at, mishap))


def _sample(plans: list[Plan], most: int | None, seed: int | None) -> list[Plan]:
    if most is None or len(plans) <= most:
        return plans
    chance = random.Random(len(plans) if seed is None else seed)  # noqa: S311 (no secret)
    return chance.sample(plans, most)
