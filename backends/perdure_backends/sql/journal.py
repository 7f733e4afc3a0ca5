"""The journal's commit: what is written, and the answer for each operation."""

import itertools
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeAlias

import attrs
from sqlalchemy.exc import IntegrityError

from perdure.backend import (
    NOT_YOURS,
    RECORDED,
    AlreadyRecorded,
    Committed,
    NotYours,
    Recorded,
    StepAnswer,
    Transition,
    TransitionAnswer,
)
from perdure.model import Status, StepRecord, Wait

from . import claims, messages, outbox, rows, steps, streams, workers, workflows
from .commits import (
    ALONE,
    BACK,
    CONSUMPTIONS,
    FENCE,
    FRESH,
    ITEMS,
    PLAIN,
    STEPS,
    SUCCESSES,
    TOLD,
    TRANSITIONS,
    WAITS,
    commit,
)
from .prepared import Prepared, key_of
from .session import Session
from .workflows import FINAL


@attrs.frozen
class Written:
    """What one try wrote: how many steps and waits, and which workflows it let go."""

    fenced: bool
    steps: int = 0
    waits: int = 0
    moved: Sequence[str] = ()
    back: Sequence[str] = ()
    """Which of those moved are in the queue."""
    told: int = 0
    """How many wake-ups it left."""


def record(session: Session, given: Prepared) -> Committed:
    """Write the batch and answer; what was not written now is looked up."""
    written = _fused(session, given) if session.dialect.fused else _one_by_one(session, given)
    batch = given.batch
    told = given.told or written.told > 0
    # Where parts are fused they are committed already: the next try finds its own and leaves none.
    given.told = told and session.dialect.fused
    return Committed(
        fenced=written.fenced,
        steps=_step_answers(session, batch.steps, written),
        waits=_wait_answers(session, batch.waits, written),
        transitions=_transition_answers(session, batch.transitions, written),
        wakeups=told,
    )


# ----------------------------------------------------------------- write


def _one_by_one(session: Session, given: Prepared) -> Written:
    if not session.rows(workers.fenced, {"me": given.worker_id}):
        return Written(fenced=True)
    done = given.executions
    # Before the steps: these are written for what is not there yet.
    session.count(messages.consume, done.get(CONSUMPTIONS, ()))
    events = [one for one in done.get(STEPS, ()) if one.get("step_kind") == "event"]
    told = session.count(outbox.events, events)
    recorded = session.count(steps.record, done.get(STEPS, ()), given.plain)
    awaited = session.count(steps.wait, done.get(WAITS, ()))
    session.count(streams.write, done.get(ITEMS, ()))
    # Transitions last: they take away the owner that the others ask for.
    told += session.count(outbox.ends, _followed(session, given))
    moved = _let_go(session, given)
    return Written(
        fenced=False,
        steps=recorded,
        waits=awaited,
        moved=moved,
        back=_in_the_queue(session, given.batch.transitions) if moved else (),
        told=told,
    )


def _followed(session: Session, given: Prepared) -> Sequence[dict[str, Any]]:
    """The transitions that are ends of which somebody is to be told."""
    ends = [to.workflow_id for to in given.batch.transitions if to.status in FINAL]
    if not ends:
        return ()
    found = session.rows(outbox.followed, {"ids": session.dialect.listed(ends)})
    followed = {row[0] for row in found}
    asked = zip(given.batch.transitions, given.executions[TRANSITIONS], strict=True)
    return [one for to, one in asked if to.workflow_id in followed]


def _let_go(session: Session, given: Prepared) -> Sequence[str]:
    """All that were asked for; where some were not moved, what stands there tells which."""
    transitions = given.batch.transitions
    move = claims.succeed if given.successes else claims.let_go
    count = session.count(move, given.executions.get(TRANSITIONS, ()))
    return [to.workflow_id for to in transitions if count == len(transitions)]


def _in_the_queue(session: Session, transitions: Sequence[Transition]) -> list[str]:
    """Which of those that were to be suspended went back, as this very transaction sees it."""
    asked = [to.workflow_id for to in transitions if to.status is Status.WAITING]
    found = _standing(session, asked) if asked else {}
    return [each for each, (_, _, status) in found.items() if status == Status.ENQUEUED]


