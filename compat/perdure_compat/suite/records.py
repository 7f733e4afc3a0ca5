"""Short ways to make the records and situations that the tests begin with."""

import json
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from zlib import crc32

from perdure.backend import (
    Backend,
    Batch,
    Claimed,
    Committed,
    Consumption,
    Lane,
    Recovery,
    Submission,
    Transition,
    WorkerInfo,
)
from perdure.errors import OutcomeUnknown
from perdure.mail import SENT, Sight, Watch
from perdure.model import Message, Status, StepRecord, Wait, WorkflowRecord
from perdure.streams import Item, Reading

T = TypeVar("T")

OWNER = "owner"
"""Who runs what `stand` brings into a state."""
LEASE = timedelta(minutes=5)
BRIEF = timedelta(milliseconds=100)
AT_ONCE = timedelta(0)
LANE = Lane("default", "work")
LOWEST, HIGHEST = -(2**31), 2**31 - 1
"""The whole numbers that every database has room for."""
OVER = timedelta(seconds=-1)
"""A lease that is over when it begins."""
WHEN = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
MOMENTS = (
    datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(1969, 7, 20, 20, 17, 40, 1, tzinfo=UTC),
    datetime(1000, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 12, 0, 0, 1000, tzinfo=UTC),
)
"""Times that a database may be unable to hold, or to hold exactly."""
_MOST_TURNS = 100
PATIENT = Recovery(max_strikes=100, backoff=AT_ONCE)


def _usual(changes: dict[str, Any], **usual: Any) -> dict[str, Any]:
    """What a record has if a test does not say otherwise."""
    return usual | changes


def info(worker_id: str, **changes: Any) -> WorkerInfo:
    """A worker that serves `LANE`."""
    usual = _usual(
        changes,
        host="host",
        pid=1,
        code_version=None,
        names=["work"],
        queues=["default"],
    )
    return WorkerInfo(id=worker_id, **usual)


def join(backend: Backend, *worker_ids: str, lease: timedelta = LEASE) -> None:
    """Make workers known and alive."""
    for worker_id in worker_ids:
        assert backend.join(info(worker_id), lease=lease)


def job(workflow_id: str, **changes: Any) -> Submission:
    """A submission to `LANE`."""
    usual = _usual(changes, name="work", input_json=json.dumps([workflow_id]))
    return Submission(id=workflow_id, **usual)


def submit(backend: Backend, *workflow_ids: str, **changes: Any) -> None:
    """Submit workflows that are new."""
    jobs = [job(workflow_id, **changes) for workflow_id in workflow_ids]
    assert list(backend.submit(jobs)) == []


def claim(backend: Backend, worker_id: str, *, limit: int = 1000) -> list[Claimed]:
    """Claim from `LANE`."""
    return list(backend.claim(worker_id, [LANE], limit=limit))


def claim_beside(
    backend: Backend, worker_id: str, *, known: Collection[str] = (), limit: int = 1000
) -> list[Claimed]:
    """Claim while others do, as an engine does: whose claim was not answered gives it back.

    A backend whose claims commit by themselves cannot always tell what became of one
    that lost a race. `known` is what the worker runs.
    """
    while True:
        try:
            return claim(backend, worker_id, limit=limit)
        except OutcomeUnknown:
            backend.reconcile(worker_id, known)


def ids(records: Sequence[Claimed | Submission | WorkflowRecord]) -> list[str]:
    """The ids of records, in their order."""
    return [record.id for record in records]


def own(backend: Backend, worker_id: str, *workflow_ids: str) -> None:
    """Submit workflows and let a worker claim them; nothing else may be enqueued."""
    submit(backend, *workflow_ids)
    assert sorted(ids(claim(backend, worker_id))) == sorted(workflow_ids)


def stand(backend: Backend, workflow_id: str, status: Status, **changes: Any) -> None:
    """Bring a new workflow into a state; nothing else may be enqueued."""
    later = {"delay": LEASE} if status is Status.DELAYED else {}
    submit(backend, workflow_id, **(later | changes))
    if status in (Status.DELAYED, Status.ENQUEUED):
        return
    join(backend, OWNER)
    assert ids(claim(backend, OWNER)) == [workflow_id]
    if status is not Status.RUNNING:
        assert list(finish(backend, OWNER, end(workflow_id, status)).transitions) == [status]


def step(workflow_id: str, seq: int = 1, **changes: Any) -> StepRecord:
    """A step that succeeded, with an output that tells it from every other."""
    usual = _usual(
        changes,
        branch="",
        name="charge",
        kind="step",
        status="success",
        error_json=None,
        error_message=None,
        attempts=1,
        started_at=WHEN,
        completed_at=WHEN + timedelta(seconds=1),
        epoch=1,
    )
    output = json.dumps([workflow_id, seq, usual["branch"], usual["epoch"]])
    usual.setdefault("output_json", output)
    return StepRecord(workflow_id=workflow_id, seq=seq, **usual)


