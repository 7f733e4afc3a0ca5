"""The journal's commit: what is written, and the answer for each operation."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias, TypeVar

import attrs
from sqlalchemy.exc import IntegrityError

from perdure.backend import (
    NOT_YOURS,
    RECORDED,
    AlreadyRecorded,
    Batch,
    Committed,
    NotYours,
    Recorded,
    StepAnswer,
    Transition,
    TransitionAnswer,
)
from perdure.model import Status, StepRecord, Wait

from . import claims, rows, steps, workers, workflows
from .commits import FENCE, FRESH, STEPS, TRANSITIONS, WAITS, commit
from .dialect import Fields
from .session import Session

Key = tuple[str, str, int]
R = TypeVar("R", StepRecord, Wait)


Row: TypeAlias = tuple[object, ...]


@attrs.frozen
class Part:
    """One kind of operation: what its parameters are called, its columns, its statement."""

    name: str
    fields: Fields
    build: Any


_PARTS: Mapping[str, Part] = {
    STEPS: Part("step", steps.STEP, steps.record),
    WAITS: Part("wait", steps.WAIT, steps.wait),
    TRANSITIONS: Part("transition", claims.TRANSITION, claims.let_go),
}


@attrs.frozen
class Written:
    """What one try wrote: how many steps and waits, and which transitions."""

    fenced: bool
    steps: int = 0
    waits: int = 0
    transitions: Mapping[str, str] = {}


def record(session: Session, worker_id: str, batch: Batch) -> Committed:
    """Write the batch and answer; what was not written now is looked up."""
    written = _write(session, worker_id, batch)
    return Committed(
        fenced=written.fenced,
        steps=_step_answers(session, batch.steps, written),
        waits=_wait_answers(session, batch.waits, written),
        transitions=_transition_answers(session, batch.transitions, written),
    )


# ----------------------------------------------------------------- write


def _write(session: Session, worker_id: str, batch: Batch) -> Written:
    given = _given(batch)
    if session.dialect.fused:
        return _sorted_out(_fused(session, worker_id, given))
    if not session.rows(workers.fenced, {"me": worker_id}):
        return Written(fenced=True)
    # Transitions last: they take away the owner that the others ask for.
    counts = {part: _one_by_one(session, worker_id, part, given.get(part, ())) for part in _PARTS}
    all_moved = counts[TRANSITIONS] == len(batch.transitions)
    return Written(
        fenced=False,
        steps=counts[STEPS],
        waits=counts[WAITS],
        # Where some were not moved, what stands there tells which, in this very transaction.
        transitions={to.workflow_id: to.status for to in batch.transitions if all_moved},
    )


def _one_by_one(session: Session, worker_id: str, part: str, given: Sequence[Row]) -> int:
    each = _executions(session, part, given)
    for one in each:
        one["me"] = worker_id
    return session.count(_PARTS[part].build, each)


def _executions(session: Session, part: str, given: Sequence[Row]) -> Sequence[dict[str, Any]]:
    return session.dialect.each(_PARTS[part].name, _PARTS[part].fields, given)


def _fused(
    session: Session, worker_id: str, given: Mapping[str, Sequence[Row]]
) -> Sequence[Sequence[Any]]:
    """All in one statement, which first supposes that nobody has recorded these steps.

    To leave out what is there costs time and log for each step (ON CONFLICT inserts
    it provisionally first), and hardly ever anything is. A duplicate fails the whole
    statement; then it is asked again.
    """
    parameters: dict[str, Any] = {"me": worker_id}
    for part, some in given.items():
        for all_at_once in _executions(session, part, some):
            parameters |= all_at_once
    if STEPS in given:
        with suppress(IntegrityError):
            return session.rows(commit, parameters, FRESH, *given)
    return session.rows(commit, parameters, *given)


def _sorted_out(found: Sequence[Sequence[Any]]) -> Written:
    counts = {FENCE: 0, STEPS: 0, WAITS: 0}
    transitions: dict[str, str] = {}
    for part, count, key, status in found:
        if part == TRANSITIONS:
            transitions[key] = status
        else:
            counts[part] = count
    return Written(counts[FENCE] == 0, counts[STEPS], counts[WAITS], transitions)


def _given(batch: Batch) -> Mapping[str, Sequence[Row]]:
    """What there is to write, by part."""
    given: dict[str, Sequence[Row]] = {
        STEPS: [_step(step) for step in _firsts(batch.steps)],
        WAITS: [_wait(wait) for wait in _firsts(batch.waits)],
        TRANSITIONS: [_transition(each) for each in batch.transitions],
    }
    return {part: some for part, some in given.items() if some}


def _firsts(given: Sequence[R]) -> Sequence[R]:
    """One for each place and epoch: a statement does not say which of two it inserts."""
    if _distinct(given):
        return given
    firsts: dict[tuple[Key, int], R] = {}
    for each in given:
        firsts.setdefault((_key(each), each.epoch), each)
    return list(firsts.values())


def _distinct(given: Sequence[StepRecord | Wait]) -> bool:
    return len({_key(each) for each in given}) == len(given)


def _step(step: StepRecord) -> tuple[object, ...]:
    return (
        step.workflow_id,
        step.branch,
        step.seq,
        step.name,
        step.kind,
        step.status,
        step.output_json,
        step.error_json,
        step.error_message,
        step.attempts,
        step.started_at,
        step.completed_at,
        step.epoch,
    )


def _wait(wait: Wait) -> tuple[object, ...]:
    return (wait.workflow_id, wait.branch, wait.seq, wait.kind, wait.due, wait.epoch)


def _transition(each: Transition) -> tuple[object, ...]:
    return (
        each.workflow_id,
        each.epoch,
        str(each.status),
        each.output_json,
        each.error_json,
        each.error_message,
        each.run_at,
    )


# ---------------------------------------------------------------- answer


def _key(record: StepRecord | Wait) -> Key:
    return (record.workflow_id, record.branch, record.seq)


def _step_answers(
    session: Session, asked: Sequence[StepRecord], written: Written
) -> list[StepAnswer]:
    """All recorded if all were written now; else what is there under which epoch."""
    if written.steps == len(asked):
        return [RECORDED] * len(asked)
    read = session.dialect.read
    found = [rows.step(row, read) for row in _at(session, steps.recorded, asked)]
    there = {_key(step): step for step in found}
    return [_step_answer(step, there.get(_key(step))) for step in asked]


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
        RECORDED if epochs.get(_key(wait), wait.epoch + 1) <= wait.epoch else NOT_YOURS
        for wait in asked
    ]


def _at(
    session: Session, build: Any, asked: Sequence[StepRecord | Wait]
) -> Sequence[Sequence[Any]]:
    keys = [_key(each) for each in asked]
    return session.rows(build, session.dialect.encode("key", steps.KEY, keys))


def _transition_answers(
    session: Session, asked: Sequence[Transition], written: Written
) -> list[TransitionAnswer]:
    missing = [each.workflow_id for each in asked if each.workflow_id not in written.transitions]
    standing: dict[str, tuple[object, ...]] = {}
    if missing:
        listed = {"ids": session.dialect.listed(missing)}
        found = session.rows(workflows.standing, listed)
        standing = {row[0]: tuple(row[1:]) for row in found}
    return [_transition_answer(each, written, standing) for each in asked]


def _transition_answer(
    each: Transition, written: Written, standing: dict[str, tuple[object, ...]]
) -> TransitionAnswer:
    done = written.transitions.get(each.workflow_id)
    if done is not None:
        return Status(done)
    # An earlier try: no owner any more, my epoch, and what I asked for.
    mine = standing.get(each.workflow_id) == (None, each.epoch, str(each.status))
    return each.status if mine else NOT_YOURS
