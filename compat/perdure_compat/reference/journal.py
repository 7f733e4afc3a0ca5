"""The journal's commit: what is written, and the answer to each operation."""

from collections.abc import Sequence
from datetime import datetime

from perdure.backend import (
    NOT_YOURS,
    RECORDED,
    AlreadyRecorded,
    Batch,
    Committed,
    Consumption,
    Item,
    NotYours,
    Recorded,
    StepAnswer,
    Transition,
    TransitionAnswer,
)
from perdure.model import Status, StepRecord, Wait

from . import outbox, workflows
from .store import Place, Store


def fenced(store: Store, worker_id: str) -> bool:
    """Whether this worker may write nothing any more: dead, or never here."""
    worker = store.workers.get(worker_id)
    return worker is None or not worker.alive


def commit(store: Store, worker_id: str, batch: Batch, *, now: datetime) -> Committed:
    """Write what the worker may write, then answer from what is there.

    Transitions come last: they take away the owner that the others ask for.
    """
    if fenced(store, worker_id):
        return _answered(store, batch, moved=set(), fenced=True)
    fresh = _record(store, worker_id, batch)
    _consume(store, batch, fresh)
    published = _publish(store, fresh)
    moved, ended = _move(store, worker_id, batch, now)
    return _answered(store, batch, moved=moved, wakeups=published or ended)


def _record(store: Store, worker_id: str, batch: Batch) -> list[StepRecord]:
    """Steps, waits and items; what is there already stays. Which steps are new."""
    fresh = list[StepRecord]()
    for step in batch.steps:
        place = (step.branch, step.seq)
        if _mine(store, worker_id, step) and place not in store.steps[step.workflow_id]:
            store.steps[step.workflow_id][place] = step
            fresh.append(step)
    for wait in batch.waits:
        if _mine(store, worker_id, wait):
            store.waits[wait.workflow_id].setdefault((wait.branch, wait.seq), wait)
    for item in batch.items:
        if _mine(store, worker_id, item):
            store.items.setdefault((item.workflow_id, item.stream, item.offset), item)
    return fresh


def _consume(store: Store, batch: Batch, fresh: Sequence[StepRecord]) -> None:
    """Messages go with the steps that this call has written."""
    written = {_key(step) for step in fresh}
    for one in batch.consumptions:
        message = (one.workflow_id, one.message_id)
        there = one.message_id in store.messages.get(one.workflow_id, {})
        if there and _key(one) in written:
            store.consumed.setdefault(message, (one.branch, one.seq))


def _key(each: StepRecord | Consumption) -> tuple[str, Place, int]:
    return (each.workflow_id, (each.branch, each.seq), each.epoch)


def _publish(store: Store, fresh: Sequence[StepRecord]) -> bool:
    events = [step for step in fresh if step.kind == "event"]
    told = [outbox.tell_subscribers(store, step.workflow_id) for step in events]
    return any(told)


def _move(store: Store, worker_id: str, batch: Batch, now: datetime) -> tuple[set[str], bool]:
    """Which workflows have gone, and whether others are to hear of their ends."""
    mine = [to for to in batch.transitions if _mine(store, worker_id, to)]
    told = [_let_go(store, to, now) for to in mine]
    return {to.workflow_id for to in mine}, any(told)


def _let_go(store: Store, to: Transition, now: datetime) -> bool:
    left = workflows.let_go(store.workflows[to.workflow_id], to, now=now)
    store.workflows[left.id] = left
    store.thresholds.pop(left.id, None)
    if left.status is Status.WAITING and to.wake_at is not None:
        store.thresholds[left.id] = to.wake_at
    return left.status.final and outbox.tell_of_end(store, left)


def _mine(store: Store, worker_id: str, each: StepRecord | Wait | Item | Transition) -> bool:
    found = store.workflows.get(each.workflow_id)
    return workflows.owned(found, by=worker_id, epoch=each.epoch)


def _answered(
    store: Store, batch: Batch, *, moved: set[str], fenced: bool = False, wakeups: bool = False
) -> Committed:
    return Committed(
        fenced=fenced,
        steps=[_step_answer(store, step) for step in batch.steps],
        waits=[_wait_answer(store, wait) for wait in batch.waits],
        transitions=[_transition_answer(store, to, moved) for to in batch.transitions],
        wakeups=wakeups,
    )


def _step_answer(store: Store, step: StepRecord) -> StepAnswer:
    there = store.steps.get(step.workflow_id, {}).get((step.branch, step.seq))
    if there is None:
        return NOT_YOURS
    return RECORDED if there.epoch == step.epoch else AlreadyRecorded(there)


def _wait_answer(store: Store, wait: Wait) -> Recorded | NotYours:
    there = store.waits.get(wait.workflow_id, {}).get((wait.branch, wait.seq))
    return RECORDED if there is not None and there.epoch <= wait.epoch else NOT_YOURS


def _transition_answer(store: Store, to: Transition, moved: set[str]) -> TransitionAnswer:
    """How the workflow stands; a suspended one may be back in the queue."""
    found = store.workflows.get(to.workflow_id)
    done = to.workflow_id in moved or workflows.stands_as(found, to)
    return found.status if found is not None and done else NOT_YOURS
