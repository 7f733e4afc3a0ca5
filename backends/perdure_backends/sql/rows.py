"""Rows as records: aware UTC times, JSON attributes, statuses."""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from perdure.backend import Claimed, Existing, Peer
from perdure.model import History, Status, StepRecord, Wait, WorkflowRecord

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
        parent_id=row[14],
        code_version=row[15],
        attributes=json.loads(row[16]),
        created_at=read(row[17]),
        started_at=_maybe(row[18], read),
        completed_at=_maybe(row[19], read),
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
        created_at=read(row[6]),
    )


def peer(row: Row, read: Read) -> Peer:
    """The first columns of a row of a heartbeat."""
    return Peer(worker_id=row[0], beat=row[1], lease_until=read(row[2]))


def existing(row: Row) -> Existing:
    """A row of `workflows.existing`."""
    return Existing(id=row[0], name=row[1], input_json=row[2])


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
            steps=sorted(steps.get(key, ()), key=lambda s: (s.branch.encode(), s.seq)),
            waits=sorted(waits.get(key, ()), key=lambda w: (w.branch.encode(), w.seq)),
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


def _maybe(value: Any, read: Read) -> datetime | None:
    return None if value is None else read(value)
