"""Workflows: submit, look up, wake, resume."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Double,
    Integer,
    Select,
    SmallInteger,
    Text,
    case,
    func,
    null,
    select,
    tuple_,
    update,
)

from .dialect import Dialect, Field, Fields
from .expression import bind, constant
from .tables import MOMENT, workflows

NEW: Fields = (
    Field("workflow_id", Text()),
    Field("name", Text()),
    Field("input", Text()),
    Field("queue", Text()),
    Field("shard", SmallInteger()),
    Field("priority", Integer()),
    Field("delay", Double()),
    Field("run_at", MOMENT),
    Field("attributes", Text()),
    Field("code_version", Text()),
    Field("parent_id", Text()),
    Field("detached", Boolean()),
    Field("timeout", Double()),
    Field("deadline", MOMENT),
)
USUAL: Mapping[str, object] = {
    "queue": "default",
    "shard": 0,
    "priority": 0,
    "delay": None,
    "run_at": None,
    "attributes": "{}",
    "code_version": None,
    "parent_id": None,
    "detached": False,
    "timeout": None,
    "deadline": None,
}
"""What a workflow has where nobody says otherwise: the defaults of the table."""
FRESH = "fresh"
"""Beside those columns: no id is there yet, else the statement fails."""
RECORD = (
    "workflow_id",
    "name",
    "status",
    "queue",
    "priority",
    "run_at",
    "input",
    "output",
    "error",
    "error_message",
    "owner",
    "epoch",
    "recoveries",
    "strikes",
    "wake",
    "parent_id",
    "detached",
    "timeout",
    "deadline",
    "cancel_requested_at",
    "cancel_reason",
    "code_version",
    "attributes",
    "created_at",
    "started_at",
    "completed_at",
)
_TIMED = workflows.c.status.in_([constant("delayed"), constant("waiting")])
FINAL = ("success", "error", "cancelled")
_ENDED = workflows.c.status.in_([constant(status) for status in (*FINAL, "parked")])


def final(status: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether it is the end: a parked workflow has not ended."""
    return status.in_([constant(each) for each in FINAL])


def submit(dialect: Dialect, *usual: str) -> Any:
    """Insert what is not there yet, as usual in these columns; answers with the ids inserted.

    With `FRESH` it supposes that none of them is there: a fifth cheaper, without an answer,
    and an error if one is.
    """
    fields = tuple(field for field in NEW if field.name not in usual)
    new = dialect.rowset("new", fields)
    given: dict[str, Any] = {field.name: new.c[field.name] for field in fields}
    delay, run_at = given.pop("delay", null()), given.pop("run_at", null())
    if not {"delay", "run_at"} <= set(usual):
        later = dialect.shifted(func.coalesce(delay, constant(0)))
        due = given["run_at"] = func.coalesce(run_at, later)
        given["status"] = case(
            (due > dialect.now(), constant("delayed")), else_=constant("enqueued")
        )
    rows = select(*given.values()).where(constant(1) == constant(1)).order_by(new.c.workflow_id)
    insert = dialect.insert(workflows).from_select([*given], rows)
    if FRESH in usual:
        return insert
    return insert.on_conflict_do_nothing().returning(workflows.c.workflow_id)


def existing(dialect: Dialect) -> Select[Any]:
    """Name, input and parent of these ids."""
    told = [workflows.c[name] for name in ("workflow_id", "name", "input", "parent_id")]
    return select(*told).where(dialect.among(workflows.c.workflow_id, "ids"))


def standing(dialect: Dialect) -> Select[Any]:
    """Owner, epoch and status of these ids."""
    return select(
        workflows.c.workflow_id, workflows.c.owner, workflows.c.epoch, workflows.c.status
    ).where(dialect.among(workflows.c.workflow_id, "ids"))


def load(dialect: Dialect, only_ended: bool) -> Select[Any]:  # noqa: FBT001 (part of its name: see Compiled)
    """The records of these ids."""
    found = _records().where(dialect.among(workflows.c.workflow_id, "ids"))
    return found.where(_ENDED) if only_ended else found


def find(dialect: Dialect, *asked: str) -> Select[Any]:
    """A page, newest first, by the parts of a query that are asked for."""
    created, identifier = workflows.c.created_at, workflows.c.workflow_id
    before = tuple_(created, identifier) < tuple_(
        bind("after_at", MOMENT), bind("after_id", Text())
    )
    conditions: dict[str, Any] = {
        "name": workflows.c.name == bind("name", Text()),
        "statuses": dialect.among(workflows.c.status, "statuses"),
        "queue": workflows.c.queue == bind("queue", Text()),
        "attributes": dialect.contains(workflows.c.attributes, "attributes"),
        "parent_id": workflows.c.parent_id == bind("parent_id", Text()),
        "after": before,
    }
    return (
        _records()
        .where(*[conditions[part] for part in asked])
        .order_by(created.desc(), identifier.desc())
        .limit(bind("limit", Integer()))
    )


def _records() -> Select[Any]:
    return select(*[workflows.c[name] for name in RECORD])


def wake(dialect: Dialect) -> Any:
    """Enqueue what is due."""
    due = (
        select(workflows.c.workflow_id)
        .where(_TIMED, workflows.c.run_at <= dialect.now())
        .order_by(workflows.c.run_at)
        .limit(bind("limit", Integer()))
        .with_for_update(skip_locked=True)
    )
    return (
        update(workflows)
        .values(status=constant("enqueued"))
        .where(dialect.picked(workflows.c.workflow_id, due), _TIMED)
        .returning(workflows.c.workflow_id)
    )


def resume(dialect: Dialect) -> Any:
    """Back to the queue from parked, if nobody was faster."""
    return (
        update(workflows)
        .values(
            status=constant("enqueued"),
            run_at=dialect.now(),
            strikes=constant(0),
            error=null(),
            error_message=null(),
        )
        .where(
            workflows.c.workflow_id == bind("id", Text()),
            workflows.c.status == constant("parked"),
            workflows.c.epoch == bind("epoch", workflows.c.epoch.type),
            workflows.c.owner.is_(None),
        )
        .returning(workflows.c.status)
    )
