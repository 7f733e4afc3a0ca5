"""Databases of the past: what they hold, how they are kept, and how they are read."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs

from perdure.backend import Backend, Batch, Query
from perdure.mail import SENT, Subscription, Watch
from perdure.model import Message, Status
from perdure.streams import Item
from perdure_backends.sql.backend import SqlBackend
from perdure_compat.suite.records import WHEN, claim, end, info, job, join, step, wait

from .letters import item, message
from .letters import reading as of
from .sites import TABLES, Site, literal

PICTURES = Path(__file__).with_name("pictures")
TEXT = "größe 🦆 \"quoted\" \\back\\slash and 'single'"
_THEN = "2026-01-02T03:04:05.678000Z"
_FAR = "9000-01-01T00:00:00.000000Z"
_FIXED = f"""
UPDATE workflows SET created_at = '{_THEN}', run_at = '{_THEN}';
UPDATE workflows SET run_at = '{_FAR}' WHERE workflow_id = 'delayed';
UPDATE workflows SET started_at = '{_THEN}' WHERE started_at IS NOT NULL;
UPDATE workflows SET completed_at = '{_THEN}' WHERE completed_at IS NOT NULL;
UPDATE workflows SET cancel_requested_at = '{_THEN}' WHERE cancel_requested_at IS NOT NULL;
UPDATE messages SET sent_at = '{_THEN}';
UPDATE workers SET started_at = '{_THEN}', lease_until = '{_THEN}';
UPDATE workers SET dead_at = '{_THEN}' WHERE dead_at IS NOT NULL;
"""  # noqa: S608 (our own times)
_READINGS = [of("running"), of("success", stream=TEXT)]
_MINE = ("success", "error", "parked", "waiting", "running")


def furnish(backend: Backend) -> None:
    """Have something in every table and in every status."""
    assert backend.join(
        info("a", names=["work", TEXT], code_version="v1"), lease=timedelta(hours=1)
    )
    assert not backend.submit([job(each) for each in _MINE])
    assert sorted(each.id for each in claim(backend, "a")) == sorted(_MINE)
    failed = {"status": "error", "output_json": None, "error_json": "{}", "error_message": TEXT}
    steps = [step(each, name=TEXT, output_json=json.dumps(TEXT)) for each in _MINE]
    steps += [step("running", 2, **failed, attempts=3), step("running", 1, branch="0.1")]
    moved = [
        end("success", output_json=json.dumps([TEXT])),
        end("error", Status.ERROR, error_json="{}", error_message=TEXT),
        end("parked", Status.PARKED, error_json="{}", error_message="broken"),
        end("waiting", Status.WAITING, run_at=WHEN),
    ]
    waits = [wait("waiting", 2), wait("running", 3)]
    said = backend.commit("a", Batch(steps=steps, waits=waits, transitions=moved, items=_items()))
    assert not said.fenced
    backend.leave("a")
    attributes = {"customer": TEXT, "amount": 12, "rate": 0.5, "vip": True}
    waiting = [
        job(TEXT, priority=-3, attributes=attributes, code_version="v1"),
        job("elsewhere", queue="other"),
        job("delayed", run_at=datetime(9000, 1, 1, tzinfo=UTC)),
        job("due", delay=timedelta(hours=1)),
    ]
    assert not backend.submit(waiting)
    _send_mail(backend)
    join(backend, "b")


def _send_mail(backend: Backend) -> None:
    """Have something in the tables that came with revision 0002, and wake-ups on their way."""
    far = datetime(9000, 1, 1, tzinfo=UTC)
    child = job("cancelled", parent_id="running", timeout=timedelta(hours=1), deadline=far)
    assert not backend.submit([attrs.evolve(child, detached=True)])
    assert backend.cancel(["cancelled"], reason=TEXT) == {"cancelled": Status.CANCELLED}
    assert [*backend.send([message("delayed", "m", body_json=json.dumps(TEXT))])] == [SENT]
    assert [*backend.subscribe([Subscription("delayed", "running")])] == ["running"]


def _items() -> list[Item]:
    """What is written to streams: by code, by a step, and the end."""
    by_step = item("running", 2**32 + 5, place="0.1:1", attempt=2**16 + 3)
    return [
        item("running", 2**32, value_json=json.dumps(TEXT)),
        by_step,
        item("success", 1, stream=TEXT, value_json=None, closes=True),
    ]


def picture(backend: SqlBackend, site: Site) -> str:
    """All there is, as SQL, with times that are always the same."""
    site.execute(_FIXED)
    lines = [backend.migration_sql().rstrip()]
    for table, columns in TABLES.items():
        asked = f"SELECT {columns or '*'} FROM {table}"  # noqa: S608 (ours)
        rows = sorted([*map(literal, row)] for row in site.rows(asked))
        space = "" if site.url.startswith("sqlite") else "perdure."
        into = f"{space}{table} ({columns})" if columns else f"{space}{table}"
        lines += [f"INSERT INTO {into} VALUES ({', '.join(row)});" for row in rows]  # noqa: S608 (ours)
    return "\n".join(lines) + "\n"


def reading(backend: Backend) -> dict[str, Any]:
    """All there is, through the verbs, as JSON has it."""
    found = sorted(backend.find(Query()), key=lambda record: record.id)
    histories = sorted(backend.history([each.id for each in found]), key=lambda h: h.workflow_id)
    return {
        "workflows": [_plain(each) for each in found],
        "steps": [_plain(each) for history in histories for each in history.steps],
        "waits": [_plain(each) for history in histories for each in history.waits],
        "messages": [_plain(each) for each in _pending(backend, [each.id for each in found])],
        "items": [_plain(each) for each in backend.read(_READINGS, limit=10)],
        "known": backend.service(TEXT, "default").known,
    }


def _pending(backend: Backend, ids: Sequence[str]) -> list[Message]:
    watches = [Watch(workflow_id=each, topics=["news"]) for each in ids]
    return [one for sight in backend.look(watches, limit=10) for one in sight.messages]


def _plain(record: Any) -> dict[str, Any]:
    fields: Mapping[str, Any] = attrs.asdict(record, recurse=False)
    return {key: _text(value) for key, value in fields.items()}


def _text(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, timedelta) else value


def holds(now: Any, then: Any) -> bool:
    """Whether everything of then is there now; later releases may know more of it."""
    if isinstance(then, dict):
        return all(holds(now.get(key), value) for key, value in then.items())  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(then, list):
        return len(now) == len(then) and all(map(holds, now, then))  # pyright: ignore[reportUnknownArgumentType]
    return bool(now == then)
