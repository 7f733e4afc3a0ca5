"""Workflows: which verb may move one, and what becomes of it, as pure functions.

Every change of a workflow is one of those below, in the order of its life.
"""

import json
from datetime import UTC, datetime, timedelta

import attrs

from perdure.backend import Query, Recovery, Submission, Transition
from perdure.model import Attributes, Status, WorkflowRecord

SUSPECT = 2
"""From so many strikes on, a workflow is claimed only by who asks for suspects."""
NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""The due time of what time does not wake."""
_MOST_DOUBLINGS = 20


# ---------------------------------------------------------------- submit


def submitted(new: Submission, *, now: datetime) -> WorkflowRecord:
    """A workflow that is not there yet."""
    run_at = new.run_at or now + (new.delay or timedelta(0))
    return WorkflowRecord(
        id=new.id,
        name=new.name,
        status=Status.DELAYED if run_at > now else Status.ENQUEUED,
        queue=new.queue,
        priority=new.priority,
        run_at=run_at,
        input_json=new.input_json,
        output_json=None,
        error_json=None,
        error_message=None,
        owner=None,
        epoch=0,
        recoveries=0,
        strikes=0,
        wake=0,
        parent_id=new.parent_id,
        detached=new.detached,
        timeout=new.timeout,
        deadline=new.deadline,
        cancel_requested_at=None,
        cancel_reason=None,
        code_version=new.code_version,
        attributes=dict(new.attributes),
        created_at=now,
        started_at=None,
        completed_at=None,
    )


# ----------------------------------------------------------- wake, claim


def timed(workflow: WorkflowRecord) -> bool:
    """Whether it waits for its due time."""
    return workflow.status in (Status.DELAYED, Status.WAITING) and workflow.run_at < NEVER


def due(workflow: WorkflowRecord) -> datetime:
    """When it wants to run: who waits longest is served first where all are equal."""
    return workflow.run_at


def woken(workflow: WorkflowRecord) -> WorkflowRecord:
    """Due: it keeps its place by its due time."""
    return attrs.evolve(workflow, status=Status.ENQUEUED)


def counted(workflow: WorkflowRecord, *, wake_at: int | None, now: datetime) -> WorkflowRecord:
    """One more wake-up, which is `wake_at` of a suspended one or not."""
    more = attrs.evolve(workflow, wake=workflow.wake + 1)
    if more.status is Status.WAITING and _reached(more.wake, wake_at):
        return _hurried(more, now=now)
    return more


def _reached(wake: int, wake_at: int | None) -> bool:
    return wake_at is not None and wake >= wake_at


def _hurried(workflow: WorkflowRecord, *, now: datetime) -> WorkflowRecord:
    """In the queue, due at once at the latest."""
    return attrs.evolve(workflow, status=Status.ENQUEUED, run_at=min(workflow.run_at, now))


def ready(workflow: WorkflowRecord, *, suspects: bool, now: datetime) -> bool:
    """Whether a claim from its lane may take it."""
    due = workflow.status is Status.ENQUEUED and workflow.run_at <= now
    return due and (workflow.strikes >= SUSPECT) == suspects


def turn(workflow: WorkflowRecord) -> tuple[int, datetime, str]:
    """Its place in the line: the smallest is served first."""
    # Text is ordered by code point, which is the order of its UTF-8 bytes.
    return (workflow.priority, workflow.run_at, workflow.id)


def claimed(workflow: WorkflowRecord, *, owner: str, now: datetime) -> WorkflowRecord:
    """Running, under an epoch that nobody ever had."""
    return attrs.evolve(
        workflow,
        status=Status.RUNNING,
        owner=owner,
        epoch=workflow.epoch + 1,
        started_at=workflow.started_at or now,
        deadline=workflow.deadline if workflow.started_at else _first_deadline(workflow, now=now),
    )


def _first_deadline(workflow: WorkflowRecord, *, now: datetime) -> datetime | None:
    if workflow.timeout is None:
        return workflow.deadline
    return min(workflow.deadline or NEVER, now + workflow.timeout)


# ------------------------------------------------ the owner's own doings


def owned(workflow: WorkflowRecord | None, *, by: str, epoch: int) -> bool:
    """The guard of every write: running, this worker's, and still under this epoch."""
    if workflow is None or workflow.status is not Status.RUNNING:
        return False
    return (workflow.owner, workflow.epoch) == (by, epoch)


def let_go(workflow: WorkflowRecord, to: Transition, *, now: datetime) -> WorkflowRecord:
    """The end, parked, suspended, or back to the queue."""
    left = attrs.evolve(
        workflow,
        status=to.status,
        owner=None,
        output_json=to.output_json,
        error_json=to.error_json,
        error_message=to.error_message,
        completed_at=now if to.status.final else None,
    )
    if to.status is not Status.WAITING:
        return left
    if _sent_back(workflow, to):
        return attrs.evolve(left, status=Status.ENQUEUED, run_at=now)
    return attrs.evolve(left, run_at=to.run_at or NEVER)


