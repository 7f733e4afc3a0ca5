"""One cluster for the session, one database and one fleet for each test; logs if it fails."""

from collections.abc import Generator, Iterator
from pathlib import Path
from uuid import uuid4

import attrs
import psycopg
import pytest

import perdure

from ..durability import program
from ..durability.fleet import Fleet
from .cluster import Cluster
from .patience import PatientLedger
from .subject import BINARY, GIVEN, NOT_OURS


@attrs.frozen(kw_only=True)
class Database:
    """An empty database on a cluster."""

    name: str
    url: str
    conninfo: str
    """The same, for the driver alone."""


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three nodes of our own."""
    if BINARY is None:
        pytest.skip(NOT_OURS)
    opened = Cluster.of(BINARY, tmp_path_factory.mktemp("cockroachdb"))
    try:
        opened.start()
        yield opened
    finally:
        opened.close()


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database of one's own: of our cluster, or beside the one that was given."""
    name = f"perdure_{uuid4().hex[:12]}"
    if GIVEN is None:
        cluster: Cluster = request.getfixturevalue("cluster")
        found = Database(name=name, url=cluster.url(name), conninfo=cluster.conninfo(name))
        admin = cluster.conninfo("defaultdb")
    else:
        admin = f"postgresql://{GIVEN.partition('://')[2]}"
        found = Database(name=name, url=elsewhere(GIVEN, name), conninfo=elsewhere(admin, name))
    _run(admin, f"CREATE DATABASE {name}")
    yield found
    _run(admin, f"DROP DATABASE {name} CASCADE")


def _run(where: str, statement: str) -> None:
    with psycopg.connect(where, autocommit=True) as admin:
        admin.execute(statement.encode())


def elsewhere(url: str, database: str) -> str:
    """The same URL with another database."""
    head, mark, query = url.partition("?")
    return f"{head.rpartition('/')[0]}/{database}{mark}{query}"


@pytest.fixture
def ledger(database: Database, tmp_path: Path) -> PatientLedger:
    """What the test's tables and bodies say."""
    return PatientLedger(database.conninfo, tmp_path)


@pytest.fixture
def engine(database: Database) -> Iterator[perdure.Engine]:
    """An engine that starts workflows and runs none."""
    with program.engine_of(database.url) as opened:
        yield opened


@pytest.fixture
def fleet(database: Database, ledger: PatientLedger, engine: perdure.Engine) -> Iterator[Fleet]:
    """No workers yet; the tables are there."""
    assert engine
    opened = Fleet(database.url, ledger, options=("--max-recoveries", "100"))
    yield opened
    opened.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what workers and nodes said, if the test failed."""
    report = yield
    for name, fixture in getattr(item, "funcargs", {}).items():
        if report.failed and isinstance(fixture, Fleet | Cluster):
            report.sections.append((name, fixture.logs()))
    return report