def _fused(session: Session, given: Prepared) -> Written:
    """All in one statement, which first supposes that nobody has recorded these steps.

    To leave out what is there costs time and log for each step (ON CONFLICT inserts
    it provisionally first), and hardly ever anything is. A duplicate fails the whole
    statement; then it is asked again.
    """
    parameters: dict[str, Any] = {"me": given.worker_id}
    for each in itertools.chain.from_iterable(given.executions.values()):
        parameters |= each
    said = ((ALONE, given.alone), (PLAIN, given.plain), (SUCCESSES, given.successes))
    usual = [part for part, so in said if so]
    shape = (*usual, *given.executions)
    if STEPS in given.executions:
        with suppress(IntegrityError):
            return _sorted_out(session.rows(commit, parameters, FRESH, *shape))
    return _sorted_out(session.rows(commit, parameters, *shape))


def _sorted_out(found: Sequence[Sequence[Any]]) -> Written:
    counts = {part: count for part, count, _ in found}
    ids = {part: ids or () for part, _, ids in found}
    return Written(
        fenced=counts[FENCE] == 0,
        steps=counts.get(STEPS, 0),
        waits=counts.get(WAITS, 0),
        moved=ids.get(TRANSITIONS, ()),
        back=ids.get(BACK, ()),
        told=counts.get(TOLD, 0),
    )


# ---------------------------------------------------------------- answer


def _step_answers(
    session: Session, asked: Sequence[StepRecord], written: Written
) -> list[StepAnswer]:
    """All recorded if all were written now; else what is there under which epoch."""
    if written.steps == len(asked):
        return [RECORDED] * len(asked)
    read = session.dialect.read
    found = [rows.step(row, read) for row in _at(session, steps.recorded, asked)]
    there = {key_of(step): step for step in found}
    return [_step_answer(step, there.get(key_of(step))) for step in asked]


def _step_answer(step: StepRecord, there: StepRecord | None) -> StepAnswer:
    if there is None:
        return NOT_YOURS
    return RECORDED if there.epoch == step.epoch else AlreadyRecorded(there)


def _wait_answers(
    session: Session, asked: Sequence[Wait], written: Written
) -> list[Recorded | NotYours]:
    if written.waits == len(asked):
        return [RECORDED] * len(asked)
    epochs = {(row[0], row[1], row[2]): row[-1] for row in _at(session, steps.awaited, asked)}
    # An earlier epoch's counts as recorded: its due time stays.
    return [
        RECORDED if epochs.get(key_of(wait), wait.epoch + 1) <= wait.epoch else NOT_YOURS
        for wait in asked
    ]


def _at(
    session: Session, build: Any, asked: Sequence[StepRecord | Wait]
) -> Sequence[Sequence[Any]]:
    keys = [key_of(each) for each in asked]
    return session.rows(build, session.dialect.encode("key", steps.KEY, keys))


def _transition_answers(
    session: Session, asked: Sequence[Transition], written: Written
) -> list[TransitionAnswer]:
    if len(written.moved) == len(asked) and not written.back:
        return [each.status for each in asked]
    moved, back = {*written.moved}, {*written.back}
    missing = [each.workflow_id for each in asked if each.workflow_id not in moved]
    standing = _standing(session, missing) if missing else {}
    return [
        (Status.ENQUEUED if each.workflow_id in back else each.status)
        if each.workflow_id in moved
        else _repeated(each, standing.get(each.workflow_id))
        for each in asked
    ]


Standing: TypeAlias = tuple[str | None, int, str]
"""Owner, epoch and status."""


def _standing(session: Session, ids: Sequence[str]) -> dict[str, Standing]:
    found = session.rows(workflows.standing, {"ids": session.dialect.listed(ids)})
    return {row[0]: (row[1], row[2], row[3]) for row in found}


def _repeated(asked: Transition, standing: Standing | None) -> TransitionAnswer:
    """An earlier try: no owner any more, my epoch, and what I asked for, or back in the queue."""
    status = None if standing is None or standing[:2] != (None, asked.epoch) else standing[2]
    if status == asked.status:
        return asked.status
    back = asked.status is Status.WAITING and status == Status.ENQUEUED
    return Status.ENQUEUED if back else NOT_YOURS
