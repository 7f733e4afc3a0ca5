"""The double of CockroachDB: each of its manners is real on the server behind it."""

import select
import threading
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.pq import TransactionStatus as Transaction

from perdure_backends.cockroachdb import CockroachBackend
from perdure_backends.testing.double import UNAPPLIED, Double, Kind, Manners
from perdure_compat.suite.races import at_once, together, until
from perdure_compat.suite.records import claim, get, ids, join, submit

Psql = psycopg.Connection[Any]
Open = Callable[..., Psql]


@contextmanager
def _double(url: str, manners: Manners) -> Generator[Open, None, None]:
    """Opens connections through a double of its own."""
    with Double(url, manners) as double, _through(double.url()) as opened:
        yield opened


@contextmanager
def _through(url: str) -> Generator[Open, None, None]:
    """Opens connections through the double of this URL."""
    with ExitStack() as stack:

        def opened(*, autocommit: bool = True, **how: Any) -> Psql:
            driver = url.replace("cockroachdb://", "postgresql://")
            connection = psycopg.connect(driver, autocommit=autocommit, **how)
            return stack.enter_context(closing(connection))

        yield opened


@contextmanager
def _always(url: str, kind: Kind) -> Generator[Open, None, None]:
    """Every statement fails in this one way, where it can."""
    with _double(url, Manners(rate=1, kinds=[kind], skew=0)) as opened:
        yield opened


@pytest.fixture
def psql(postgres_url: str) -> Generator[Psql, None, None]:
    """The server behind the double, without it, and a table with nothing in it."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE t (x INTEGER PRIMARY KEY)")
        yield connection


@pytest.fixture
def opened(cockroach_url: str, psql: Psql) -> Generator[Open, None, None]:
    """Connections through a double that injects nothing."""
    assert psql.info.parameter_status("crdb_version") is None
    with _through(cockroach_url) as opened:
        yield opened


def _there(psql: Psql) -> list[int]:
    return [row[0] for row in psql.execute("SELECT x FROM t ORDER BY x").fetchall()]


# --------------------------------------------------------------- what it is


def test_it_says_that_it_is_a_cockroachdb_and_a_double(opened: Open) -> None:
    one = opened()
    announced = one.info.parameter_status("crdb_version")
    assert announced is not None
    assert announced.startswith("CockroachDB CCL v25.2.")
    assert "double" in announced
    assert one.execute("SELECT version()").fetchone() == (announced,)


def test_the_backend_takes_it_for_what_it_says(cockroach_url: str) -> None:
    with closing(CockroachBackend(cockroach_url)) as backend:
        backend.migrate()
        join(backend, "a")
        submit(backend, "w")
        assert ids(claim(backend, "a")) == ["w"]


def test_a_transaction_is_serializable(opened: Open) -> None:
    """Each of two reads what the other writes: one of them must fail."""
    one, other = opened(autocommit=False), opened(autocommit=False)
    for connection in (one, other):
        assert connection.execute("SHOW transaction_isolation").fetchone() == ("serializable",)
        connection.execute("SELECT count(*) FROM t")
    one.execute("INSERT INTO t VALUES (1)")
    other.execute("INSERT INTO t VALUES (2)")
    one.commit()
    with pytest.raises(psycopg.errors.SerializationFailure):
        other.commit()


def test_each_connection_has_a_clock_of_its_own(postgres_url: str, psql: Psql) -> None:
    with _double(postgres_url, Manners(skew=0.25)) as opened:
        skews = [_skew(opened()) for _ in range(8)]
    assert len(set(skews)) == len(skews)
    assert all(abs(skew) <= timedelta(milliseconds=250) for skew in skews)
    assert max(skews) - min(skews) > timedelta(milliseconds=200)
    assert psql.execute("SELECT count(*) FROM t").fetchone() == (0,)


def _skew(connection: Psql) -> timedelta:
    """How far its `now()` is from the server's, whose name the double does not let pass."""
    row = connection.execute(
        "SELECT now() - xact_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
    ).fetchone()
    assert row is not None
    found: timedelta = row[0]
    return found


def test_a_default_of_a_column_has_the_clock_of_who_writes(postgres_url: str, psql: Psql) -> None:
    with _double(postgres_url, Manners(skew=0.25)) as opened:
        one, *others = [opened() for _ in range(6)]
        one.execute("CREATE TABLE stamped (at TIMESTAMPTZ NOT NULL DEFAULT now())")
        for each in others:
            row = each.execute("INSERT INTO stamped DEFAULT VALUES RETURNING at - now()").fetchone()
            assert row == (timedelta(0),)
    assert psql.execute("SELECT count(*) FROM stamped").fetchone() == (5,)


