"""Who runs what, when, and in which order; and how it is found."""

import asyncio
import threading
import time
from datetime import timedelta
from typing import Any

import pytest

import perdure
from perdure.claimer import SHORTEST_POLL
from perdure.definition import WorkflowDefinition
from perdure.registry import Registry
from perdure_compat.reference import MemoryBackend

from .support import WITHIN, Door, Memory, engine_of, serving, until


@perdure.workflow(name="queueing.greet")
def greet(name: str) -> str:
    return f"hello {name}"


@perdure.workflow(name="queueing.agreet")
async def agreet(name: str) -> str:
    return f"hello {name}"


@perdure.workflow(name="queueing.orders", queue="orders")
def orders(name: str) -> str:
    return name


def test_a_name_that_nobody_ever_served_is_unknown(sqlite_url: str) -> None:
    unknown = pytest.raises(perdure.UnknownWorkflow, match="'nobody'")
    with engine_of(sqlite_url) as engine, unknown as caught:
        engine.start("nobody")
    assert isinstance(caught.value, LookupError)


def test_a_name_that_was_once_served_waits_for_whoever_serves_it(sqlite_url: str) -> None:
    with serving(sqlite_url, greet):
        pass
    with engine_of(sqlite_url) as client:
        handle = client.start("queueing.greet", "ada")
        with serving(sqlite_url, agreet) as other:
            assert other.start(agreet, "bob").result(timeout=WITHIN) == "hello bob"
            assert handle.status() is perdure.Status.ENQUEUED
        with serving(sqlite_url, greet):
            assert handle.result(timeout=WITHIN) == "hello ada"


def test_strange_work_at_the_head_of_the_queue_holds_nobody_up(sqlite_url: str) -> None:
    with engine_of(sqlite_url, greet) as client:
        client.start_many([greet.bind("x").options(priority=-5)] * 300)
        with serving(sqlite_url, agreet) as engine:
            assert engine.start(agreet, "bob").result(timeout=WITHIN) == "hello bob"


def test_a_workflow_is_started_before_it_is_registered_here(sqlite_url: str) -> None:
    """An engine that lists nothing serves what is started through it, local or not."""

    @perdure.workflow
    def local() -> str:
        return "found"

    with perdure.Engine(sqlite_url, migrate=True) as engine, engine.worker():
        assert engine.start(local).result(timeout=WITHIN) == "found"
        assert engine.start(greet, "ada").result(timeout=WITHIN) == "hello ada"


def test_a_delay_and_a_time_are_kept(sqlite_url: str) -> None:
    lease = {"lease": timedelta(seconds=1.5), "heartbeat": timedelta(seconds=0.1)}
    with engine_of(sqlite_url, greet, **lease) as engine, engine.worker():
        soon = engine.start(greet, "ada", delay=timedelta(milliseconds=300))
        at = perdure.now() + timedelta(milliseconds=300)
        later = engine.start(greet, "bob", run_at=at)
        far = engine.start(greet, "eve", delay=timedelta(days=1))
        past = engine.start(greet, "past", run_at=at - timedelta(days=1))
        assert past.result(timeout=WITHIN) == "hello past"
        assert soon.status() is perdure.Status.DELAYED
        assert soon.result(timeout=WITHIN) == "hello ada"
        assert later.result(timeout=WITHIN) == "hello bob"
        assert far.status() is perdure.Status.DELAYED
        for handle in (soon, later):
            record = handle.record()
            assert record.started_at is not None
            assert record.started_at >= record.run_at


def test_the_lowest_priority_comes_first_and_then_the_oldest(sqlite_url: str) -> None:
    order: list[str] = []
    door = Door()

    @perdure.workflow(name="note")
    def note(name: str) -> None:
        if name == "first":
            door.pass_through()
        order.append(name)

    with serving(sqlite_url, note, concurrency=1, threads=1) as engine:
        engine.start(note, "first")
        door.await_somebody()
        handles = [
            engine.start(note, name, priority=priority)
            for name, priority in (("b", 0), ("d", 5), ("c", 0), ("a", -5))
        ]
        door.opened.set()
        for handle in handles:
            handle.result(timeout=WITHIN)
    assert order == ["first", "a", "b", "c", "d"]


def test_a_worker_runs_no_more_at_once_than_it_may(sqlite_url: str) -> None:
    running: list[int] = []
    most: list[int] = []
    lock = threading.Lock()

    @perdure.workflow
    async def busy() -> None:
        with lock:
            running.append(1)
            most.append(len(running))
        await perdure.asleep(timedelta(milliseconds=5))
        with lock:
            running.pop()

    with serving(sqlite_url, busy, concurrency=3) as engine:
        for handle in engine.start_many([busy.bind()] * 12):
            handle.result(timeout=WITHIN)
    assert max(most) <= 3


def test_a_full_thread_pool_does_not_stop_async_workflows(sqlite_url: str) -> None:
    door = Door()

    @perdure.workflow
    def hold() -> None:
        door.pass_through()

    with serving(sqlite_url, hold, agreet, threads=1) as engine:
        held = [engine.start(hold) for _ in range(2)]
        door.await_somebody()
        assert engine.start(agreet, "ada").result(timeout=WITHIN) == "hello ada"
        door.opened.set()
        for handle in held:
            handle.result(timeout=WITHIN)


def test_a_worker_serves_the_queues_of_its_workflows_and_the_default(sqlite_url: str) -> None:
    with serving(sqlite_url, orders, greet) as engine:
        assert engine.start(orders, "a").record().queue == "orders"
        assert engine.start(orders, "a").result(timeout=WITHIN) == "a"
        assert engine.start(orders, "b", queue="default").result(timeout=WITHIN) == "b"
        other = engine.start(orders, "c", queue="elsewhere")
    with serving(sqlite_url, orders, queues=["elsewhere"]) as second:
        left = second.start(greet, "ada")
        assert second.handle(other.id).result(timeout=WITHIN) == "c"
        assert left.status() is perdure.Status.ENQUEUED


