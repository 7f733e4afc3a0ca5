"""Rows as records: aware UTC times, JSON attributes, statuses."""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

from perdure.backend import Claimed, Existing, Peer
from perdure.mail import Sight
from perdure.model import History, Message, Status, StepRecord, Wait, WorkflowRecord
from perdure.streams import Item

Row = Sequence[Any]
Read = Callable[[Any], datetime]


def workflow(row: Row, read: Read) -> WorkflowRecord:
    """A row of `workflows.load` or `workflows.find`."""
    return WorkflowRecord(
        id=row[0],
        name=row[1],
        status=Status(row[2]),
        queue=row[3],
        priority=row[4],
        run_at=read(row[5]),
        input_json=row[6],
        output_json=row[7],
        error_json=row[8],
        error_message=row[9],
        owner=row[10],
        epoch=row[11],
        recoveries=row[12],
        strikes=row[13],
        wake=row[14],
        parent_id=row[15],
        detached=bool(row[16]),
        timeout=None if row[17] is None else timedelta(seconds=row[17]),
        deadline=maybe(row[18], read),
        cancel_requested_at=maybe(row[19], read),
        cancel_reason=row[20],
        code_version=row[21],
        attributes=json.loads(row[22]),
        created_at=read(row[23]),
        started_at=maybe(row[24], read),
        completed_at=maybe(row[25], read),
    )


def step(row: Row, read: Read) -> StepRecord:
    """A row of `steps.recorded` or of a step in `steps.history`."""
    return StepRecord(
        workflow_id=row[0],
        branch=row[1],
        seq=row[2],
        name=row[3],
        kind=row[4],
        status=row[5],
        output_json=row[6],
        error_json=row[7],
        error_message=row[8],
        attempts=row[9],
        started_at=read(row[10]),
        completed_at=read(row[11]),
        epoch=row[12],
    )


def claimed(row: Row, read: Read) -> Claimed:
    """A row of a claim."""
    return Claimed(
        id=row[0],
        name=row[1],
        queue=row[2],
        input_json=row[3],
        epoch=row[4],
        strikes=row[5],
        wake=row[6],
        parent_id=row[7],
        deadline=maybe(row[8], read),
        cancel_reason=row[9],
        created_at=read(row[10]),
    )


def peer(row: Row, read: Read) -> Peer:
    """The first columns of a row of a heartbeat."""
    return Peer(worker_id=row[0], beat=row[1], lease_until=read(row[2]))


def existing(row: Row) -> Existing:
    """A row of `workflows.existing`."""
    return Existing(id=row[0], name=row[1], input_json=row[2], parent_id=row[3])


def histories(rows: Iterable[Row], read: Read) -> list[History]:
    """The rows of `steps.history`, gathered by workflow and sorted."""
    steps: dict[str, list[StepRecord]] = {}
    waits: dict[str, list[Wait]] = {}
    for row in rows:
        if row[3] is None:
            waits.setdefault(row[0], []).append(_wait(row, read))
        else:
            steps.setdefault(row[0], []).append(step(row, read))
    return [
        History(
            workflow_id=key,
            steps=sorted(steps.get(key, ()), key=attrgetter("branch", "seq")),
            waits=sorted(waits.get(key, ()), key=attrgetter("branch", "seq")),
        )
        for key in sorted({*steps, *waits})
    ]


def _wait(row: Row, read: Read) -> Wait:
    return Wait(
        workflow_id=row[0],
        branch=row[1],
        seq=row[2],
        kind=row[4],
        due=read(row[13]),
        epoch=row[12],
    )


def item(row: Row) -> Item:
    """A row of `streams.read`."""
    return Item(
        workflow_id=row[0],
        stream=row[1],
        offset=row[2],
        place=row[3],
        attempt=row[4],
        value_json=row[5],
        closes=bool(row[6]),
        epoch=row[7],
    )


def sights(rows: Iterable[Row]) -> list[Sight]:
    """The rows of `messages.pending`, gathered by workflow and in order."""
    gathered: dict[str, list[Row]] = {}
    found: list[Row] = []
    for row in rows:
        # A row without a message is that of the workflow.
        (found if row[1] is None else gathered.setdefault(row[0], [])).append(row)
    return [
        Sight(
            workflow_id=row[0],
            wake=row[6],
            cancel_reason=row[7],
            messages=_in_order(gathered.get(row[0], ())),
        )
        for row in found
    ]


def _in_order(rows: Iterable[Row]) -> list[Message]:
    """As they came; where two of one sender came the other way round, they change places."""
    came = [_message(row) for row in sorted(rows, key=lambda row: (row[8], row[4], row[5]))]
    senders: dict[str, list[Message]] = {}
    for each in came:
        senders.setdefault(each.sender, []).append(each)
    queues = {
        sender: iter(sorted(sent, key=lambda one: one.position)) for sender, sent in senders.items()
    }
    return [next(queues[each.sender]) for each in came]


def _message(row: Row) -> Message:
    return Message(
        id=row[1],
        workflow_id=row[0],
        topic=row[2],
        body_json=row[3],
        sender=row[4],
        position=row[5],
    )


def maybe(value: Any, read: Read) -> datetime | None:
    """A time, where there may be none."""
    return None if value is None else read(value)
