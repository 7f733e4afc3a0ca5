"""`perdure result`: wait for a workflow and print what it returned."""

from datetime import timedelta

import typer

from perdure.engine import Engine
from perdure.model import ENDED, Status, WorkflowRecord

from .exits import Exit
from .opening import opened
from .options import DatabaseUrl, Json, Timeout, WorkflowId
from .output import note, say_json
from .records import stored


def result(
    id: WorkflowId,
    *,
    timeout: Timeout = None,
    database_url: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """Wait for a workflow and print its result.

    The result is JSON; exit 1 if the workflow failed or is parked.
    """
    with opened(database_url) as engine:
        record = _ended(engine, id, timeout)
    good = record.status is Status.SUCCESS
    if as_json:
        say_json(_answer(record))
    elif good:
        say_json(stored(record.output_json))
    if not good:
        note(_failure(record))
        raise typer.Exit(Exit.NO)


def _ended(engine: Engine, id: str, timeout: timedelta | None) -> WorkflowRecord:
    handle = engine.handle(id)
    try:
        handle.result(timeout=timeout)
    except Exception:
        # The workflow's own error is told from the record; any other is the command's.
        record = handle.record()
        if record.status not in ENDED:
            raise
        return record
    return handle.record()


def _answer(record: WorkflowRecord) -> dict[str, object]:
    return {
        "id": record.id,
        "name": record.name,
        "status": record.status.value,
        "output": stored(record.output_json),
        "error": stored(record.error_json),
        "error_message": record.error_message,
        "cancel_reason": record.cancel_reason,
    }


def _failure(record: WorkflowRecord) -> str:
    reason = record.error_message or record.cancel_reason or "no reason is recorded"
    if record.status is Status.PARKED:
        return (
            f"{record.id} is parked: {reason}. When the cause is gone: perdure resume {record.id}"
        )
    return f"{record.id} ended with {record.status.value}: {reason}. perdure show {record.id}  tells more."