@pytest.mark.parametrize(
    "sql",
    [
        "LISTEN x",
        "NOTIFY x",
        "unlisten *",
        "SELECT pg_notify('x', '')",
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_catalog.pg_try_advisory_xact_lock(1, 2)",
        "LOCK TABLE t",
        "CREATE TEMP TABLE u (x INTEGER)",
        "COPY t FROM STDIN",
        "SELECT current_timestamp",
        "/* a comment */ LISTEN x",
    ],
)
def test_it_refuses(sql: str, opened: Open) -> None:
    connection = opened()
    with pytest.raises(psycopg.DatabaseError) as raised:
        connection.execute(sql.encode())
    assert raised.value.sqlstate in {"0A000", "42883", "42601"}
    with pytest.raises(psycopg.DatabaseError):
        connection.execute(sql.encode(), prepare=True, binary=True)
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_words_in_quotes_are_not_refused(opened: Open) -> None:
    connection = opened()
    row = connection.execute("SELECT 'pg_notify(', '; LISTEN x', $$LOCK$$ AS \"COPY\"").fetchone()
    assert row == ("pg_notify(", "; LISTEN x", "LOCK")


def test_a_refusal_ends_the_transaction_too(opened: Open, psql: Psql) -> None:
    connection = opened(autocommit=False)
    connection.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        connection.execute("LISTEN x")
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        connection.execute("SELECT 1")
    connection.rollback()
    assert _there(psql) == []


def test_ddl_commits_what_came_before_it_and_itself(opened: Open, psql: Psql) -> None:
    connection = opened(autocommit=False)
    connection.execute("INSERT INTO t VALUES (1)")
    connection.execute("CREATE TABLE u (x INTEGER)")
    connection.rollback()
    assert _there(psql) == [1]
    assert psql.execute("SELECT count(*) FROM u").fetchone() == (0,)


def test_it_repeats_a_single_statement_that_could_not_be_serialized(
    opened: Open, postgres_url: str, psql: Psql
) -> None:
    psql.execute("INSERT INTO t VALUES (0)")
    with psycopg.connect(postgres_url) as rival:
        rival.execute("UPDATE t SET x = 10")

        def let_go() -> None:
            until(lambda: _waits(psql))
            rival.commit()

        connection = opened()
        at_once(lambda: connection.execute("UPDATE t SET x = x + 1"), let_go)
    assert _there(psql) == [11]


def test_what_is_taken_back_does_not_happen_either_when_it_could_not_be_serialized(
    postgres_url: str, psql: Psql
) -> None:
    psql.execute("INSERT INTO t VALUES (0)")
    with _always(postgres_url, Kind.RESTART_LATE) as opened:
        connection = opened()
        with psycopg.connect(postgres_url) as rival:
            rival.execute("UPDATE t SET x = 10")

            def let_go() -> None:
                until(lambda: _waits(psql))
                rival.commit()

            with pytest.raises(psycopg.errors.SerializationFailure):
                at_once(lambda: connection.execute("UPDATE t SET x = x + 1"), let_go)
        assert connection.info.transaction_status == Transaction.IDLE
    assert _there(psql) == [10]


def test_what_cannot_stand_in_a_transaction_is_not_taken_back(
    postgres_url: str, psql: Psql
) -> None:
    psql.execute("INSERT INTO t VALUES (0)")
    with _always(postgres_url, Kind.RESTART_LATE) as opened:
        assert opened().execute("VACUUM t").statusmessage == "VACUUM"


def test_it_does_not_repeat_what_stands_in_a_transaction(
    opened: Open, postgres_url: str, psql: Psql
) -> None:
    psql.execute("INSERT INTO t VALUES (0)")
    connection = opened(autocommit=False)
    connection.execute("SELECT x FROM t")
    with psycopg.connect(postgres_url) as rival:
        rival.execute("UPDATE t SET x = 10")
    with pytest.raises(psycopg.errors.SerializationFailure):
        connection.execute("UPDATE t SET x = x + 1")
    assert _there(psql) == [10]


def _waits(psql: Psql) -> bool:
    """Whether somebody waits for a lock."""
    return psql.execute("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted").fetchone() == (True,)


# ------------------------------------------------------------------ faults


