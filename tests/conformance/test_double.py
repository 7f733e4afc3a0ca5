"""Grade D: the backend for CockroachDB on the double, which is a PostgreSQL with its manners.

Nothing here ran on CockroachDB. The whole suite runs where calls fail only when a test
asks for it, again where any statement may fail, and in part where clocks differ; of
what is random, and of single faults, a sample: their whole is played on PostgreSQL.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from perdure_backends.testing.double import UNAPPLIED, Double, Manners

from .judging import Judge, Judged
from .patient_cockroachdb import ENTRY_POINTS, LENIENT, SCHEME

AT_LEAST = 340
"""The tests that were kept when this number was last raised."""
LONGEST = 1200.0
"""Seconds for one run: faults cost time, and a proxy is in the way."""
RATE = 0.03
"""One of about thirty statements fails."""
OF_TIME = ["claims", "recovery", "timers", "workers"]
"""Nouns whose promises depend on what time it is."""


@pytest.fixture
def door(install: Callable[[str, str], Path], tmp_path: Path) -> Judge:
    """The door, where the patient backend is installed."""
    installed = install("patient", ENTRY_POINTS)
    return Judge(tmp_path, [installed, Path(__file__).parent], LONGEST)


def _by(scheme: str, double: Double) -> str:
    return f"{scheme}://{double.url().partition('://')[2]}"


def _kept(judged: Judged) -> int:
    """How many tests found their promise kept; all others could not be run, for good reasons."""
    assert judged.code == 0, judged.out + judged.err
    assert judged.names("broken") | judged.names("deviates") == set()
    return len(judged.names("kept"))


def _missing(judged: Judged) -> set[str]:
    return {each["name"] for each in judged.json["capabilities"] if not each["there"]}


@pytest.mark.long(200)
def test_the_double_keeps_every_promise(door: Judge, postgres_url: str) -> None:
    with Double(postgres_url, Manners(skew=0)) as double:
        judged = door(double.url(), "--brief")
    assert _kept(judged) >= AT_LEAST
    assert _missing(judged) == {"ordered_claims"}
    assert "left behind" not in judged.out


@pytest.mark.long(300)
def test_every_promise_is_kept_while_statements_fail(door: Judge, postgres_url: str) -> None:
    with Double(postgres_url, Manners(rate=RATE, kinds=UNAPPLIED, skew=0)) as double:
        judged = door(_by(SCHEME, double), "--brief")
    assert _kept(judged) >= AT_LEAST
    assert _missing(judged) == {"callers", "faults", "ordered_claims"}


@pytest.mark.parametrize("noun", OF_TIME)
def test_promises_are_kept_while_clocks_differ(noun: str, door: Judge, postgres_url: str) -> None:
    with Double(postgres_url) as double:
        assert _kept(door(_by(SCHEME, double), "--only", noun)) > 0


def test_the_journal_gives_true_answers_though_what_failed_was_applied(
    door: Judge, postgres_url: str
) -> None:
    with Double(postgres_url, Manners(rate=RATE, skew=0)) as double:
        assert _kept(door(_by(LENIENT, double), "--only", "commit")) > 0


def test_the_demo_loses_nothing_whatever_fails(door: Judge, postgres_url: str) -> None:
    """Every kind of fault, clocks that differ, and a worker killed among all that."""
    with Double(postgres_url, Manners(rate=RATE)) as double:
        run = door.run("perdure", "demo", "--json", "-d", double.url())
    assert run.code == 0, run.out + run.err
    told = json.loads(run.out)
    assert (told["lost"], told["duplicated"], told["killed_workers"]) == (0, 0, 1)
    assert told["steps"] == 3 * told["workflows"] >= 900
