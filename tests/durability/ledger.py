"""What the tables and the bodies' log say, read with plain SQL and plain files."""

import contextlib
import fcntl
import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import psycopg

CLOCKS = 0.5
"""Seconds by which two clocks of one machine may be told apart here.

A second run of a recorded step would come later than that: nobody takes over before
the better part of a lease has passed.
"""

Key = tuple[str, str, int]
"""A workflow's id, a branch, a number."""


@attrs.frozen(kw_only=True)
class Run:
    """One run of a body, as its log tells."""

    key: Key
    before: str
    token: str
    pid: int
    began: float
    ended: bool
    broken: bool


@attrs.frozen(kw_only=True)
class Workflow:
    """A row of `workflows`."""

    id: str
    name: str
    status: str
    owner: str | None
    epoch: int
    recoveries: int
    strikes: int
    output: str | None
    error_message: str | None


@attrs.frozen(kw_only=True)
class Step:
    """A row of `workflow_steps`."""

    key: Key
    name: str
    kind: str
    status: str
    output: str | None
    completed: float
    epoch: int


@attrs.frozen(kw_only=True)
class Worker:
    """A row of `workers`."""

    id: str
    pid: int
    dead: bool


@attrs.frozen
class Ledger:
    """One test's database and folder."""

    url: str
    folder: Path

    def workflows(self, ids: Iterable[str] | None = None) -> dict[str, Workflow]:
        """All workflows, or these, by id."""
        rows = self._rows(
            "SELECT workflow_id, name, status, owner, epoch, recoveries, strikes, "
            "output, error_message FROM workflows ORDER BY workflow_id"
        )
        found = (
            Workflow(
                id=workflow_id,
                name=name,
                status=status,
                owner=owner,
                epoch=epoch,
                recoveries=recoveries,
                strikes=strikes,
                output=output,
                error_message=message,
            )
            for (
                workflow_id,
                name,
                status,
                owner,
                epoch,
                recoveries,
                strikes,
                output,
                message,
            ) in rows
        )
        wanted = None if ids is None else set(ids)
        return {w.id: w for w in found if wanted is None or w.id in wanted}

    def count(self, status: str) -> int:
        """How many workflows stand there."""
        counted = self._rows("SELECT status, count(*) FROM workflows GROUP BY status")
        return int(dict(counted).get(status, 0))

    def steps(self) -> list[Step]:
        """All steps, in order."""
        rows = self._rows(
            "SELECT workflow_id, branch, step_seq, step_name, kind, status, output, "
            "completed_at, epoch FROM workflow_steps ORDER BY 1, 2, 3"
        )
        return [
            Step(
                key=(workflow_id, branch, seq),
                name=name,
                kind=kind,
                status=status,
                output=output,
                completed=_seconds(completed),
                epoch=epoch,
            )
            for workflow_id, branch, seq, name, kind, status, output, completed, epoch in rows
        ]

    def workers(self) -> list[Worker]:
        """All workers, the oldest first."""
        rows = self._rows("SELECT worker_id, pid, dead_at FROM workers ORDER BY started_at")
        return [Worker(id=row[0], pid=row[1], dead=row[2] is not None) for row in rows]

    def living(self, pid: int) -> str | None:
        """The id under which a process is a worker now."""
        ids = [w.id for w in self.workers() if w.pid == pid and not w.dead]
        return ids[-1] if ids else None

    def owned(self, worker_id: str) -> dict[str, int]:
        """The epochs of the workflows that a worker runs."""
        return {w.id: w.epoch for w in self.workflows().values() if w.owner == worker_id}

    def runs(self) -> list[Run]:
        """All runs of bodies, in the order in which they began."""
        log = self.folder / "bodies.log"
        lines = log.read_text().splitlines() if log.exists() else []
        said = [json.loads(line) for line in lines]
        tokens = {(s["event"], s["token"]) for s in said}
        return [
            Run(
                key=(s["id"], s["branch"], s["seq"]),
                before=s["before"],
                token=s["token"],
                pid=s["pid"],
                began=s["at"],
                ended=("ends", s["token"]) in tokens,
                broken=("breaks off", s["token"]) in tokens,
            )
            for s in said
            if s["event"] == "begins"
        ]

    def runs_by_key(self) -> Mapping[Key, Sequence[Run]]:
        """The same, by step."""
        found: defaultdict[Key, list[Run]] = defaultdict(list)
        for run in self.runs():
            found[run.key].append(run)
        return found

    def running(self, ids: Iterable[str], seq: int = 2) -> bool:
        """Whether a body of step `seq` is being run for each of these workflows."""
        within = {run.key[0] for run in self.runs() if run.key[2] == seq}
        return within >= set(ids)

    def open(self, gate: str) -> None:
        """Let the bodies that wait for a file go on."""
        (self.folder / gate).touch()

    def writable(self) -> bool:
        """Whether nobody holds the write lock of a file now, as a process that is stopped may."""
        if not self.url.startswith("sqlite:///"):
            return True
        path = self.url.removeprefix("sqlite:///")
        with contextlib.closing(sqlite3.connect(path, timeout=0.5)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                with Path(f"{path}-turn").open("ab") as turn:
                    fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (OSError, sqlite3.OperationalError):
                return False
        return True

    def _rows(self, statement: str) -> list[Any]:
        if self.url.startswith("sqlite:///"):
            path = self.url.removeprefix("sqlite:///")
            with contextlib.closing(sqlite3.connect(path)) as connection:
                return connection.execute(statement).fetchall()
        with psycopg.connect(
            self.url, autocommit=True, options="-c search_path=perdure"
        ) as connection:
            return connection.execute(statement.encode()).fetchall()


def _seconds(moment: str | datetime) -> float:
    when = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return when.astimezone(UTC).timestamp()