@pytest.mark.parametrize("kind", [kind for kind in Kind if "dropped" not in kind])
def test_a_statement_alone_fails_with_its_state(kind: Kind, postgres_url: str, psql: Psql) -> None:
    wanted = "40003" if "ambiguous" in kind else "40001"
    with _always(postgres_url, kind) as opened:
        connection = opened()
        for number in (1, 2):
            with pytest.raises(psycopg.DatabaseError) as raised:
                connection.execute("INSERT INTO t VALUES (%s)", [number])
            assert raised.value.sqlstate == wanted
        assert connection.info.transaction_status == Transaction.IDLE
    assert _there(psql) == ([1, 2] if kind.applied else [])


@pytest.mark.parametrize("kind", [Kind.DROPPED_LOST, Kind.DROPPED_APPLIED])
def test_a_connection_ends_in_a_statement(kind: Kind, postgres_url: str, psql: Psql) -> None:
    with _always(postgres_url, kind) as opened:
        connection = opened()
        with pytest.raises(psycopg.OperationalError) as raised:
            connection.execute("INSERT INTO t VALUES (1)")
        assert raised.value.sqlstate is None
        assert connection.broken
    assert _there(psql) == ([1] if kind.applied else [])


@pytest.mark.parametrize(
    "kind", [Kind.AMBIGUOUS_LOST, Kind.AMBIGUOUS_APPLIED, Kind.DROPPED_APPLIED]
)
def test_a_commit_fails(kind: Kind, postgres_url: str, psql: Psql) -> None:
    with _always(postgres_url, kind) as opened:
        connection = opened(autocommit=False)
        connection.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(psycopg.OperationalError) as raised:
            connection.commit()
        assert raised.value.sqlstate == ("40003" if "ambiguous" in kind else None)
        assert connection.info.transaction_status in {Transaction.IDLE, Transaction.UNKNOWN}
    assert _there(psql) == ([1] if kind.applied else [])
    until(lambda: _idle(psql))


@pytest.mark.parametrize("kind", [Kind.RESTART, Kind.RESTART_LATE])
def test_a_transaction_that_must_restart_is_rolled_back(
    kind: Kind, postgres_url: str, psql: Psql
) -> None:
    with _always(postgres_url, kind) as opened:
        connection = opened(autocommit=False)
        with pytest.raises(psycopg.errors.SerializationFailure):
            connection.execute("INSERT INTO t VALUES (1)")
        assert connection.info.transaction_status == Transaction.INERROR
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            connection.execute("SELECT 1")
        connection.rollback()
    assert _there(psql) == []
    until(lambda: _idle(psql))


def test_a_statement_that_fails_by_itself_says_so(postgres_url: str, psql: Psql) -> None:
    psql.execute("INSERT INTO t VALUES (1)")
    for kind in (Kind.RESTART_LATE, Kind.AMBIGUOUS_APPLIED, Kind.DROPPED_APPLIED):
        with _always(postgres_url, kind) as opened, pytest.raises(psycopg.errors.UniqueViolation):
            opened().execute("INSERT INTO t VALUES (1)")


def test_the_same_seed_brings_the_same_faults(postgres_url: str, psql: Psql) -> None:
    manners = Manners(rate=0.3, kinds=[Kind.RESTART], skew=0)
    faults: list[list[bool]] = []
    for seed in (1, 1, 2):
        again = Manners(rate=manners.rate, kinds=manners.kinds, seed=seed, skew=0)
        with _double(postgres_url, again) as opened:
            connection = opened()
            faults.append([_fails(connection) for _ in range(40)])
    assert faults[0] == faults[1] != faults[2]
    assert 3 < sum(faults[0]) < 25
    assert _there(psql) == []


def _fails(connection: Psql) -> bool:
    try:
        connection.execute("SELECT 1")
    except psycopg.errors.SerializationFailure:
        return True
    return False


def test_verbs_get_through_many_faults(postgres_url: str, cockroach_url: str) -> None:
    with closing(CockroachBackend(cockroach_url)) as backend:
        backend.migrate()
    with (
        Double(postgres_url, Manners(rate=0.2, kinds=UNAPPLIED)) as double,
        closing(CockroachBackend(double.url())) as backend,
    ):
        join(backend, "a")
        every = [f"w{n}" for n in range(20)]
        for each in every:
            submit(backend, each)
        assert [get(backend, each).id for each in every] == every


# ------------------------------------------------------------ the protocol


