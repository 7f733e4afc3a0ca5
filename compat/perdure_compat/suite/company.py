"""Many operations in one batch: of whom they are, and what each is to be told."""

from itertools import cycle

from perdure.backend import (
    NOT_YOURS,
    RECORDED,
    AlreadyRecorded,
    Backend,
    StepAnswer,
    Transition,
    TransitionAnswer,
)
from perdure.model import Status, StepRecord, Wait

from .records import claim, end, finish, ids, join, own, record, scrambled, step, wait

OUTCOMES = (*(Status.SUCCESS, Status.ERROR, Status.CANCELLED), Status.PARKED, Status.ENQUEUED)
"""All that an owner's transition may be to, but to wait."""


def gather(backend: Backend) -> None:
    """20 workflows each: a's at epoch 2 with a step, a's at epoch 1, b's."""
    join(backend, "a", "b")
    old = [f"old{n}" for n in range(20)]
    own(backend, "a", *old)
    record(backend, "a", *[step(one) for one in old])
    finish(backend, "a", *[end(one, Status.ENQUEUED) for one in old])
    assert sorted(ids(claim(backend, "a"))) == sorted(old)
    own(backend, "a", *[f"mine{n}" for n in range(20)])
    own(backend, "b", *[f"theirs{n}" for n in range(20)])


def outcome(status: Status, number: int) -> dict[str, str]:
    """What a transition to this status says of its workflow."""
    if status is Status.ENQUEUED:
        return {}
    field = "output_json" if status is Status.SUCCESS else "error_message"
    return {field: f'"{number}"'}


def mixed() -> tuple[
    list[tuple[StepRecord, StepAnswer]],
    list[tuple[Wait, StepAnswer]],
    list[tuple[Transition, TransitionAnswer]],
]:
    """280 operations of worker a, each with the answer that it must get."""
    steps: list[tuple[StepRecord, StepAnswer]] = []
    waits: list[tuple[Wait, StepAnswer]] = []
    transitions: list[tuple[Transition, TransitionAnswer]] = []
    for n, status in zip(range(20), cycle(OUTCOMES)):
        old, mine, theirs, ghost = f"old{n}", f"mine{n}", f"theirs{n}", f"ghost{n}"
        steps += [
            (step(old, epoch=2), AlreadyRecorded(step(old))),
            (step(old, 2, epoch=2), RECORDED),
            (step(old, 3), NOT_YOURS),
            (step(mine), RECORDED),
            (step(mine, branch="1"), RECORDED),
            (step(theirs), NOT_YOURS),
            (step(ghost), NOT_YOURS),
        ]
        waits += [
            (wait(mine, 3), RECORDED),
            (wait(theirs, 3), NOT_YOURS),
            (wait(old, 4), NOT_YOURS),
        ]
        transitions += [
            (end(mine, status, **outcome(status, n)), status),
            (end(theirs), NOT_YOURS),
            (end(ghost), NOT_YOURS),
            (end(old, epoch=2), Status.SUCCESS) if n % 2 else (end(old, status), NOT_YOURS),
        ]
    return scrambled(steps), scrambled(waits), scrambled(transitions)
