"""Starting: ids, conflicts, many at once, arguments."""

import math
import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

import perdure

from .support import WITHIN, engine_of, serving


@perdure.workflow(name="starting.checkout")
def checkout(order: str, cents: int = 0, *, review: bool = True) -> str:
    return f"{order} {cents} {review}"


@perdure.workflow(name="starting.agent")
async def agent(prompt: str) -> str:
    return prompt


@perdure.workflow
def several(*numbers: int, **named: float) -> list[float]:
    return [*numbers, *named.values()]


def count(url: str) -> int:
    database = sqlite3.connect(url.removeprefix("sqlite:///"))
    try:
        rows: int = database.execute("SELECT count(*) FROM workflows").fetchone()[0]
    finally:
        database.close()
    return rows


def test_the_same_id_and_input_is_the_same_workflow(sqlite_url: str) -> None:
    with serving(sqlite_url, checkout) as engine:
        first = engine.start(checkout, "a", 1, id="o-1")
        again = engine.start(checkout, "a", 1, id="o-1")
        bound = engine.start(checkout.bind(order="a", cents=1).options(id="o-1"))
        assert [handle.created for handle in (first, again, bound)] == [True, False, False]
        assert {handle.result(timeout=WITHIN) for handle in (first, again, bound)} == {"a 1 True"}
        late = engine.start(checkout, "a", 1, id="o-1")
        assert not late.created
        assert late.result(timeout=WITHIN) == "a 1 True"
    assert count(sqlite_url) == 1


def test_without_an_id_each_start_is_new_work(sqlite_url: str) -> None:
    with engine_of(sqlite_url, checkout) as engine:
        handles = [engine.start(checkout, "a") for _ in range(3)]
    assert all(handle.created for handle in handles)
    assert len({handle.id for handle in handles}) == 3


@pytest.mark.parametrize(
    "other", [checkout.bind("a", 2), checkout.bind("a", 1, review=False), agent.bind("a")]
)
def test_the_same_id_for_other_work_is_a_conflict(
    sqlite_url: str, other: perdure.Call[str]
) -> None:
    with engine_of(sqlite_url, checkout, agent) as engine:
        engine.start(checkout, "a", 1, id="o-1")
        with pytest.raises(perdure.WorkflowConflict, match="o-1") as caught:
            engine.start(other.options(id="o-1"))
    assert caught.value.ids == ("o-1",)


def test_a_conflict_lists_all_and_the_others_start(sqlite_url: str) -> None:
    with engine_of(sqlite_url, checkout) as engine:
        for i in (3, 1500):
            engine.start(checkout, "other", id=f"n{i}")
        calls = [checkout.bind("a", i).options(id=f"n{i}") for i in range(2000)]
        with pytest.raises(perdure.WorkflowConflict) as caught:
            engine.start_many(calls)
        assert sorted(caught.value.ids) == ["n1500", "n3"]
    assert count(sqlite_url) == 2000


def test_one_id_twice_in_one_call(sqlite_url: str) -> None:
    with engine_of(sqlite_url, checkout) as engine:
        same = [checkout.bind("a").options(id="x")] * 2
        assert [handle.id for handle in engine.start_many(same)] == ["x", "x"]
        with pytest.raises(perdure.WorkflowConflict) as caught:
            engine.start_many(checkout.bind(order).options(id="y") for order in "ab")
        assert caught.value.ids == ("y",)
    assert count(sqlite_url) == 2


def test_many_start_in_the_order_of_the_calls(sqlite_url: str) -> None:
    with serving(sqlite_url, agent) as engine:
        handles = engine.start_many(agent.bind(str(i)) for i in range(2500))
        assert len({handle.id for handle in handles}) == 2500
        assert [handles[i].result(timeout=WITHIN) for i in (0, 999, 1000, 2499)] == [
            "0",
            "999",
            "1000",
            "2499",
        ]
        last = [handle.result(timeout=WITHIN) for handle in handles]
    assert last == [str(i) for i in range(2500)]


def test_no_calls_start_nothing(sqlite_url: str) -> None:
    with engine_of(sqlite_url, agent) as engine:
        assert engine.start_many([]) == []


def test_options_are_per_item(sqlite_url: str) -> None:
    with engine_of(sqlite_url, agent) as engine:
        later = datetime(2100, 1, 1, tzinfo=UTC)
        call = agent.bind("a").options(priority=3, attributes={"n": 1})
        engine.start_many([call.options(id="1", queue="q"), call.options(id="2", run_at=later)])
        one, two = engine.handle("1").record(), engine.handle("2").record()
    assert (one.queue, one.priority, one.attributes, one.status) == (
        "q",
        3,
        {"n": 1},
        perdure.Status.ENQUEUED,
    )
    assert (two.queue, two.run_at, two.status) == ("default", later, perdure.Status.DELAYED)


