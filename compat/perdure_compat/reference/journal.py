"""The journal's commit: what is written, and the answer to each operation."""

from datetime import datetime

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

from . import workflows
from .store import Store


def fenced(store: Store, worker_id: str) -> bool:
    """Whether this worker may write nothing any more: dead, or never here."""
    worker = store.workers.get(worker_id)
    return worker is None or not worker.alive


def commit(store: Store, worker_id: str, batch: Batch, *, now: datetime) -> Committed:
    """Write what the worker may write, then answer from what is there.

    Transitions come last: they take away the owner that the others ask for.
    """
    barred = fenced(store, worker_id)
    if not barred:
        _record(store, worker_id, batch)
    moved = set[str]() if barred else _move(store, worker_id, batch, now)
    return Committed(
        fenced=barred,
        steps=[_step_answer(store, step) for step in batch.steps],
        waits=[_wait_answer(store, wait) for wait in batch.waits],
        transitions=[_transition_answer(store, to, moved) for to in batch.transitions],
    )


def _record(store: Store, worker_id: str, batch: Batch) -> None:
    """Steps and waits; what is there already stays."""
    for step in batch.steps:
        if _mine(store, worker_id, step):
            store.steps[step.workflow_id].setdefault((step.branch, step.seq), step)
    for wait in batch.waits:
        if _mine(store, worker_id, wait):
            store.waits[wait.workflow_id].setdefault((wait.branch, wait.seq), wait)


def _move(store: Store, worker_id: str, batch: Batch, now: datetime) -> set[str]:
    mine = [to for to in batch.transitions if _mine(store, worker_id, to)]
    for to in mine:
        store.workflows[to.workflow_id] = workflows.let_go(
            store.workflows[to.workflow_id], to, now=now
        )
    return {to.workflow_id for to in mine}


def _mine(store: Store, worker_id: str, each: StepRecord | Wait | Transition) -> bool:
    found = store.workflows.get(each.workflow_id)
    return workflows.owned(found, by=worker_id, epoch=each.epoch)


def _step_answer(store: Store, step: StepRecord) -> StepAnswer:
    there = store.steps.get(step.workflow_id, {}).get((step.branch, step.seq))
    if there is None:
        return NOT_YOURS
    return RECORDED if there.epoch == step.epoch else AlreadyRecorded(there)


def _wait_answer(store: Store, wait: Wait) -> Recorded | NotYours:
    there = store.waits.get(wait.workflow_id, {}).get((wait.branch, wait.seq))
    return RECORDED if there is not None and there.epoch <= wait.epoch else NOT_YOURS


def _transition_answer(store: Store, to: Transition, moved: set[str]) -> TransitionAnswer:
    found = store.workflows.get(to.workflow_id)
    done = to.workflow_id in moved or workflows.stands_as(found, to)
    return to.status if done else NOT_YOURS
