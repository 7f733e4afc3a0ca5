"""A CockroachDB cluster of the tests' own: real nodes on this machine, killed and restarted."""

import os
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import attrs
import psycopg

from .addresses import Node, conninfo, in_turn, initialise, local_nodes, perdure_url
from .daemon import Daemon

SIZE = 3
WITHIN = 120.0
"""Seconds for a node to serve SQL, or for ranges to have all their replicas."""
LOOK = 0.2
TABLES = ("workflows", "workflow_steps", "workers")


@attrs.define(eq=False)
class Cluster:
    """Nodes, each a process; a majority of them is the database."""

    binary: str
    nodes: Sequence[Node]
    daemons: Sequence[Daemon]

    @classmethod
    def of(cls, binary: str, folder: Path, *, size: int = SIZE) -> Self:
        """A cluster that does not run yet; logs and data are below `folder`."""
        nodes = local_nodes(folder, size)
        environment = os.environ | {"COCKROACH_SKIP_ENABLING_DIAGNOSTIC_REPORTING": "true"}
        daemons = [
            Daemon(node.command(binary, nodes), folder / f"node-{number}.log", environment)
            for number, node in enumerate(nodes, 1)
        ]
        return cls(binary, nodes, daemons)

    # ------------------------------------------------------------- its life

    def start(self) -> None:
        """Start all nodes and wait until each serves SQL."""
        for daemon in self.daemons:
            daemon.start()
        self._initialise()
        for node in self.nodes:
            self.await_node(node.number)
        if self.version() < (23, 2):
            # Setting of SHOW RANGES: the older form knows no ranges that tables share.
            self.run("SET CLUSTER SETTING sql.show_ranges_deprecated_behavior.enabled = false")

    def _initialise(self) -> None:
        """`cockroach init`, once the first node listens."""
        said = ""

        def done() -> bool:
            nonlocal said
            ended = subprocess.run(  # noqa: S603 (the binary that the tests were given)
                initialise(self.binary, self.nodes[0]),
                capture_output=True,
                text=True,
                timeout=WITHIN,
                check=False,
            )
            said = ended.stdout + ended.stderr
            return ended.returncode == 0 or "already been initialized" in said

        self._until(done, lambda: f"no cluster came to be: {said}\n{self.logs()}")

    def kill(self, number: int) -> None:
        """Kill a node."""
        self.daemons[number].kill()

    def restart(self, number: int) -> None:
        """Start a node that was killed, with its data, and wait until it serves SQL."""
        self.daemons[number].start()
        self.await_node(number)

    def await_node(self, number: int) -> None:
        """Wait until a node serves SQL."""

        def serves() -> bool:
            assert self.daemons[number].alive, f"node {number + 1} ended:\n{self.logs()}"
            try:
                self.run("SELECT 1", nodes=[self.nodes[number]])
            except psycopg.OperationalError:
                return False
            return True

        self._until(serves, lambda: f"node {number + 1} serves no SQL:\n{self.logs()}")

    def close(self) -> None:
        """Kill all nodes."""
        for daemon in self.daemons:
            daemon.kill()

    def logs(self) -> str:
        """The ends of what the nodes have said; each keeps more in its store's `logs`."""
        return "\n".join(f"--- {daemon}\n{daemon.said()}" for daemon in self.daemons)

    def __repr__(self) -> str:
        return f"<cluster of {list(self.daemons)}>"

    # -------------------------------------------------------------- its data

    def url(self, database: str, *, first: int = 0) -> str:
        """A URL of all nodes, the one to be taken first in front."""
        return perdure_url(in_turn(self.nodes, first), database)

    def conninfo(self, database: str) -> str:
        """The same for the driver alone."""
        return conninfo(self.nodes, database)

    def run(
        self, statement: str, *, database: str = "defaultdb", nodes: Sequence[Node] = ()
    ) -> list[Any]:
        """Run one statement on the first of the nodes that answers; its rows."""
        where = conninfo(nodes or self.nodes, database)
        with psycopg.connect(where, autocommit=True) as connection:
            ran = connection.execute(statement.encode())
            return ran.fetchall() if ran.description else []

    def version(self) -> tuple[int, int]:
        """The release that the nodes run."""
        ((text,),) = self.run("SELECT version()")
        found = re.search(r"v(\d+)\.(\d+)", text)
        assert found, text
        return int(found[1]), int(found[2])

    def ranges(self, database: str) -> dict[int, list[int]]:
        """The ranges of Perdure's tables, each with the stores that have a replica."""
        found: dict[int, list[int]] = {}
        for table in TABLES:
            # SHOW RANGES FROM TABLE, as documented for each release from 23.1 on.
            rows = self.run(
                f"SELECT range_id, replicas FROM [SHOW RANGES FROM TABLE perdure.{table}]",  # noqa: S608 (our own names)
                database=database,
            )
            found |= {range_id: list(stores) for range_id, stores in rows}
        return found

    def await_replicas(self, database: str) -> None:
        """Wait until each range of the tables is on all nodes: any one may die then."""

        def everywhere() -> bool:
            ranges = self.ranges(database)
            return bool(ranges) and all(len(each) == len(self.nodes) for each in ranges.values())

        self._until(everywhere, lambda: f"ranges without replicas: {self.ranges(database)}")

    def move_lease(self, range_id: int, store: int) -> str:
        """Give the lease of a range to a store; what came of it, `ok` if it moved."""
        # ALTER RANGE … RELOCATE LEASE, one row for each range: its id, its key, the result.
        ((_, _, result),) = self.run(f"ALTER RANGE {range_id} RELOCATE LEASE TO {store}")
        return str(result)

    def _until(self, condition: Callable[[], bool], what: Callable[[], str]) -> None:
        deadline = time.monotonic() + WITHIN
        while not condition():
            assert time.monotonic() < deadline, what()
            time.sleep(LOOK)
