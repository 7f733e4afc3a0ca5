"""The journal's verb: what of a batch is written, and the answer to each operation."""

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

from . import workflows
from .log import Turn


def commit(turn: Turn, worker_id: str, batch: Batch) -> Committed:
    """Write what the worker may write, then answer by what is there, as a repeat would."""
    fenced = turn.fenced(worker_id)
    if not fenced:
        _write(turn, worker_id, batch)
    return Committed(
        fenced=fenced,
        steps=[_step_answer(turn, step) for step in batch.steps],
        waits=[_wait_answer(turn, wait) for wait in batch.waits],
        transitions=[_transition_answer(turn, to) for to in batch.transitions],
    )


def _write(turn: Turn, worker_id: str, batch: Batch) -> None:
    """Transitions come last: they take away the owner that the others ask for."""
    for step in batch.steps:
        if _mine(turn, worker_id, step) and turn.tables.step(step) is None:
            turn.put(step)
    for wait in batch.waits:
        if _mine(turn, worker_id, wait) and turn.tables.wait(wait) is None:
            turn.put(wait)
    for to in batch.transitions:
        if _mine(turn, worker_id, to):
            turn.put(workflows.moved(turn.tables.workflows[to.workflow_id], to, now=turn.now))


def _mine(turn: Turn, worker_id: str, each: StepRecord | Wait | Transition) -> bool:
    """The guard of every write: running, the worker's, under this epoch."""
    one = turn.tables.workflows.get(each.workflow_id)
    there = one and (one.status, one.owner, one.epoch)
    return there == (Status.RUNNING, worker_id, each.epoch)


def _step_answer(turn: Turn, step: StepRecord) -> StepAnswer:
    there = turn.tables.step(step)
    if there is None:
        return NOT_YOURS
    return RECORDED if there.epoch == step.epoch else AlreadyRecorded(there)


def _wait_answer(turn: Turn, wait: Wait) -> Recorded | NotYours:
    there = turn.tables.wait(wait)
    return RECORDED if there is not None and there.epoch <= wait.epoch else NOT_YOURS


def _transition_answer(turn: Turn, to: Transition) -> TransitionAnswer:
    one = turn.tables.workflows.get(to.workflow_id)
    there = one and (one.status, one.owner, one.epoch)
    return to.status if there == (to.status, None, to.epoch) else NOT_YOURS