def test_a_password_passes(opened: Open, psql: Psql) -> None:
    """Whatever the server asks for, the client answers; here a role that may not come in."""
    psql.execute("CREATE ROLE nobody NOLOGIN")
    try:
        with pytest.raises(psycopg.OperationalError) as raised:
            opened(user="nobody", password="secret")  # noqa: S106 (it opens nothing)
        assert "not permitted to log in" in str(raised.value)
    finally:
        psql.execute("DROP ROLE nobody")


def test_settings_of_the_client_pass(opened: Open) -> None:
    connection = opened(application_name="shop", options="-c work_mem=123kB")
    assert connection.execute("SHOW application_name").fetchone() == ("shop",)
    assert connection.execute("SHOW work_mem").fetchone() == ("123kB",)


def test_encryption_is_declined(opened: Open) -> None:
    assert opened(sslmode="prefer").info.pgconn.ssl_in_use is False
    with pytest.raises(psycopg.OperationalError, match="SSL"):
        opened(sslmode="require")


def test_prepared_statements_pass(opened: Open) -> None:
    connection = opened()
    for number in range(20):
        row = connection.execute("SELECT %s::INTEGER", [number], prepare=True).fetchone()
        assert row == (number,)
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        connection.execute("LISTEN x")
    assert connection.execute("SELECT %s::INTEGER", [7], prepare=True).fetchone() == (7,)


def test_a_pipeline_passes(opened: Open, psql: Psql) -> None:
    connection = opened()
    with connection.pipeline():
        cursors = [connection.execute("SELECT %s::INTEGER", [n]) for n in range(50)]
        assert [cursor.fetchone() for cursor in cursors[:5]] == [(n,) for n in range(5)]
    connection.cursor().executemany("INSERT INTO t VALUES (%s)", [[n] for n in range(50)])
    assert _there(psql) == list(range(50))


def test_a_large_answer_and_a_large_value_pass(opened: Open) -> None:
    connection = opened()
    text = "ü" * 3_000_000
    assert connection.execute("SELECT %s::TEXT", [text]).fetchone() == (text,)
    rows = connection.execute("SELECT n FROM generate_series(1, 100000) AS n").fetchall()
    assert rows[-1] == (100_000,)


def test_what_is_larger_than_a_cluster_reads_is_refused_and_no_more_than_that(
    opened: Open, psql: Psql
) -> None:
    connection = opened()
    with pytest.raises(psycopg.errors.ProtocolViolation, match="maximum allowed message size"):
        connection.execute("SELECT %s::TEXT", ["x" * (17 << 20)])
    connection.execute("INSERT INTO t VALUES (1)")
    assert _there(psql) == [1]


def test_a_query_can_be_cancelled(opened: Open) -> None:
    connection = opened()
    threading.Timer(0.3, connection.cancel).start()
    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute("SELECT pg_sleep(60)")
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_many_connections_at_once(opened: Open) -> None:
    def ask(number: int) -> list[object]:
        connection = opened()
        return [connection.execute("SELECT %s::INTEGER", [number]).fetchone() for _ in range(10)]

    assert together(ask, range(60)) == [[(n,)] * 10 for n in range(60)]


def test_who_hangs_up_in_a_transaction_leaves_nothing(opened: Open, psql: Psql) -> None:
    connection = opened(autocommit=False)
    connection.execute("INSERT INTO t VALUES (1)")
    connection.pgconn.finish()
    until(lambda: _idle(psql))
    assert _there(psql) == []


def test_a_server_that_hangs_up_is_noticed_at_once(opened: Open, psql: Psql) -> None:
    connection = opened()
    psql.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
    assert select.select([connection.fileno()], [], [], 30)[0], "it says nothing"
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    assert opened().execute("SELECT 1").fetchone() == (1,)


def test_nothing_stays_behind_when_it_ends(postgres_url: str, psql: Psql) -> None:
    with Double(postgres_url) as double:
        url = double.url().replace("cockroachdb://", "postgresql://")
        with closing(psycopg.connect(url)) as connection:
            connection.execute("INSERT INTO t VALUES (1)")
            assert not _idle(psql)
        began = time.monotonic()
    assert time.monotonic() - began < 30
    until(lambda: _idle(psql))
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    assert _there(psql) == []


def _idle(psql: Psql) -> bool:
    """Whether nobody but the asker is connected to the database."""
    row = psql.execute(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND backend_type = 'client backend'"
    ).fetchone()
    return row == (1,)
