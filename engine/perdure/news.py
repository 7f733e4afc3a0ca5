"""What a workflow hears of other workflows: how they ended, what they publish.

Scripts; `Handle` offers them. A workflow is woken by the ends of those it has started;
to others it subscribes first, each time that it comes to wait: that is one small write,
and what happened before can be read after it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from . import clock
from .branch import Slot
from .client import Letter, refusal
from .codec import Codec, codec_of
from .errors import WaitTimeout, WorkflowCancelled, WorkflowFinished, WorkflowNotFound
from .execution import note
from .failure import Failure
from .history import outcome
from .mail import EventKey, Published, Refused, Subscription
from .model import Message, Status, WorkflowRecord
from .script import Waits, settle, watch
from .vigil import Vigil

RESULT, EVENT, FIRST, RESULTS = "result", "await", "first", "results"
SEND, CANCEL = "send", "cancel"
_ID: Codec[str] = codec_of(str)


async def result(
    slot: Slot, id: str, codec: Codec[Any], timeout: timedelta | None, waits: Waits
) -> Any:
    """How the workflow `id` has ended: what it returned, or what it raised."""
    record = slot.recorded(name=id, kind=RESULT)
    if record is not None:
        return outcome(record, codec)
    started = slot.attempt.now()
    due = _due(slot, RESULT, timeout)
    await _subscribe(slot, [id], waits)
    found = await watch(slot, Vigil(due=due, targets=[id]), waits)
    if found is None:
        late = WaitTimeout(f"the result of {id}", timeout or timedelta(0))
        failure = Failure.of(late)
        note(slot, RESULT, None, started, name=id, failure=failure)
        raise late
    ended: WorkflowRecord = found[0]
    failed = failure_of(ended)
    note(slot, RESULT, ended.output_json, started, name=id, failure=failed)
    if failed is not None:
        raise failed.exception()
    return codec.load(ended.output_json)


async def first(slot: Slot, ids: Sequence[str], timeout: timedelta | None, waits: Waits) -> str:
    """The id of the one that ended first."""
    record = slot.recorded(name=FIRST, kind=FIRST)
    if record is not None:
        return str(outcome(record, _ID))
    started = slot.attempt.now()
    due = _due(slot, FIRST, timeout)
    await _subscribe(slot, ids, waits)
    found = await watch(slot, Vigil(due=due, targets=ids), waits)
    if found is None:
        late = WaitTimeout(f"the first end of {len(ids)} workflows", timeout or timedelta(0))
        note(slot, FIRST, None, started, failure=Failure.of(late))
        raise late
    ended: list[WorkflowRecord] = found
    winner = min(ended, key=_end).id
    note(slot, FIRST, _ID.dump(winner), started)
    return winner


async def ends(slot: Slot, ids: Sequence[str], waits: Waits) -> dict[str, WorkflowRecord]:
    """The records of workflows, once all have ended.

    They are not recorded again: an end never changes.
    """
    recorded = slot.recorded(name=RESULTS, kind=RESULTS)
    started = slot.attempt.now()
    if recorded is None:
        await _subscribe(slot, ids, waits)
    found = await watch(slot, Vigil(targets=ids, wanted=len(set(ids))), waits)
    if recorded is None:
        note(slot, RESULTS, None, started)
    return {record.id: record for record in found}


async def event(
    slot: Slot,
    key: EventKey,
    codec: Codec[Any],
    timeout: timedelta | None,
    waits: Waits,
) -> Any:
    """The latest value of another workflow's event, as soon as there is one."""
    record = slot.recorded(name=key.name, kind=EVENT)
    if record is not None:
        return outcome(record, codec)
    started = slot.attempt.now()
    due = _due(slot, EVENT, timeout)
    await _subscribe(slot, [key.workflow_id], waits, events=True)
    vigil = Vigil(due=due, event=key, targets=[key.workflow_id])
    found = await watch(slot, vigil, waits)
    if not isinstance(found, Published):
        error = unpublished(key, timeout, found[0] if found else None)
        note(slot, EVENT, None, started, name=key.name, failure=Failure.of(error))
        raise error
    note(slot, EVENT, found.value_json, started, name=key.name)
    return codec.load(found.value_json)


async def send(slot: Slot, letter: Letter, waits: Waits) -> None:
    """Send a message to another workflow, once."""
    record = slot.recorded(name=letter.topic, kind=SEND)
    if record is not None:
        outcome(record, codec_of(Any))
        return
    started = slot.attempt.now()
    await settle(slot, waits)
    message = Message(
        id=letter.key or slot.key,
        workflow_id=letter.to,
        topic=letter.topic,
        body_json=letter.body_json,
        sender=f"{slot.attempt.id}#{slot.branch}",
        position=slot.seq,
    )
    answer = await waits.answer(slot.attempt.host.courier.send(message))
    if isinstance(answer, Refused):
        error = refusal(letter.to, answer.status)
        note(slot, SEND, None, started, name=letter.topic, failure=Failure.of(error))
        raise error
    note(slot, SEND, None, started, name=letter.topic)


async def cancel(slot: Slot, id: str, reason: str, waits: Waits) -> None:
    """Ask for the end of another workflow."""
    record = slot.recorded(name=id, kind=CANCEL)
    if record is not None:
        outcome(record, codec_of(Any))
        return
    started = slot.attempt.now()
    await settle(slot, waits)
    status = await waits.answer(slot.attempt.host.courier.cancel(id, reason))
    if status is None or status in (Status.SUCCESS, Status.ERROR):
        error = refusal(id, status)
        note(slot, CANCEL, None, started, name=id, failure=Failure.of(error))
        raise error
    note(slot, CANCEL, None, started, name=id)


# ------------------------------------------------------------------ words


def unpublished(
    key: EventKey, timeout: timedelta | None, ended: WorkflowRecord | None = None
) -> WaitTimeout | WorkflowFinished:
    """What a timeout raises, and what the end of a workflow that has not published."""
    if ended is not None:
        return WorkflowFinished(key.workflow_id, f"{ended.status}, without event {key.name!r}")
    return WaitTimeout(f"event {key.name!r} of {key.workflow_id}", timeout or timedelta(0))


def failure_of(ended: WorkflowRecord) -> Failure | None:
    """How it failed; None if it did not."""
    if ended.status is Status.SUCCESS:
        return None
    if ended.status is Status.CANCELLED:
        return Failure.of(WorkflowCancelled(ended.id, ended.cancel_reason or ""))
    return Failure.load(ended.error_json)


def _end(ended: WorkflowRecord) -> tuple[datetime, str]:
    return (ended.completed_at or ended.created_at, ended.id)


def _due(slot: Slot, kind: str, timeout: timedelta | None) -> datetime | None:
    return (
        None
        if timeout is None
        else slot.due(kind, slot.attempt.host.now() + clock.bounded(timeout))
    )


async def _subscribe(slot: Slot, ids: Sequence[str], waits: Waits, *, events: bool = False) -> None:
    """Be woken by these workflows.

    Raises:
        WorkflowNotFound: one of them does not exist.
    """
    attempt = slot.attempt
    others = [one for one in dict.fromkeys(ids) if events or one not in attempt.children]
    if not others:
        return
    asked = [Subscription(attempt.id, other) for other in others]
    for other, future in zip(others, attempt.host.courier.subscribe(asked), strict=True):
        if not await waits.answer(future):
            raise WorkflowNotFound(other)
