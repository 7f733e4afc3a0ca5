"""`perdure show`: one workflow, its record and the timeline of its steps."""

from collections.abc import Iterator
from datetime import MAXYEAR

import attrs

from perdure.model import History, Status, StepRecord, Wait, WorkflowRecord

from .durations import spoken
from .opening import opened
from .options import DatabaseUrl, Json, WorkflowId
from .output import answers, say, say_json, table
from .records import moment, step_json, workflow_json


def show(id: WorkflowId, *, database_url: DatabaseUrl = None, as_json: Json = False) -> None:
    """Show a workflow and the timeline of its steps."""
    with opened(database_url) as engine:
        record = engine.handle(id).record()
        history = engine.ask("perdure show", lambda client: client.history(id))
    waits = _open_waits(history)
    if as_json:
        say_json(
            workflow_json(record)
            | {
                "steps": [step_json(step) for step in history.steps],
                "waits": [
                    {"branch": w.branch, "seq": w.seq, "kind": w.kind, "due": w.due} for w in waits
                ],
            }
        )
        return
    for label, value in _facts(record):
        say(f"{label:<12}{value}")
    say("")
    _timeline(record, history, waits)


def _facts(record: WorkflowRecord) -> Iterator[tuple[str, str]]:
    facts = {
        "id": record.id,
        "name": record.name,
        "status": record.status.value,
        "waits": _waking(record),
        "cancel": _cancellation(record),
        "parent": _parent(record),
        "queue": record.queue,
        "attributes": ", ".join(f"{k}={v}" for k, v in record.attributes.items()),
        "created": moment(record.created_at),
        "started": moment(record.started_at),
        "completed": moment(record.completed_at),
        "deadline": moment(record.deadline),
        "owner": record.owner,
        "recoveries": str(record.recoveries) if record.recoveries else None,
        "input": record.input_json,
        "output": record.output_json,
        "error": record.error_message,
    }
    return ((label, value) for label, value in facts.items() if value)


def _timeline(record: WorkflowRecord, history: History, waits: list[Wait]) -> None:
    rows = [_row(record, step) for step in history.steps]
    rows += [
        (_place(w.branch, w.seq), w.kind, "waiting", "", f"until {moment(w.due)}", "", "")
        for w in waits
        if not record.status.final
    ]
    if not rows:
        say("no step is recorded yet")
        return
    columns = ["step", "name", "status", "after", "took", "tries", "outcome"]
    answers().print(table(columns, rows))


def _row(record: WorkflowRecord, step: StepRecord) -> tuple[str, ...]:
    begun = record.started_at or record.created_at
    return (
        _place(step.branch, step.seq),
        step.name,
        step.status,
        f"+{spoken(max(step.started_at - begun, begun - begun))}",
        spoken(step.completed_at - step.started_at),
        str(step.attempts),
        _short(step.error_message or step.output_json or ""),
    )


def _open_waits(history: History) -> list[Wait]:
    """The waits whose steps have no record, each at its step's place.

    The pauses between the tries of a step are a line of their own, `branch#seq`, of
    which the last counts.
    """
    ended = {(step.branch, step.seq) for step in history.steps}
    found: dict[tuple[str, int], Wait] = {}
    for wait in history.waits:
        line, _, step = wait.branch.partition("#")
        place = (line, int(step)) if step else (wait.branch, wait.seq)
        found[place] = attrs.evolve(wait, branch=place[0], seq=place[1])
    return [wait for place, wait in sorted(found.items()) if place not in ended]


def _waking(record: WorkflowRecord) -> str | None:
    """Until when it is out of memory, or what else."""
    if record.status is not Status.WAITING:
        return None
    known = record.run_at.year < MAXYEAR
    return (
        f"until {moment(record.run_at)} at the latest"
        if known
        else "for a message, an event or an end"
    )


def _parent(record: WorkflowRecord) -> str | None:
    return f"{record.parent_id}, detached" if record.detached else record.parent_id


def _cancellation(record: WorkflowRecord) -> str | None:
    """Since when somebody wants its end, and why."""
    if record.cancel_requested_at is None:
        return None
    why = f": {record.cancel_reason}" if record.cancel_reason else ""
    return f"asked at {moment(record.cancel_requested_at)}{why}"


def _place(branch: str, seq: int) -> str:
    return f"{branch}/{seq}" if branch else str(seq)


def _short(text: str, most: int = 60) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
