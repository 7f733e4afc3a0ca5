"""What the benchmark measures on PostgreSQL beside the engine: the driver's own speed.

The statements do what a worker's do, on the same tables, in whole batches with array
literals, and ask nothing that one trusted worker need not ask: no fence, no guards,
no answers. What they reach is the ceiling.
"""

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Text

from perdure.backend import Submission
from perdure_backends.sql.arrays import literal
from perdure_backends.sql.rig import BARE_ROW, FILL_STEPS, median_seconds, text_of

_CLAIM = """
WITH ready AS MATERIALIZED (
    SELECT workflow_id FROM workflows
    WHERE status = 'enqueued' AND strikes < 2 AND queue = 'default' AND name = %s
      AND run_at <= now()
    ORDER BY priority, run_at, workflow_id LIMIT %s FOR UPDATE SKIP LOCKED
)
UPDATE workflows SET status = 'running', owner = 'limit', epoch = epoch + 1, started_at = now()
WHERE workflow_id = ANY(ARRAY(SELECT workflow_id FROM ready))
RETURNING workflow_id, input
"""
_RECORD = """
INSERT INTO workflow_steps (workflow_id, step_seq, step_name, status, output, epoch)
SELECT id, %s, 'step', 'success', output, 1 FROM unnest(%s::text[], %s::text[]) AS u(id, output)
"""
_FINISH = """
UPDATE workflows SET status = 'success', owner = NULL, output = u.output, completed_at = now()
FROM unnest(%s::text[], %s::text[]) AS u(id, output) WHERE workflow_id = u.id
"""
_LAST = f"WITH recorded AS ({_RECORD}) {_FINISH}"
_FILL = """
INSERT INTO workflows
    (workflow_id, name, status, input, output, epoch, created_at, started_at, completed_at)
SELECT '00000000-0000-7000-8000-' || lpad(n::text, 12, '0'), 'perdure.bench.ended', 'success', %(text)s, %(text)s, 1,
       now() - interval '1 day', now() - interval '1 day', now() - interval '1 day'
FROM generate_series(1, %(number)s) AS n
"""
_COLUMNS = "workflow_id, name, input, queue, priority, attributes"


class PostgresRig:
    """One namespace, seen by the driver alone."""

    def __init__(self, url: str, *, namespace: str) -> None:
        head, _, rest = url.partition("://")
        self._url = f"{head.partition('+')[0]}://{rest}"
        self._namespace = namespace

    @contextmanager
    def _connected(self) -> Generator[psycopg.Connection[Any], None, None]:
        with psycopg.connect(self._url, autocommit=True, prepare_threshold=0) as driver:
            driver.execute(f"SET search_path = {self._namespace}".encode())
            yield driver

    def drain(self, name: str, *, steps: int, batch: int) -> int:
        """Claim, record and end until nothing is left, as one of several processes."""
        done = 0
        with self._connected() as driver, driver.cursor() as cursor:
            while claimed := cursor.execute(_CLAIM, (name, batch)).fetchall():
                ids = literal([row[0] for row in claimed], Text())
                outputs = literal([row[1] for row in claimed], Text())
                for seq in range(1, steps):
                    cursor.execute(_RECORD, (seq, ids, outputs))
                if steps:
                    cursor.execute(_LAST, (steps, ids, outputs, ids, outputs))
                else:
                    cursor.execute(_FINISH, (ids, outputs))
                done += len(claimed)
        return done

    def fill(self, number: int, *, payload: int) -> None:
        """Put so many ended workflows of one step into the tables."""
        with self._connected() as driver:
            driver.execute(_FILL, {"number": number, "text": text_of(payload)})
            driver.execute(FILL_STEPS)
            driver.execute("VACUUM ANALYZE workflows, workflow_steps")

    def settle(self) -> None:
        """Leave no work of before for the server to do while somebody measures."""
        with self._connected() as driver:
            driver.execute("VACUUM ANALYZE workflows, workflow_steps")
            driver.execute("CHECKPOINT")

    def load(self, jobs: Sequence[Submission]) -> None:
        """Write these workflows by the fastest way that there is: COPY."""
        statement = f"COPY workflows ({_COLUMNS}) FROM STDIN"
        with self._connected() as driver, driver.cursor().copy(statement) as copy:
            for job in jobs:
                row = (job.id, job.name, job.input_json, job.queue, job.priority, "{}")
                copy.write_row(row)

    def commit_seconds(self, pauses: Iterable[float]) -> float:
        """The median of a bare INSERT of one row and its commit."""
        insert = "INSERT INTO bare (text) VALUES (%s)"
        with self._connected() as driver, driver.cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS bare (id bigserial PRIMARY KEY, text text)")
            found = median_seconds(lambda: cursor.execute(insert, (BARE_ROW,)), pauses)
            cursor.execute("DROP TABLE bare")
        return found

    def transactions(self) -> int:
        """How many transactions this database has seen; the server tells them late by a second."""
        asked = (
            "SELECT xact_commit + xact_rollback FROM pg_stat_database "
            "WHERE datname = current_database()"
        )
        with self._connected() as driver:
            found = driver.execute(asked).fetchone()
        return int(found[0]) if found else 0

    @contextmanager
    def snapshot(self) -> Generator[None, None, None]:
        """Another session holds an open snapshot meanwhile, as a long report does."""
        with self._connected() as driver:
            driver.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            driver.execute("SELECT count(*) FROM workers")
            yield
            driver.execute("ROLLBACK")

    def clear(self) -> None:
        """Remove the namespace."""
        with self._connected() as driver:
            driver.execute(f"DROP SCHEMA IF EXISTS {self._namespace} CASCADE".encode())
