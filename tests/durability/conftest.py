"""One database, one folder and one fleet for each test; its logs are shown when it fails."""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

import perdure

from . import program
from .fleet import Fleet
from .ledger import Ledger


@pytest.fixture
def ledger(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Ledger:
    """What the test's tables and bodies say."""
    if database_url.startswith("cockroachdb"):  # the double, whose tables are PostgreSQL's
        database_url = request.getfixturevalue("postgres_url")
    return Ledger(database_url, tmp_path)


@pytest.fixture
def engine(database_url: str) -> Iterator[perdure.Engine]:
    """An engine that starts workflows and runs none."""
    with program.engine_of(database_url) as opened:
        yield opened


@pytest.fixture
def fleet(database_url: str, ledger: Ledger, engine: perdure.Engine) -> Iterator[Fleet]:
    """No workers yet; the tables are there."""
    assert engine
    opened = Fleet(database_url, ledger)
    yield opened
    opened.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the workers said, if the test failed."""
    report = yield
    fixtures = getattr(item, "funcargs", {})
    fleet = fixtures.get("fleet")
    if report.failed and isinstance(fleet, Fleet):
        report.sections.append(("workers", fleet.logs()))
    return report