def two_of_one_name() -> tuple[Registry, WorkflowDefinition]:
    """A registry with two workflows of one name, and the first of them."""
    registry, ours = Registry(), WorkflowDefinition(fn=greet.fn, name="greet")
    space: dict[str, Any] = {}
    exec(compile("def greet(): ...", "/elsewhere/greet.py", "exec"), space)  # noqa: S102
    registry.add(ours)
    registry.add(WorkflowDefinition(fn=greet.fn, name="greet"))  # the same file: no conflict
    assert registry.all()
    registry.add(WorkflowDefinition(fn=space["greet"], name="greet"))
    return registry, ours


def test_one_name_in_two_files_is_refused_when_it_is_served() -> None:
    registry, _ = two_of_one_name()
    with pytest.raises(perdure.DefinitionError, match=r"test_queueing\.py.*/elsewhere/greet\.py"):
        registry.all()


def test_an_engine_that_lists_its_workflows_minds_no_others_of_their_name(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported, ours = two_of_one_name()
    monkeypatch.setattr("perdure.registry.IMPORTED", imported)
    workflow: perdure.Workflow[[str], str] = perdure.Workflow(ours)

    with serving(sqlite_url, workflow) as engine:
        assert engine.start(workflow, "ada").result(timeout=WITHIN) == "hello ada"
    refused = pytest.raises(perdure.DefinitionError, match="two workflows")
    with perdure.Engine(sqlite_url) as engine, refused:
        engine.start(workflow, "ada")


# --------------------------------------------------------------------- find


def test_workflows_are_found_by_what_is_known_of_them(sqlite_url: str) -> None:
    with serving(sqlite_url, greet, agreet) as engine:
        done = engine.start(greet, "a", attributes={"kind": "x", "n": 1})
        done.result(timeout=WITHIN)
        far = engine.start(
            agreet, "b", delay=timedelta(days=1), queue="slow", attributes={"kind": "x", "n": 2}
        )

        def ids(**filters: Any) -> list[str]:
            return [record.id for record in engine.find(**filters)]

        assert ids() == [far.id, done.id]
        assert ids(name="queueing.greet") == [done.id]
        assert ids(status=perdure.Status.SUCCESS) == [done.id]
        assert ids(status=["delayed", perdure.Status.SUCCESS]) == [far.id, done.id]
        assert ids(status=[]) == []
        assert ids(queue="slow") == [far.id]
        assert ids(attributes={"kind": "x"}) == [far.id, done.id]
        assert ids(attributes={"kind": "x", "n": 1}) == [done.id]
        assert ids(attributes={"n": "1"}) == []
        assert ids(name="queueing.greet", queue="slow") == []
        assert ids(limit=1) == [far.id]
        assert ids(limit=0) == []


def test_finding_reads_page_after_page(sqlite_url: str) -> None:
    with engine_of(sqlite_url, greet) as engine:
        handles = engine.start_many(greet.bind(str(i)) for i in range(450))
        assert {record.id for record in engine.find()} == {handle.id for handle in handles}
        assert len(list(engine.find(limit=250))) == 250
        few = engine.find()
        next(few)  # whoever stops early leaves nothing open
        assert engine.start(greet, "x").created


async def _found(engine: perdure.Engine, limit: int) -> list[str]:
    return [record.id async for record in engine.afind(limit=limit)]


def test_async_code_finds_the_same(sqlite_url: str) -> None:
    with engine_of(sqlite_url, greet) as engine:
        engine.start_many(greet.bind(str(i)) for i in range(450))
        for limit in (0, 1, 450, 1000):
            blocking = [record.id for record in engine.find(limit=limit)]
            assert asyncio.run(_found(engine, limit)) == blocking


def test_a_record_tells_what_happened(sqlite_url: str) -> None:
    with serving(sqlite_url, greet) as engine:
        handle = engine.start(greet, "a", priority=2)
        handle.result(timeout=WITHIN)
        until(lambda: handle.status().final)
        record = handle.record()
        assert (record.name, record.priority, record.epoch, record.owner) == (
            greet.name,
            2,
            1,
            None,
        )
        assert record.started_at is not None
        assert record.completed_at is not None
        assert record.created_at <= record.started_at <= record.completed_at
        assert record.completed_at.utcoffset() == timedelta(0)
    with engine_of(sqlite_url) as engine, pytest.raises(perdure.WorkflowNotFound):
        engine.handle("nobody").record()


def test_who_gets_less_than_it_asked_for_does_not_ask_again_at_once(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no more: a claim in vain would only disturb what has just come."""
    claims: list[tuple[float, int]] = []
    real = MemoryBackend.claim

    def claim(self: MemoryBackend, *args: Any, **options: Any) -> Any:
        begun = time.monotonic()
        found = real(self, *args, **options)
        claims.append((begun, len(found)))
        return found

    monkeypatch.setattr(MemoryBackend, "claim", claim)
    with serving(memory.url, greet), engine_of(memory.url, greet) as elsewhere:
        handle = elsewhere.start(greet, "ada")
        assert handle.result(timeout=WITHIN) == "hello ada"
        until(lambda: claims[-1][1] == 0 and any(found for _, found in claims))
    (found,) = [index for index, (_, found) in enumerate(claims) if found]
    assert claims[found + 1][0] - claims[found][0] >= SHORTEST_POLL / 2