def wait(workflow_id: str, seq: int = 1, **changes: Any) -> Wait:
    """A sleep that was reached."""
    usual = _usual(changes, branch="", kind="sleep", due=WHEN, epoch=1)
    return Wait(workflow_id=workflow_id, seq=seq, **usual)


def end(workflow_id: str, status: Status = Status.SUCCESS, **changes: Any) -> Transition:
    """The owner lets go; the status says how."""
    usual = _usual(changes, epoch=1)
    return Transition(workflow_id=workflow_id, status=status, **usual)


def suspend(workflow_id: str, **changes: Any) -> Transition:
    """The owner lets go until something comes; nothing does if no test says what."""
    return end(workflow_id, Status.WAITING, **changes)


def message(workflow_id: str, message_id: str = "m", **changes: Any) -> Message:
    """A message with a body that tells it from every other."""
    usual = _usual(changes, topic="topic", sender="sender", position=1)
    usual.setdefault("body_json", json.dumps([workflow_id, message_id]))
    return Message(id=message_id, workflow_id=workflow_id, **usual)


def taking(step: StepRecord, message_id: str = "m", **changes: Any) -> Batch:
    """A batch with a step that takes a message."""
    place = _usual(
        changes,
        workflow_id=step.workflow_id,
        branch=step.branch,
        seq=step.seq,
        epoch=step.epoch,
    )
    return Batch(steps=[step], consumptions=[Consumption(message_id=message_id, **place)])


def item(workflow_id: str, offset: int = 0, **changes: Any) -> Item:
    """An item of a stream with a value that tells it from every other."""
    usual = _usual(changes, stream="log", place="", attempt=1, closes=False, epoch=1)
    usual.setdefault("value_json", json.dumps([workflow_id, usual["stream"], offset]))
    return Item(workflow_id=workflow_id, offset=offset, **usual)


def write(backend: Backend, worker_id: str, *items: Item) -> Committed:
    """Commit items of streams and nothing else."""
    return backend.commit(worker_id, Batch(items=items))


def read(
    backend: Backend,
    workflow_id: str,
    stream: str = "log",
    *,
    after: int = -1,
    limit: int = 1000,
) -> list[Item]:
    """What one stream of one workflow holds, in its order."""
    reading = Reading(workflow_id=workflow_id, stream=stream, after=after)
    return list(backend.read([reading], limit=limit))


def send(backend: Backend, *messages: Message) -> None:
    """Send what can be sent."""
    assert list(backend.send(messages)) == [SENT] * len(messages)


def drain(backend: Backend) -> None:
    """Apply all wake-ups that have been written, and those that this leads to."""
    for _ in range(_MOST_TURNS):
        if not backend.wake(limit=1000):
            return
    raise AssertionError(f"there is always something to wake, {_MOST_TURNS} times now")


def look(backend: Backend, workflow_id: str, *topics: str, limit: int = 1000) -> Sight:
    """What has come for one workflow that is there."""
    (sight,) = backend.look([Watch(workflow_id=workflow_id, topics=topics)], limit=limit)
    return sight


def inbox(backend: Backend, workflow_id: str, *topics: str, limit: int = 1000) -> list[str]:
    """The ids of the messages that wait for one workflow, in their order."""
    sight = look(backend, workflow_id, *topics or ("topic",), limit=limit)
    return [one.id for one in sight.messages]


def record(backend: Backend, worker_id: str, *steps: StepRecord) -> Committed:
    """Commit steps and nothing else."""
    return backend.commit(worker_id, Batch(steps=steps))


def finish(backend: Backend, worker_id: str, *transitions: Transition) -> Committed:
    """Commit transitions and nothing else."""
    return backend.commit(worker_id, Batch(transitions=transitions))


def get(backend: Backend, workflow_id: str) -> WorkflowRecord:
    """One workflow that is there."""
    (found,) = backend.load([workflow_id])
    return found


def steps_of(backend: Backend, workflow_id: str) -> list[StepRecord]:
    """What is recorded of one workflow."""
    return [step for history in backend.history([workflow_id]) for step in history.steps]


def waits_of(backend: Backend, workflow_id: str) -> list[Wait]:
    """The waits that one workflow reached."""
    return [wait for history in backend.history([workflow_id]) for wait in history.waits]


def kept(moment: datetime) -> tuple[datetime, datetime]:
    """How a time may come back: as it was, or with whole milliseconds."""
    return moment, moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def scrambled(items: Sequence[T]) -> list[T]:
    """The items in an order without a pattern, the same at each run."""
    return [items[at] for at in sorted(range(len(items)), key=lambda at: crc32(b"%d" % at))]
