"""Workflows: what becomes of one, verb by verb."""

from datetime import UTC, datetime, timedelta

import attrs

from perdure.backend import Existing, Lane, Query, Recovery, Submission, Transition
from perdure.model import Attributes, Status, WorkflowRecord

NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""The due time of what time does not wake; any time of that day means it."""
_SUSPECT = 2
_MOST_DOUBLINGS = 20


def submitted(new: Submission, *, now: datetime) -> WorkflowRecord:
    """A new one."""
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


def existing(one: WorkflowRecord) -> Existing:
    """What is told to who submits it again."""
    return Existing(id=one.id, name=one.name, input_json=one.input_json, parent_id=one.parent_id)


def ready(one: WorkflowRecord, *, suspects: bool, now: datetime) -> bool:
    """Whether it is due, and a suspect if these are asked for."""
    due = one.status is Status.ENQUEUED and one.run_at <= now
    return due and (one.strikes >= _SUSPECT) == suspects


def due(one: WorkflowRecord) -> datetime:
    """When time puts it into the queue."""
    return one.run_at if one.status in (Status.DELAYED, Status.WAITING) else NEVER


def late(one: WorkflowRecord) -> datetime:
    """When its deadline cancels it."""
    limited = not one.status.final and not asked(one)
    return one.deadline if limited and one.deadline else NEVER


def lane(one: WorkflowRecord) -> Lane:
    """Where a claim looks for it."""
    return Lane(one.queue, one.name)


def turn(one: WorkflowRecord) -> tuple[int, datetime, str]:
    """Its place in the queue; texts are in the order of their UTF-8."""
    return (one.priority, one.run_at, one.id)


def claimed(one: WorkflowRecord, *, owner: str, now: datetime) -> WorkflowRecord:
    """With an owner, and an epoch that nobody ever had."""
    begun = one if one.started_at else _begun(one, now=now)
    return attrs.evolve(begun, status=Status.RUNNING, owner=owner, epoch=one.epoch + 1)


def _begun(one: WorkflowRecord, *, now: datetime) -> WorkflowRecord:
    limits = [] if one.timeout is None else [now + one.timeout]
    limits += [] if one.deadline is None else [one.deadline]
    return attrs.evolve(one, started_at=now, deadline=min(limits, default=None))


def released(one: WorkflowRecord) -> WorkflowRecord:
    """In the queue, and nobody's."""
    return attrs.evolve(one, status=Status.ENQUEUED, owner=None)


def moved(one: WorkflowRecord, to: Transition, *, now: datetime) -> WorkflowRecord:
    """Let go by its owner, or back at once if more has come than its owner knew."""
    after = attrs.evolve(
        one,
        status=to.status,
        owner=None,
        output_json=to.output_json,
        error_json=to.error_json,
        error_message=to.error_message,
        completed_at=now if to.status.final else None,
    )
    if to.status is not Status.WAITING:
        return after
    ignorant = asked(one) and not to.cancelling
    if ignorant or _reached(one.wake, to.wake_at):
        return attrs.evolve(released(after), run_at=now)
    return attrs.evolve(after, run_at=to.run_at or NEVER)


def _hurried(one: WorkflowRecord, *, now: datetime) -> WorkflowRecord:
    return attrs.evolve(released(one), run_at=min(one.run_at, now))


def _reached(wake: int, wake_at: int | None) -> bool:
    return wake_at is not None and wake >= wake_at


def counted(
    one: WorkflowRecord, more: int, *, wake_at: int | None, now: datetime
) -> WorkflowRecord:
    """With so many wake-ups more; `wake_at` counts if it is suspended."""
    told = attrs.evolve(one, wake=one.wake + more)
    woken = told.status is Status.WAITING and _reached(told.wake, wake_at)
    return _hurried(told, now=now) if woken else told


def asked(one: WorkflowRecord) -> bool:
    """Whether somebody has asked to cancel it."""
    return one.cancel_requested_at is not None


def cancelled(one: WorkflowRecord, *, reason: str, now: datetime) -> WorkflowRecord:
    """Asked for its end, and on its way there if nobody runs it; who is asked again goes on."""
    parked = one.status is Status.PARKED
    if one.status.final or (asked(one) and not parked):
        return one
    if not asked(one):
        one = attrs.evolve(one, cancel_requested_at=now, cancel_reason=reason)
    if parked or one.epoch == 0:
        return attrs.evolve(one, status=Status.CANCELLED, completed_at=now)
    return one if one.status is Status.RUNNING else _hurried(one, now=now)


def recovered(
    one: WorkflowRecord, recovery: Recovery, *, progress: bool, now: datetime
) -> WorkflowRecord:
    """Taken from a dead worker."""
    strikes = 1 if progress else one.strikes + 1
    back = attrs.evolve(released(one), recoveries=one.recoveries + 1, strikes=strikes)
    if strikes >= recovery.max_strikes:
        why = f"its workers died {strikes} times while it ran and made no progress"
        return attrs.evolve(back, status=Status.PARKED, error_message=why)
    if strikes < _SUSPECT:
        return back
    pause = recovery.backoff * 2 ** min(strikes - _SUSPECT, _MOST_DOUBLINGS)
    return attrs.evolve(back, status=Status.DELAYED, run_at=now + pause)


def resumed(one: WorkflowRecord, *, now: datetime) -> WorkflowRecord:
    """Brought back by a person."""
    clean = attrs.evolve(one, strikes=0, error_json=None, error_message=None)
    return attrs.evolve(clean, status=Status.ENQUEUED, run_at=now)


def age(one: WorkflowRecord) -> tuple[datetime, str]:
    """What pages are ordered by."""
    return (one.created_at, one.id)


def matches(one: WorkflowRecord, query: Query) -> bool:
    """Whether it is asked for."""
    columns = ("name", "queue", "parent_id")
    return (
        all(getattr(query, name) in (None, getattr(one, name)) for name in columns)
        and (query.statuses is None or one.status in query.statuses)
        and (query.after is None or age(one) < query.after)
        and _has(one.attributes, query.attributes or {})
    )


def _has(there: Attributes, asked: Attributes) -> bool:
    # To Python True is 1; to whoever asks it is not.
    pairs = [(there.get(key), value) for key, value in asked.items()]
    return all(a == b and isinstance(a, bool) == isinstance(b, bool) for a, b in pairs)
