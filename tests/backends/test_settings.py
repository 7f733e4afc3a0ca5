"""What a database sets for all its sessions changes nothing of what is promised."""

from contextlib import closing
from typing import Any

import psycopg
import pytest

from perdure.errors import ConfigurationError
from perdure_backends.postgres import PostgresBackend
from perdure_compat.suite.races import together
from perdure_compat.suite.records import join, own, record, step, steps_of

from .pooler import pooled

Psql = psycopg.Connection[Any]
MANY = 6

NULLS = ("array_nulls", "off")
"""A NULL among many parameters would be the text `NULL`."""
DATES = ("datestyle", "German")
"""The driver reads times in no other form than ISO's."""


def preset(psql: Psql, *settings: tuple[str, str]) -> None:
    """From now on sessions of this database begin so."""
    for name, value in settings:
        psql.execute(f"ALTER DATABASE {psql.info.dbname} SET {name} = '{value}'".encode())


def test_values_come_back_whatever_forms_a_database_prefers(postgres_url: str, psql: Psql) -> None:
    more = [
        ("intervalstyle", "iso_8601"),
        ("timezone", "Asia/Kathmandu"),
        ("extra_float_digits", "0"),
    ]
    preset(psql, NULLS, DATES, ("standard_conforming_strings", "off"), *more)
    with closing(PostgresBackend(postgres_url)) as backend:
        backend.migrate()
        join(backend, "a")
        own(backend, "a", "w")
        steps = [step("w", seq, output_json=text) for seq, text in ((1, None), (2, '"\\\\ \\""'))]
        record(backend, "a", *steps)
        assert steps_of(backend, "w") == steps


@pytest.mark.parametrize("setting", [NULLS, DATES])
def test_behind_a_pooler_that_drops_options_such_forms_are_refused(
    postgres_url: str, psql: Psql, setting: tuple[str, str]
) -> None:
    preset(psql, setting)
    with (
        pooled(postgres_url, refuses=False) as backend,
        pytest.raises(ConfigurationError, match="ALTER DATABASE"),
    ):
        backend.migrate()


def test_migrations_at_once_see_each_other_at_any_isolation(postgres_url: str, psql: Psql) -> None:
    preset(psql, ("default_transaction_isolation", "repeatable read"))
    with pooled(postgres_url, refuses=False) as backend:
        together(lambda _: backend.migrate(), range(MANY))
        join(backend, "a")
        own(backend, "a", "w")