def _sent_back(workflow: WorkflowRecord, to: Transition) -> bool:
    """Whether more has come for it than its owner knew when it suspended it."""
    ignorant = asked(workflow) and not to.cancelling
    return ignorant or _reached(workflow.wake, to.wake_at)


def stands_as(workflow: WorkflowRecord | None, to: Transition) -> bool:
    """Whether an earlier try of this transition took effect, as far as can be seen."""
    if workflow is None or workflow.owner is not None or workflow.epoch != to.epoch:
        return False
    back = to.status is Status.WAITING and workflow.status is Status.ENQUEUED
    return back or workflow.status is to.status


def released(workflow: WorkflowRecord) -> WorkflowRecord:
    """Back to the queue: its owner does not know of it."""
    return attrs.evolve(workflow, status=Status.ENQUEUED, owner=None)


# ---------------------------------------------------------------- cancel


def asked(workflow: WorkflowRecord) -> bool:
    """Whether somebody has asked to cancel it."""
    return workflow.cancel_requested_at is not None


def cancelled(workflow: WorkflowRecord, *, reason: str, now: datetime) -> WorkflowRecord:
    """At its end, on its way to clean up, or asked for it; the first request counts."""
    parked = workflow.status is Status.PARKED
    if workflow.status.final or (asked(workflow) and not parked):
        return workflow
    to_end = workflow if asked(workflow) else _asked(workflow, reason, now)
    if workflow.status is Status.RUNNING:
        return to_end
    if parked or workflow.epoch == 0:
        return attrs.evolve(to_end, status=Status.CANCELLED, completed_at=now)
    return _hurried(to_end, now=now)


def _asked(workflow: WorkflowRecord, reason: str, now: datetime) -> WorkflowRecord:
    return attrs.evolve(workflow, cancel_requested_at=now, cancel_reason=reason)


def limited(workflow: WorkflowRecord) -> bool:
    """Whether its deadline will cancel it."""
    return workflow.deadline is not None and not workflow.status.final and not asked(workflow)


def late(workflow: WorkflowRecord, *, now: datetime) -> bool:
    """Whether its deadline is over, and nobody has asked to cancel it."""
    return limited(workflow) and workflow.deadline is not None and workflow.deadline <= now


def next_due(workflow: WorkflowRecord) -> datetime:
    """When `wake` has something to do with it."""
    due = workflow.run_at if timed(workflow) else NEVER
    return min(due, workflow.deadline or NEVER) if limited(workflow) else due


# ---------------------------------------------------------- reap, resume


def recovered(
    workflow: WorkflowRecord, recovery: Recovery, *, progress: bool, now: datetime
) -> WorkflowRecord:
    """Taken from a dead owner. `progress`: a step was recorded under its last epoch."""
    back = attrs.evolve(
        workflow,
        status=Status.ENQUEUED,
        owner=None,
        recoveries=workflow.recoveries + 1,
        strikes=1 if progress else workflow.strikes + 1,
    )
    if back.strikes >= recovery.max_strikes:
        return _set_aside(back)
    if back.strikes >= SUSPECT:
        times = 2 ** min(back.strikes - SUSPECT, _MOST_DOUBLINGS)
        return attrs.evolve(back, status=Status.DELAYED, run_at=now + recovery.backoff * times)
    return back


def _set_aside(workflow: WorkflowRecord) -> WorkflowRecord:
    message = f"recovered {workflow.strikes} times without progress: its worker dies while it runs"
    error = {
        "type": "WorkflowParked",
        "module": "perdure.errors",
        "args": list[str](),
        "message": message,
        "traceback": "",
    }
    return attrs.evolve(
        workflow,
        status=Status.PARKED,
        error_json=json.dumps(error),
        error_message=message,
    )


def resumed(workflow: WorkflowRecord, *, now: datetime) -> WorkflowRecord:
    """Due at once, with a clean slate."""
    return attrs.evolve(
        workflow,
        status=Status.ENQUEUED,
        run_at=now,
        strikes=0,
        error_json=None,
        error_message=None,
    )


# --------------------------------------------------------------- queries


def newest(workflow: WorkflowRecord) -> tuple[datetime, str]:
    """What pages are ordered by, descending."""
    return (workflow.created_at, workflow.id)


def matches(workflow: WorkflowRecord, query: Query) -> bool:
    """Whether it is among what is asked for."""
    asked = ((query.name, workflow.name), (query.queue, workflow.queue))
    return (
        all(wanted in (None, there) for wanted, there in asked)
        and query.parent_id in (None, workflow.parent_id)
        and (query.statuses is None or workflow.status in query.statuses)
        and (query.after is None or newest(workflow) < query.after)
        and _has(workflow.attributes, query.attributes or {})
    )


def _has(there: Attributes, wanted: Attributes) -> bool:
    # True is 1 to Python, not to a database of JSON documents.
    return all(
        key in there
        and there[key] == value
        and isinstance(there[key], bool) == isinstance(value, bool)
        for key, value in wanted.items()
    )
