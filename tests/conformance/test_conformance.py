"""Our backends through the strangers' door: `python -m perdure_compat URL`."""

import os
import re
import subprocess
import sys
from pathlib import Path

from .cockroachdb_dialect import SCHEME

LONGEST = 240.0
"""Seconds for one database: more than twice what it takes."""
ABOUT_ORDER = 3
"""The tests that ask for a queue in one line, which a sharded one is not."""
WITH_PROCESSES = 9
"""The tests that start other processes, which no memory is shared with."""
AT_LEAST = 293
"""The tests that there were when this number was last raised."""


def judge(url: str, *path: Path) -> str:
    """Run the suite as a user would, and say what it printed."""
    places = [str(place) for place in path]
    run = subprocess.run(  # noqa: S603 (our own interpreter and module)
        [sys.executable, "-m", "perdure_compat", url],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(places)},
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def kept(report: str, *, skipped: int = 0) -> int:
    """How many promises were kept, in a report without any other number but this."""
    last = report.splitlines()[-1]
    rest = rf", {skipped} skipped" if skipped else ""
    found = re.fullmatch(rf"=+ (\d+) passed{rest} in .+ =+", last)
    assert found, last
    return int(found[1])


def test_the_reference_keeps_every_promise() -> None:
    report = judge("memory://")
    assert "perdure conformance: memory://" in report
    assert "processes: the database is the memory of one process" in report
    assert "left behind" not in report
    assert kept(report, skipped=WITH_PROCESSES + 1) >= AT_LEAST - 1


def test_sqlite_keeps_every_promise() -> None:
    report = judge("sqlite://")
    assert "perdure conformance: sqlite:///" in report
    assert kept(report) >= AT_LEAST


def test_postgresql_keeps_every_promise(postgres_url: str) -> None:
    report = judge(postgres_url)
    assert "perdure conformance: postgresql://" in report
    assert kept(report) >= AT_LEAST


def test_the_cockroachdb_dialect_keeps_every_promise_on_postgresql(
    postgres_url: str, stranger: Path
) -> None:
    """A package that is not ours offers the scheme; nothing ran on CockroachDB."""
    url = f"{SCHEME}://{postgres_url.partition('://')[2]}"
    report = judge(url, stranger, Path(__file__).parent)
    assert "perdure conformance: cockroachdb dialect on postgresql (" in report
    assert "left behind" not in report
    assert kept(report, skipped=ABOUT_ORDER) >= AT_LEAST
