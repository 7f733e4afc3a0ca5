"""`perdure list`: workflows, newest first."""

from itertools import islice
from typing import Annotated

import typer

from perdure.model import Status, WorkflowRecord

from .opening import opened
from .options import Attribute, DatabaseUrl, Json, attributes
from .output import answers, note, say_json, table
from .records import moment, workflow_json


def list_(
    *,
    name: Annotated[str | None, typer.Option(help="Only workflows of this name.")] = None,
    status: Annotated[
        list[Status] | None, typer.Option(help="Only with this status. Repeatable.")
    ] = None,
    queue: Annotated[str | None, typer.Option(help="Only of this queue.")] = None,
    parent: Annotated[
        str | None, typer.Option(metavar="ID", help="Only what this workflow has started.")
    ] = None,
    attribute: Attribute = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    database_url: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """List workflows, newest first."""
    chosen = attributes(attribute)
    with opened(database_url) as engine:
        found = engine.find(
            name=name,
            status=status or None,
            queue=queue,
            attributes=chosen,
            parent=parent,
            limit=limit + 1,
        )
        records = [*islice(found, limit + 1)]
    if as_json:
        say_json([workflow_json(record) for record in records[:limit]])
    else:
        _show(records[:limit], more=len(records) > limit)


def _show(records: list[WorkflowRecord], *, more: bool) -> None:
    if not records:
        note("no workflow fits")
        return
    rows = [
        (r.id, r.name, r.status.value, r.queue, moment(r.created_at), r.error_message or "")
        for r in records
    ]
    answers().print(table(["id", "name", "status", "queue", "created", "error"], rows))
    if more:
        note(f"these are the newest {len(records)}; --limit shows more")
