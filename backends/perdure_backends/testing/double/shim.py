"""What a schema inside the PostgreSQL can pretend: CockroachDB's version and a gateway's clock.

Names without a schema are looked for in it before PostgreSQL's own, so `now()` is
the clock of the connection and `pg_catalog.now()` stays the server's.
"""

SCHEMA = "crdb_double"
SKEW = "crdb_double.skew"
"""The setting of a connection by which its clock is wrong."""
VERSION = "CockroachDB CCL v25.2.0 (a double: PostgreSQL with CockroachDB's manners)"

_ONE_AT_A_TIME = 7_263_115
_CLOCKS = ("now", "transaction_timestamp", "statement_timestamp", "clock_timestamp")


def _function(signature: str, returns: str, body: str, *, volatility: str = "STABLE") -> str:
    return (
        f"CREATE OR REPLACE FUNCTION {SCHEMA}.{signature} RETURNS {returns} "
        f"LANGUAGE sql {volatility} AS $$ {body} $$"
    )


def _clock(name: str) -> str:
    skew = f"coalesce(nullif(current_setting('{SKEW}', true), ''), '0')::interval"
    volatility = "VOLATILE" if name == "clock_timestamp" else "STABLE"
    return _function(
        f"{name}()", "timestamptz", f"SELECT pg_catalog.{name}() + {skew}", volatility=volatility
    )


def installation() -> str:
    """The statements that put the schema there, as one transaction; they can run again."""
    statements = [
        "SELECT pg_catalog.pg_advisory_xact_lock(" + str(_ONE_AT_A_TIME) + ")",
        f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}",
        f"GRANT USAGE ON SCHEMA {SCHEMA} TO PUBLIC",
        _function("version()", "text", f"SELECT '{VERSION.replace(chr(39), chr(39) * 2)}'::text"),
        *(_clock(name) for name in _CLOCKS),
    ]
    return ";\n".join(statements)


def settings(wanted: dict[str, str], *, skew: float) -> dict[str, str]:
    """What a connection asks the PostgreSQL for, beside what the client wants."""
    path = wanted.get("search_path", '"$user", public')
    return {
        "default_transaction_isolation": "serializable",
        **wanted,
        "search_path": f"{path}, {SCHEMA}, pg_catalog",
        SKEW: f"{skew * 1000:.3f} milliseconds",
    }


def raised(code: str, text: str) -> str:
    """A statement that fails with this SQLSTATE, and takes an open transaction along."""
    said = text.replace("'", "''")
    return f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}', MESSAGE = '{said}'; END $$"
