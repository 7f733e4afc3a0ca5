"""Statements that PostgreSQL keeps prepared, and their plans: what for, and behind which pooler not."""

from contextlib import closing
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, make_url

from perdure.backend import Batch
from perdure_backends.postgres import PostgresBackend
from perdure_compat.suite.races import until
from perdure_compat.suite.records import (
    LANE,
    LEASE,
    claim,
    end,
    finish,
    get,
    join,
    own,
    step,
    submit,
)

from .pooler import pooled

Psql = psycopg.Connection[Any]
_WARM = 12
"""More than it takes until the driver prepares a statement and the server keeps its plan."""
_MANY = 3_000


def test_plans_made_while_the_tables_were_small_read_no_table_from_end_to_end(
    postgres_url: str, psql: Psql
) -> None:
    with closing(PostgresBackend(postgres_url)) as backend:
        backend.migrate()
    until(lambda: _is_alone(psql))
    before = _scans(psql)
    with closing(PostgresBackend(postgres_url)) as backend:
        join(backend, "a")
        for turn in range(_WARM):
            _live(backend, f"w{turn}")
        submit(backend, *[f"many{n}" for n in range(_MANY)])
        many = claim(backend, "a", limit=_MANY)
        assert len(many) == _MANY
        backend.commit("a", Batch(steps=[step(one.id) for one in many]))
        finish(backend, "a", *[end(one.id) for one in many])
    until(lambda: _is_alone(psql))
    assert _scans(psql) == before


def _live(backend: PostgresBackend, workflow_id: str) -> None:
    """A workflow from its beginning to its end."""
    own(backend, "a", workflow_id)
    backend.commit("a", Batch(steps=[step(workflow_id)]))
    backend.history([workflow_id])
    finish(backend, "a", end(workflow_id))
    backend.load([workflow_id])
    backend.claim("a", [LANE], limit=1, suspects=True)
    backend.wake(limit=10)
    backend.reconcile("a", [])


def _is_alone(psql: Psql) -> bool:
    """Whether all others are gone: as they go they tell what they have done."""
    others = psql.execute(
        "SELECT 1 FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    return others.fetchone() is None


def _scans(psql: Psql) -> dict[str, int]:
    rows = psql.execute(
        "SELECT relname, seq_scan FROM pg_stat_user_tables "
        "WHERE relname IN ('workflows', 'workflow_steps', 'waits')"
    )
    return dict(rows.fetchall())


@pytest.mark.parametrize("refuses", [True, False], ids=["refused", "dropped"])
def test_behind_a_pooler_without_options_nothing_is_prepared(
    postgres_url: str, *, refuses: bool
) -> None:
    """A plan that it kept would be one that the server makes as it likes."""
    with pooled(postgres_url, refuses=refuses) as backend:
        backend.migrate()
        join(backend, "a")
        for turn in range(_WARM):
            _live(backend, f"w{turn}")
        assert backend.runner.run(_prepared) == 0
        assert get(backend, "w0").status == "success"


def test_a_pooler_that_loses_prepared_statements_is_survived(
    postgres: PostgresBackend,
) -> None:
    """The server forgets them, as behind a pooler that hands out another session."""
    join(postgres, "a")
    for _ in range(8):
        assert postgres.heartbeat("a", lease=LEASE)

    def forget(connection: Connection) -> int:
        connection.exec_driver_sql("DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$")
        return _prepared(connection)

    assert postgres.runner.run(forget) == 0
    for _ in range(8):
        assert postgres.heartbeat("a", lease=LEASE)
    assert postgres.runner.run(_prepared) == 0


def test_without_a_pooler_plans_are_kept(postgres: PostgresBackend) -> None:
    join(postgres, "a")
    for turn in range(_WARM):
        _live(postgres, f"w{turn}")
    assert postgres.runner.run(_prepared) > 0


def test_options_of_the_url_and_of_the_environment_hold_beside_ours(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = ("plan_cache_mode", "force_generic_plan")
    given = make_url(postgres_url).update_query_dict({"options": "-c work_mem=7MB"})
    with closing(PostgresBackend(given.render_as_string(hide_password=False))) as backend:
        assert {("work_mem", "7MB"), ours} <= backend.runner.run(_settings)
    monkeypatch.setenv("PGOPTIONS", "-c work_mem=9MB")
    with closing(PostgresBackend(postgres_url)) as backend:
        assert {("work_mem", "9MB"), ours} <= backend.runner.run(_settings)


def _prepared(connection: Connection) -> int:
    found = connection.exec_driver_sql("SELECT count(*) FROM pg_prepared_statements")
    count: int = found.scalar_one()
    return count


def _settings(connection: Connection) -> set[tuple[str, str]]:
    found = connection.exec_driver_sql("SELECT name, current_setting(name) FROM pg_settings")
    return {(name, value) for name, value in found}
