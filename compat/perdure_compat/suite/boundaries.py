"""The shapes of the workflows that are run whole, and each boundary at which a worker can die.

A boundary is a moment at a place: `within 2`. The places are those of the steps
(`2`, or `1:2` for step 2 of branch 1), of waits (`wait 3`), of the suspension
(`waiting`) and of the end (`end`).
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Self

import attrs

from perdure.backend import Batch, Transition
from perdure.model import Status, StepRecord, Wait


class Moment(StrEnum):
    """When a worker dies, seen from a place; in the order of time."""

    BEFORE = "before"
    """In the workflow's code, just before it asks for this."""
    WITHIN = "within"
    """In the body, after what it does to the outside."""
    UNRECORDED = "unrecorded"
    """The body has returned; nobody has told the database yet."""
    RECORDED = "recorded"
    """The database has it; the worker was not told yet."""


@attrs.frozen
class Boundary:
    """One moment at one place."""

    moment: Moment
    place: str

    def __str__(self) -> str:
        return f"{self.moment} {self.place}"

    @classmethod
    def of(cls, text: str) -> Self:
        """The boundary that calls itself so."""
        moment, _, place = text.partition(" ")
        return cls(Moment(moment), place)

    @property
    def in_code(self) -> bool:
        """Whether a workflow can stand there while others of its worker go on."""
        return self.moment in {Moment.BEFORE, Moment.WITHIN}


END = "end"
WAITING = "waiting"


def place_of(step: StepRecord | Wait) -> str:
    """The place of a step or a wait in its workflow."""
    where = f"{step.branch}:{step.seq}" if step.branch else str(step.seq)
    return f"wait {where}" if isinstance(step, Wait) else where


def places(batch: Batch) -> Iterator[tuple[str, str]]:
    """Each workflow id and place that a commit is about."""
    records: list[StepRecord | Wait] = [*batch.steps, *batch.waits]
    for record in records:
        yield record.workflow_id, place_of(record)
    for transition in batch.transitions:
        yield transition.workflow_id, _place_of_end(transition)


def _place_of_end(transition: Transition) -> str:
    if transition.status is Status.WAITING:
        return WAITING
    return END if transition.status.final else transition.status


@attrs.frozen(kw_only=True)
class Shape:
    """What one of the workflows records: the kind at each place, in the order of the code."""

    name: str
    kinds: Mapping[str, str]
    twice: str | None = None
    """Where a body fails at its first try and not at its second."""

    def boundaries(self) -> list[Boundary]:
        """All of them, in the order of the code."""
        found = [one for place in self.kinds for one in self._around(place)]
        return [*found, *(Boundary(moment, END) for moment in Moment if moment != Moment.WITHIN)]

    def _around(self, place: str) -> Iterator[Boundary]:
        yield Boundary(Moment.BEFORE, place)
        if self.kinds[place] == "step":
            yield Boundary(Moment.WITHIN, place)
        if place == self.twice:
            yield Boundary(Moment.WITHIN, again(place))
        waits = [f"wait {place}", WAITING] if self.kinds[place] == "sleep" else []
        for told in (*waits, place):
            yield Boundary(Moment.UNRECORDED, told)
            yield Boundary(Moment.RECORDED, told)

    def meets(self, boundary: Boundary) -> list[Boundary]:
        """What must have happened for a worker to stand there.

        Before the end, that is all the records too; before anything else, the
        last record may be on its way.
        """
        if boundary == Boundary(Moment.BEFORE, END):
            return [boundary, Boundary(Moment.RECORDED, list(self.kinds)[-1])]
        return [boundary]

    def surely_later(self, first: Boundary) -> list[Boundary]:
        """Where another worker surely comes by that goes on after a death at `first`.

        A commit carries whatever was added meanwhile, so what needs no body may be
        recorded together with what came before it.
        """
        if first.moment == Moment.RECORDED and first.place in {list(self.kinds)[-1], END}:
            return []
        return [
            one
            for one in self.boundaries()
            if self._after(one, first) and not self._perhaps_past(one, first)
        ]

    def _perhaps_past(self, one: Boundary, first: Boundary) -> bool:
        if one.place == END:
            return one.moment == Moment.BEFORE and first.place == END
        if one.place == WAITING or one.place.startswith("wait "):
            return not self._may_sleep(first)
        told = one.moment in {Moment.UNRECORDED, Moment.RECORDED}
        verb = self.kinds[one.place.partition("~")[0]] == "now"
        return told and verb and first.moment == Moment.RECORDED

    def _may_sleep(self, first: Boundary) -> bool:
        """Whether the wait is surely not recorded yet, after a death there."""
        order = self.boundaries()
        wait = next(at for at, one in enumerate(order) if one.place.startswith("wait "))
        return order.index(first) <= wait and first.moment != Moment.RECORDED

    def _after(self, one: Boundary, first: Boundary) -> bool:
        mine, other = self._root(one.place), self._root(first.place)
        if mine == other:
            return first.moment != Moment.RECORDED
        if mine[0] and other[0]:
            return mine[0] == other[0] and self._at(mine) > self._at(other)
        return self._at(mine) > self._at(other)

    def _root(self, place: str) -> tuple[str, str]:
        """The branch and the step that a place belongs to."""
        if place == WAITING:
            place = next(at for at, kind in self.kinds.items() if kind == "sleep")
        step = place.removeprefix("wait ").partition("~")[0]
        branch, _, seq = step.rpartition(":")
        return branch, seq

    def _at(self, where: tuple[str, str]) -> int:
        place = ":".join(part for part in where if part)
        return len(self.kinds) if place == END else list(self.kinds).index(place)


def again(place: str) -> str:
    """The place of a second try."""
    return f"{place}~2"


_NAP = {"1": "step", "2": "now", "3": "sleep", "4": "step"}
SHAPES: Mapping[str, Shape] = {
    shape.name: shape
    for shape in (
        Shape(name="line", kinds=dict.fromkeys("123", "step")),
        Shape(name="stumble", kinds=dict.fromkeys("123", "step"), twice="1"),
        Shape(name="fan", kinds=dict.fromkeys(("1", "1:1", "1:2", "2:1", "2:2", "2"), "step")),
        Shape(name="nap", kinds=_NAP),
        Shape(name="anap", kinds=_NAP),
    )
}