# --------------------------------------------------------------- arguments


def test_a_workflows_own_keyword_is_shown_the_way_through_bind(sqlite_url: str) -> None:
    engine = engine_of(sqlite_url, checkout)
    wrong: Any = {"review": False}
    with pytest.raises(perdure.InvalidArguments, match=r"checkout\.bind\(…, review=…\)") as caught:
        engine.start(checkout, "a", **wrong)
    assert isinstance(caught.value, TypeError)
    with pytest.raises(perdure.InvalidArguments, match="options"):
        engine.start(checkout.bind("a"), **wrong)


@pytest.mark.parametrize("arguments", [(), ("a", 1, 2)])
def test_wrong_arity_is_refused_before_anything_is_written(
    sqlite_url: str, arguments: tuple[Any, ...]
) -> None:
    start: Any = checkout
    with engine_of(sqlite_url, checkout) as engine:
        with pytest.raises(perdure.InvalidArguments, match=r"it takes \(order: str"):
            engine.start(start, *arguments)
        with pytest.raises(perdure.InvalidArguments, match="checkout"):
            start.bind(*arguments)
        assert count(sqlite_url) == 0


def test_an_unknown_keyword_in_bind_is_refused() -> None:
    bind: Any = checkout.bind
    with pytest.raises(perdure.InvalidArguments, match="reviewed"):
        bind("a", reviewed=True)


def test_an_argument_that_cannot_become_json_is_refused_before_anything_is_written(
    sqlite_url: str,
) -> None:
    wrong: Any = object()
    with engine_of(sqlite_url, checkout) as engine:
        with pytest.raises(perdure.SerializationError, match="object"):
            engine.start(checkout, wrong)
        with pytest.raises(perdure.SerializationError):
            engine.start("starting.checkout", wrong)
        assert count(sqlite_url) == 0


def test_arguments_of_every_kind_arrive(sqlite_url: str) -> None:
    with serving(sqlite_url, several, checkout) as engine:
        assert engine.start(several.bind(1, 2, a=0.5)).result(timeout=WITHIN) == [1, 2, 0.5]
        assert engine.start(several).result(timeout=WITHIN) == []
        assert engine.start(checkout.bind("a", review=False)).result(timeout=WITHIN) == "a 0 False"


def test_by_name_a_workflow_gets_plain_json(sqlite_url: str) -> None:
    with serving(sqlite_url, checkout) as engine:
        handle = engine.start("starting.checkout", "a", 5, id="n")
        assert handle.result(timeout=WITHIN) == "a 5 True"
        assert not engine.start(checkout, "a", 5, id="n").created


def test_by_name_wrong_arguments_end_the_workflow_at_its_first_claim(sqlite_url: str) -> None:
    with serving(sqlite_url, checkout) as engine:
        with pytest.raises(perdure.InvalidArguments, match="checkout"):
            engine.start("starting.checkout", "a", 1, 2).result(timeout=WITHIN)
        with pytest.raises(perdure.SerializationError, match="cents"):
            engine.start("starting.checkout", "a", "many").result(timeout=WITHIN)


def test_only_workflows_can_be_started(sqlite_url: str) -> None:
    engine = engine_of(sqlite_url)
    wrong: Any = print
    with pytest.raises(perdure.UsageError, match=r"@perdure\.workflow"):
        engine.start(wrong)


@pytest.mark.parametrize(
    "options",
    [
        {"id": ""},
        {"id": "x" * 513},
        {"id": "a\0b"},
        {"queue": ""},
        {"run_at": datetime(2030, 1, 1)},  # noqa: DTZ001 (that is what is refused)
        {"run_at": datetime(2030, 1, 1, tzinfo=UTC), "delay": timedelta(1)},
        {"attributes": {"a": [1]}},
        {"attributes": {"a": math.nan}},
        {"priority": 2**31},
        {"priority": 1.5},
        {"delay": 60},
        {"run_at": "tomorrow"},
        {"deadline": datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))},
    ],
)
def test_options_that_cannot_be_are_refused_at_once(
    sqlite_url: str, options: dict[str, Any]
) -> None:
    engine = engine_of(sqlite_url, agent)
    with pytest.raises(perdure.UsageError):
        engine.start(agent, "a", **options)
    with pytest.raises(perdure.UsageError):
        agent.bind("a").options(**options)
