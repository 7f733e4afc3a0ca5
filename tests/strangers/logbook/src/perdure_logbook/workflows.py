"""Workflows: what becomes of one, verb by verb."""

from datetime import datetime, timedelta
from typing import Any

import attrs

from perdure.backend import Claimed, Lane, Query, Recovery, Submission, Transition
from perdure.model import Attributes, Status, WorkflowRecord

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
        parent_id=None,
        code_version=new.code_version,
        attributes=dict(new.attributes),
        created_at=now,
        started_at=None,
        completed_at=None,
    )


def ready(one: WorkflowRecord, *, suspects: bool, now: datetime) -> bool:
    """Whether it is due, and a suspect if these are asked for."""
    due = one.status is Status.ENQUEUED and one.run_at <= now
    return due and (one.strikes >= _SUSPECT) == suspects


def timed(one: WorkflowRecord) -> bool:
    """Whether it waits for its due time."""
    return one.status in (Status.DELAYED, Status.WAITING)


def due(one: WorkflowRecord) -> datetime:
    """What the line of those who wait is ordered by."""
    return one.run_at


def lane(one: WorkflowRecord) -> Lane:
    """Where a claim looks for it."""
    return Lane(one.queue, one.name)


def turn(one: WorkflowRecord) -> tuple[int, datetime, str]:
    """Its place in the queue; texts are in the order of their UTF-8."""
    return (one.priority, one.run_at, one.id)


def claimed(one: WorkflowRecord, *, owner: str, now: datetime) -> WorkflowRecord:
    """With an owner, and an epoch that nobody ever had."""
    started_at = one.started_at or now
    running = attrs.evolve(one, status=Status.RUNNING, owner=owner, started_at=started_at)
    return attrs.evolve(running, epoch=one.epoch + 1)


def claim_of(one: WorkflowRecord) -> Claimed:
    """What its new owner is told."""
    told: dict[str, Any] = {field.name: getattr(one, field.name) for field in attrs.fields(Claimed)}
    return Claimed(**told)


def released(one: WorkflowRecord) -> WorkflowRecord:
    """In the queue, and nobody's."""
    return attrs.evolve(one, status=Status.ENQUEUED, owner=None)


def moved(one: WorkflowRecord, to: Transition, *, now: datetime) -> WorkflowRecord:
    """Let go by its owner."""
    return attrs.evolve(
        one,
        status=to.status,
        owner=None,
        output_json=to.output_json,
        error_json=to.error_json,
        error_message=to.error_message,
        run_at=to.run_at or one.run_at,
        completed_at=now if to.status.final else None,
    )


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
