"""What the benchmark measures on SQLite beside the engine: the driver's own speed."""

import sqlite3
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from perdure.backend import Submission
from perdure_backends.sql.location import parsed
from perdure_backends.sql.rig import BARE_ROW, FILL_STEPS, median_seconds, text_of

_NOW = "strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')"
_CLAIM = f"""
UPDATE workflows SET status = 'running', owner = 'limit', epoch = epoch + 1, started_at = {_NOW}
WHERE workflow_id IN (
    SELECT workflow_id FROM workflows
    WHERE status = 'enqueued' AND strikes < 2 AND queue = 'default' AND name = ?
      AND run_at <= {_NOW}
    ORDER BY priority, run_at, workflow_id LIMIT ?
) RETURNING workflow_id, input
"""  # noqa: S608 (our own words)
_RECORD = """
INSERT INTO workflow_steps (workflow_id, step_seq, step_name, status, output, epoch)
VALUES (?, ?, 'step', 'success', ?, 1)
"""
_FINISH = f"""
UPDATE workflows SET status = 'success', owner = NULL, output = ?, completed_at = {_NOW}
WHERE workflow_id = ?
"""  # noqa: S608 (our own words)
_FILL = f"""
INSERT INTO workflows
    (workflow_id, name, status, input, output, epoch, created_at, started_at, completed_at)
WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < :number)
SELECT printf('00000000-0000-7000-8000-%012d', n), 'perdure.bench.ended', 'success', :text, :text, 1,
       {_NOW}, {_NOW}, {_NOW} FROM number
"""  # noqa: S608 (our own words)


class SqliteRig:
    """One file, seen by the driver alone."""

    def __init__(self, url: str, *, namespace: str) -> None:
        del namespace
        self._file = Path(str(parsed(url, scheme="sqlite").database))

    @contextmanager
    def _connected(self) -> Generator[sqlite3.Connection, None, None]:
        with closing(sqlite3.connect(self._file, timeout=60, isolation_level=None)) as driver:
            driver.execute("PRAGMA journal_mode = WAL")
            driver.execute("PRAGMA synchronous = FULL")
            yield driver

    def drain(self, name: str, *, steps: int, batch: int) -> int:
        """Claim, record and end until nothing is left, as one of several processes."""
        done = 0
        with self._connected() as driver:
            while claimed := _claim(driver, name, batch):
                for seq in range(1, steps):
                    driver.execute("BEGIN IMMEDIATE")
                    _record(driver, seq, claimed)
                    driver.execute("COMMIT")
                driver.execute("BEGIN IMMEDIATE")
                _end(driver, steps, claimed)
                driver.execute("COMMIT")
                done += len(claimed)
        return done

    def fill(self, number: int, *, payload: int) -> None:
        """Put so many ended workflows of one step into the tables."""
        with self._connected() as driver:
            driver.execute(_FILL, {"number": number, "text": text_of(payload)})
            driver.execute(FILL_STEPS)
            driver.execute("ANALYZE")

    def settle(self) -> None:
        """Leave no work of before for the database to do while somebody measures."""
        with self._connected() as driver:
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def load(self, jobs: Sequence[Submission]) -> None:
        """Write these workflows by the fastest way that there is: one transaction."""
        rows = [(job.id, job.name, job.input_json, job.queue, job.priority) for job in jobs]
        with self._connected() as driver:
            driver.execute("BEGIN IMMEDIATE")
            driver.executemany(
                "INSERT INTO workflows (workflow_id, name, input, queue, priority) "
                "VALUES (?, ?, ?, ?, ?)",
                rows,
            )
            driver.execute("COMMIT")

    def commit_seconds(self, pauses: Iterable[float]) -> float:
        """The median of a bare INSERT of one row and its commit."""
        insert = "INSERT INTO bare (text) VALUES (?)"
        with self._connected() as driver:
            driver.execute("CREATE TABLE bare (id INTEGER PRIMARY KEY, text TEXT)")
            found = median_seconds(lambda: driver.execute(insert, (BARE_ROW,)), pauses)
            driver.execute("DROP TABLE bare")
        return found

    def transactions(self) -> int | None:
        """SQLite does not count them."""
        return None

    @contextmanager
    def snapshot(self) -> Generator[None, None, None]:
        """Another connection holds an open snapshot meanwhile, as a long report does."""
        with self._connected() as driver:
            driver.execute("BEGIN")
            driver.execute("SELECT count(*) FROM workers").fetchall()
            yield
            driver.execute("ROLLBACK")

    def clear(self) -> None:
        """Remove the file and what SQLite put beside it, if the last connection has not yet."""
        for path in self._file.parent.glob(f"{self._file.name}*"):
            path.unlink(missing_ok=True)


def _claim(driver: sqlite3.Connection, name: str, batch: int) -> Sequence[tuple[str, str]]:
    driver.execute("BEGIN IMMEDIATE")
    claimed: Sequence[tuple[str, str]] = driver.execute(_CLAIM, (name, batch)).fetchall()
    driver.execute("COMMIT")
    return claimed


def _record(driver: sqlite3.Connection, seq: int, claimed: Sequence[tuple[str, str]]) -> None:
    driver.executemany(_RECORD, [(one, seq, output) for one, output in claimed])


def _end(driver: sqlite3.Connection, steps: int, claimed: Sequence[tuple[str, str]]) -> None:
    if steps:
        _record(driver, steps, claimed)
    driver.executemany(_FINISH, [(output, one) for one, output in claimed])
