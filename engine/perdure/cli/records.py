"""Records as JSON and as words."""

from datetime import datetime
from typing import Any

import orjson

from perdure.model import StepRecord, WorkflowRecord


def workflow_json(record: WorkflowRecord) -> dict[str, Any]:
    """A workflow as a JSON object."""
    return {
        "id": record.id,
        "name": record.name,
        "status": record.status.value,
        "queue": record.queue,
        "priority": record.priority,
        "run_at": record.run_at,
        "created_at": record.created_at,
        "started_at": record.started_at,
        "completed_at": record.completed_at,
        "parent": record.parent_id,
        "detached": record.detached,
        "timeout_seconds": record.timeout.total_seconds() if record.timeout else None,
        "deadline": record.deadline,
        "cancel_requested_at": record.cancel_requested_at,
        "cancel_reason": record.cancel_reason,
        "owner": record.owner,
        "epoch": record.epoch,
        "recoveries": record.recoveries,
        "attributes": dict(record.attributes),
        "input": stored(record.input_json),
        "output": stored(record.output_json),
        "error": stored(record.error_json),
        "error_message": record.error_message,
    }


def step_json(step: StepRecord) -> dict[str, Any]:
    """A recorded step as a JSON object."""
    return {
        "branch": step.branch,
        "seq": step.seq,
        "name": step.name,
        "kind": step.kind,
        "status": step.status,
        "attempts": step.attempts,
        "started_at": step.started_at,
        "completed_at": step.completed_at,
        "seconds": (step.completed_at - step.started_at).total_seconds(),
        "output": stored(step.output_json),
        "error": stored(step.error_json),
        "error_message": step.error_message,
    }


def stored(text: str | None) -> Any:
    """A stored JSON text as a value; a text that somebody else wrote may be none."""
    try:
        return None if text is None else orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def moment(when: datetime | None) -> str:
    """A time for people's eyes, in their zone."""
    return "" if when is None else when.astimezone().strftime("%Y-%m-%d %H:%M:%S")
