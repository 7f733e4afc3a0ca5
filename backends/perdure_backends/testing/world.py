"""One database with a backend that is disturbed, one that is not, and a plain look at the tables."""

from typing import Any

import attrs

from perdure_backends.sql.backend import SqlBackend

from .mishaps import Manners
from .plans import Injector
from .statements import intercept

State = frozenset[tuple[Any, ...]]
"""Rows, each behind the name of its table."""

_LONG_AGO = "2000-01-01T00:00:00.000000Z"
_TABLES = {
    "workflows": "workflow_id, status, owner, epoch, recoveries, strikes, output, error_message, "
    "CASE WHEN completed_at IS NULL THEN 0 ELSE 1 END",
    "workflow_steps": "workflow_id, branch, step_seq, step_name, status, output, epoch",
    "waits": "workflow_id, branch, step_seq, kind, epoch",
    "workers": "worker_id, known, CASE WHEN dead_at IS NULL THEN 0 ELSE 1 END",
    "definitions": "name",
}


@attrs.frozen(eq=False)
class World:
    """What a trial acts on and looks at."""

    faulty: SqlBackend
    clean: SqlBackend
    raw: Any
    """A plain connection of the driver's, in autocommit mode, that finds the tables."""
    manners: Manners
    injector: Injector = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "injector", Injector(self.manners))
        intercept(self.faulty, self.injector)

    def clear(self) -> None:
        """Empty all tables."""
        for table in _TABLES:
            self.raw.execute(f"DELETE FROM {table}")  # noqa: S608 (our own names)

    def state(self, *tables: str) -> State:
        """What these tables hold, or all of them, without clocks and counters of beats."""
        return frozenset(
            (table, *row)
            for table in tables or _TABLES
            for row in self.raw.execute(f"SELECT {_TABLES[table]} FROM {table}").fetchall()  # noqa: S608 (our own names)
        )

    def epochs(self, *statuses: str, owner: str | None = None) -> dict[str, int]:
        """Ids and epochs of the workflows in these statuses, or of all, or of one owner."""
        return {
            row[1]: row[4]
            for row in self.state("workflows")
            if (not statuses or row[2] in statuses) and (owner is None or row[3] == owner)
        }

    def expire(self) -> None:
        """Let all leases be over and everything be due."""
        self.raw.execute(f"UPDATE workers SET lease_until = '{_LONG_AGO}'")  # noqa: S608 (our own names)
        self.raw.execute(f"UPDATE workflows SET run_at = '{_LONG_AGO}'")  # noqa: S608 (our own names)
