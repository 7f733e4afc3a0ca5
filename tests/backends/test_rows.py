"""SQLite's rows: columns that are encoded at once say the same as values one by one."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Text

from perdure.errors import BackendRefused
from perdure_backends.sql.dialect import Field
from perdure_backends.sql.tables import MOMENT
from perdure_backends.sqlite.dialect import SQLITE

ODD = timezone(timedelta(seconds=29))
ZONES = st.one_of(st.just(UTC), st.sampled_from([timezone(timedelta(hours=2)), ODD]))
WHOLE = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MOMENTS = st.lists(
    st.one_of(
        st.none(),
        st.just(WHOLE),
        st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 30), timezones=ZONES),  # noqa: DTZ001 (the zone is the strategy's)
    ),
    min_size=1,
    max_size=8,
)
steady = settings(max_examples=500, derandomize=True, database=None, deadline=None)


@steady
@given(moments=MOMENTS)
def test_times_are_written_alike_whatever_stands_beside_them(
    moments: list[datetime | None],
) -> None:
    each = SQLITE.each("step", (Field("at", MOMENT),), [(moment,) for moment in moments])
    alone = [moment and SQLITE.written(moment) for moment in moments]
    assert [row["step_at"] for row in each] == alone
    assert [row["step_at"] and SQLITE.read(row["step_at"]) for row in each] == moments


def test_every_row_has_a_value_for_every_column() -> None:
    fields = (Field("id", Text()), Field("epoch", BigInteger()), Field("at", MOMENT))
    given_rows = [("a", 1, None), ("b", 1, WHOLE), ("c", 2, None)]
    each = SQLITE.each("wait", fields, given_rows)
    assert [(row["wait_id"], row["wait_epoch"]) for row in each] == [("a", 1), ("b", 1), ("c", 2)]


def test_no_rows_are_no_executions() -> None:
    assert SQLITE.each("wait", (Field("id", Text()),), []) == []


@pytest.mark.parametrize("texts", [["a\0"], ["a\0", "a\0"], ["a", "b\0"]])
def test_what_cannot_be_stored_is_refused_in_whatever_company(texts: list[str]) -> None:
    with pytest.raises(BackendRefused, match="NUL"):
        SQLITE.each("step", (Field("output", Text()),), [(text,) for text in texts])
