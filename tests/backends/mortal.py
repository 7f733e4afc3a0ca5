"""A process in which migrations die: it reads one order a line and answers each.

An order is JSON: the `url`, the number `at` of the statement, whether to die `after`
it, and a folder of `scripts` to migrate by, if not our own. The answer tells the
signal that ended the child, 0 if it came to the end.
"""

import json
import os
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import attrs

from perdure_backends.sql import migrate
from perdure_backends.testing.statements import Statement, intercept

from .sites import NEXT, connected


@attrs.define
class Executioner:
    """Kills its own process at one statement."""

    at: int
    after: bool
    passed: int = 0

    def lend(self) -> None:
        """Nothing happens between tries."""

    def execute(self, statement: Statement) -> None:
        """Run it, or die."""
        its_turn = self.passed == self.at
        self.passed += 1
        try:
            if not its_turn or self.after:
                statement.run()
        finally:
            if its_turn:
                os.kill(os.getpid(), signal.SIGKILL)


def use(scripts: Path) -> None:
    """Migrate by these scripts, which have one revision more."""
    migrate.SCRIPTS = scripts
    migrate.REVISIONS = (*migrate.REVISIONS, NEXT)


def _migrate(order: dict[str, Any]) -> None:
    if order["scripts"]:
        use(Path(order["scripts"]))
    backend = connected(order["url"])
    intercept(backend, Executioner(order["at"], order["after"]))
    backend.migrate()


def _forked(order: dict[str, Any]) -> int:
    child = os.fork()
    if child == 0:
        try:
            _migrate(order)
            os._exit(0)
        finally:
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise SystemExit(f"the migration failed by itself: {order}")
    return os.WTERMSIG(status)


def main() -> None:
    """Serve orders; what a migration needs is imported once."""
    for name in ("alembic.command", "alembic.config", "psycopg", "sqlalchemy_cockroachdb.psycopg"):
        import_module(name)
    for line in sys.stdin:
        sys.stdout.write(f"{_forked(json.loads(line))}\n")
        sys.stdout.flush()
