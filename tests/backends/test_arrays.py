"""Array literals: PostgreSQL reads back what was written, whichever way it was written."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Text

from perdure_backends.sql.arrays import literal
from perdure_backends.sql.tables import MOMENT

ANYTHING = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
AWKWARD = st.text(st.sampled_from('ab"\\,{}N \n\r\t'), max_size=6)
TEXTS = st.lists(st.one_of(st.none(), st.just("NULL"), AWKWARD, ANYTHING), max_size=8)
NUMBERS = st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), max_size=8)
ODD = timezone(timedelta(minutes=53, seconds=28))
ZONES = st.one_of(st.just(UTC), st.sampled_from([timezone(timedelta(hours=2)), ODD]))
MOMENTS = st.lists(
    st.one_of(
        st.none(),
        st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 30), timezones=ZONES),  # noqa: DTZ001 (the zone is the strategy's)
    ),
    max_size=8,
)

steady = settings(
    max_examples=300,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def _read(psql: psycopg.Connection[Any], text: str, kind: str) -> list[Any]:
    found = psql.execute(f"SELECT %s::{kind}[]".encode(), [text]).fetchone()
    assert found
    answer: list[Any] = found[0]
    return answer


@pytest.fixture
def utc(psql: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """A session that tells times as they are compared here."""
    psql.execute("SET timezone = 'UTC'")
    return psql


@steady
@given(values=TEXTS)
def test_texts_come_back_as_they_went_in(
    psql: psycopg.Connection[Any], values: list[str | None]
) -> None:
    assert _read(psql, literal(values, Text()), "text") == values


@steady
@given(values=NUMBERS)
def test_numbers_come_back_as_they_went_in(
    psql: psycopg.Connection[Any], values: list[int | None]
) -> None:
    assert _read(psql, literal(values, BigInteger()), "bigint") == values


def test_a_number_too_large_for_json_is_the_databases_to_refuse() -> None:
    assert literal([2**70, None], BigInteger()) == f"{{{2**70},NULL}}"


@steady
@given(values=MOMENTS)
def test_times_come_back_as_they_went_in(
    utc: psycopg.Connection[Any], values: list[datetime | None]
) -> None:
    assert _read(utc, literal(values, MOMENT), "timestamptz") == values
