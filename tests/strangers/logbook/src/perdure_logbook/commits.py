"""The journal's verb: what of a batch is written, and the answer to each operation."""

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
from .log import Turn
from .mailbox import Threshold


def commit(turn: Turn, worker_id: str, batch: Batch) -> Committed:
    """Write what the worker may write, then answer by what is there, as a repeat would."""
    fenced = turn.fenced(worker_id)
    before = turn.tables.mailbox.next_number
    if not fenced:
        _write(turn, worker_id, batch)
    return Committed(
        fenced=fenced,
        steps=[_step_answer(turn, step) for step in batch.steps],
        waits=[_wait_answer(turn, wait) for wait in batch.waits],
        transitions=[_transition_answer(turn, to) for to in batch.transitions],
        wakeups=turn.tables.mailbox.next_number > before,
    )


def _write(turn: Turn, worker_id: str, batch: Batch) -> None:
    """Transitions come last: they take away the owner that the others ask for."""
    consumptions = {_taker(one): one for one in batch.consumptions}
    for step in batch.steps:
        if _mine(turn, worker_id, step) and turn.tables.step(step) is None:
            _record(turn, step, consumptions.get(_taker(step)))
    for wait in batch.waits:
        if _mine(turn, worker_id, wait) and turn.tables.wait(wait) is None:
            turn.put(wait)
    turn.put(*[item for item in batch.items if _mine(turn, worker_id, item)])
    for to in batch.transitions:
        if _mine(turn, worker_id, to):
            _let_go(turn, to)


def _record(turn: Turn, step: StepRecord, consumption: Consumption | None) -> None:
    """The step, and what goes with it."""
    turn.put(step)
    if consumption and turn.tables.mailbox.holds(consumption):
        turn.put(consumption)
    if step.kind == "event":
        outbox.tell_subscribers(turn, step.workflow_id)


def _taker(each: StepRecord | Consumption) -> tuple[str, str, int, int]:
    return (each.workflow_id, each.branch, each.seq, each.epoch)


def _let_go(turn: Turn, to: Transition) -> None:
    one = turn.tables.workflows[to.workflow_id]
    outbox.change(turn, workflows.moved(one, to, now=turn.now))
    if to.status is Status.WAITING:
        turn.put(Threshold(one.id, to.wake_at))


def _mine(turn: Turn, worker_id: str, each: StepRecord | Wait | Item | Transition) -> bool:
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
    """How the workflow stands; a suspended one may be back in the queue."""
    one = turn.tables.workflows.get(to.workflow_id)
    if one is None or (one.owner, one.epoch) != (None, to.epoch):
        return NOT_YOURS
    back = {Status.ENQUEUED} if to.status is Status.WAITING else set[Status]()
    return one.status if one.status in {to.status, *back} else NOT_YOURS
