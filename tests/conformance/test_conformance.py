"""Our backends through the strangers' door: `python -m perdure_compat URL`."""

import pytest

from .judging import Judge, Judged

AT_LEAST = 340
"""What the reference kept, which leaves out most, when this number was last raised."""


def left_out(judged: Judged) -> set[str]:
    """The capabilities for want of which tests were not run, where all others kept a promise."""
    assert judged.code == 0, judged.out + judged.err
    totals = judged.json["totals"]
    assert (totals["broken"], totals["deviates"]) == (0, 0)
    assert totals["kept"] >= AT_LEAST
    tests = judged.json["tests"]
    return {test["reason"].partition(":")[0] for test in tests if test["outcome"] == "not run"}


@pytest.mark.long(30)
def test_the_reference_keeps_every_promise(judge: Judge) -> None:
    judged = judge("memory://")
    assert "perdure conformance: memory://" in judged.out
    assert "left behind" not in judged.out
    assert left_out(judged) == {
        "faults",
        "guests",
        "processes",
        "sql_script",
        "wakeups",
    }


@pytest.mark.long(60)
def test_sqlite_keeps_every_promise(judge: Judge) -> None:
    judged = judge("sqlite://")
    assert "perdure conformance: sqlite:///" in judged.out
    assert left_out(judged) <= {"wakeups"}


@pytest.mark.long(140)
def test_postgresql_keeps_every_promise(judge: Judge, postgres_url: str) -> None:
    judged = judge(postgres_url)
    assert "perdure conformance: postgresql://" in judged.out
    assert left_out(judged) == set()
