"""The journal's commit: what is written, and the answer for each operation."""

import itertools
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
from perdure.model import StepRecord, Wait

from . import claims, rows, steps, workers, workflows
from .commits import FENCE, FRESH, STEPS, TRANSITIONS, WAITS, commit
from .dialect import Dialect, Fields
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
    """What one try wrote: how many steps and waits, and which workflows it let go."""

    fenced: bool
    steps: int = 0
    waits: int = 0
    moved: Sequence[str] = ()


@attrs.frozen
class Prepared:
    """A batch as parameters, by part: made once, before a transaction keeps others waiting."""

    worker_id: str
    batch: Batch
    executions: Mapping[str, Sequence[dict[str, Any]]]


def prepare(dialect: Dialect, worker_id: str, batch: Batch) -> Prepared:
    """Encode a batch.

    Raises:
        BackendRefused: something in it cannot be stored.
    """
    given: dict[str, Sequence[Row]] = {
        STEPS: [_step(step) for step in _firsts(batch.steps)],
        WAITS: [_wait(wait) for wait in _firsts(batch.waits)],
        TRANSITIONS: [_transition(each) for each in batch.transitions],
    }
    executions = {
        name: dialect.each(part.name, part.fields, given[name])
        for name, part in _PARTS.items()
        if given[name]
    }
    for one in itertools.chain.from_iterable(executions.values()):
        one["me"] = worker_id
    return Prepared(worker_id, batch, executions)


def record(session: Session, given: Prepared) -> Committed:
    """Write the batch and answer; what was not written now is looked up."""
    written = _fused(session, given) if session.dialect.fused else _one_by_one(session, given)
    batch = given.batch
    return Committed(
        fenced=written.fenced,
        steps=_step_answers(session, batch.steps, written),
        waits=_wait_answers(session, batch.waits, written),
        transitions=_transition_answers(session, batch.transitions, written),
    )


# ----------------------------------------------------------------- write


def _one_by_one(session: Session, given: Prepared) -> Written:
    if not session.rows(workers.fenced, {"me": given.worker_id}):
        return Written(fenced=True)
    # Transitions last: they take away the owner that the others ask for.
    counts = {
        name: session.count(part.build, given.executions.get(name, ()))
        for name, part in _PARTS.items()
    }
    transitions = given.batch.transitions
    all_moved = counts[TRANSITIONS] == len(transitions)
    return Written(
        fenced=False,
        steps=counts[STEPS],
        waits=counts[WAITS],
        # Where some were not moved, what stands there tells which, in this very transaction.
        moved=[to.workflow_id for to in transitions if all_moved],
    )


def _fused(session: Session, given: Prepared) -> Written:
    """All in one statement, which first supposes that nobody has recorded these steps.

    To leave out what is there costs time and log for each step (ON CONFLICT inserts
    it provisionally first), and hardly ever anything is. A duplicate fails the whole
    statement; then it is asked again.
    """
    parameters: dict[str, Any] = {"me": given.worker_id}
    for each in itertools.chain.from_iterable(given.executions.values()):
        parameters |= each
    if STEPS in given.executions:
        with suppress(IntegrityError):
            return _sorted_out(session.rows(commit, parameters, FRESH, *given.executions))
    return _sorted_out(session.rows(commit, parameters, *given.executions))


def _sorted_out(found: Sequence[Sequence[Any]]) -> Written:
    counts = {part: count for part, count, _ in found}
    moved = next((ids for part, _, ids in found if part == TRANSITIONS), None)
    return Written(
        fenced=counts[FENCE] == 0,
        steps=counts.get(STEPS, 0),
        waits=counts.get(WAITS, 0),
        moved=moved or (),
    )


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
    if len(written.moved) == len(asked):
        return [each.status for each in asked]
    moved = {*written.moved}
    missing = [each.workflow_id for each in asked if each.workflow_id not in moved]
    found = session.rows(workflows.standing, {"ids": session.dialect.listed(missing)})
    standing = {row[0]: tuple(row[1:]) for row in found}
    return [
        # An earlier try: no owner any more, my epoch, and what I asked for.
        each.status
        if each.workflow_id in moved
        or standing.get(each.workflow_id) == (None, each.epoch, str(each.status))
        else NOT_YOURS
        for each in asked
    ]
