"""Whole workflows, and a worker killed among them, through the dialect for CockroachDB.

The server is a PostgreSQL: this says that the statements for CockroachDB carry a whole
run where PostgreSQL understands them too, and nothing about CockroachDB itself.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from .cockroachdb_dialect import SCHEME

LONGEST = 240.0
"""Seconds for one demo: a multiple of what it takes."""


def test_the_demo_loses_nothing_through_the_cockroachdb_dialect_on_postgresql(
    postgres_url: str, stranger: Path
) -> None:
    url = f"{SCHEME}://{postgres_url.partition('://')[2]}"
    places = os.pathsep.join([str(stranger), str(Path(__file__).parent)])
    run = subprocess.run(  # noqa: S603 (our own interpreter and module)
        [sys.executable, "-m", "perdure", "demo", "--json", "-d", url],
        env=os.environ | {"PYTHONPATH": places},
        cwd=stranger,
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    told = json.loads(run.stdout)
    assert (told["lost"], told["duplicated"], told["killed_workers"]) == (0, 0, 1)
    assert told["steps"] == 3 * told["workflows"] >= 900
    assert "cockroachdb dialect on postgresql" in run.stderr
