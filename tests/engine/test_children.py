"""Workflows that workflows start: once, by ids that a replay finds again."""

import asyncio
from datetime import timedelta
from typing import Any

import attrs

import perdure

from .family import COLOURS, GO, KNOWN, LINGERS, adouble, double, run, wait
from .support import (
    AT_ONCE,
    HOUR,
    NO_LINGER,
    Door,
    Memory,
    await_status,
    await_waiting,
    engine_of,
    result_of,
    serving,
    until,
)


@COLOURS
@LINGERS
def test_children_have_ids_from_their_parents_and_their_places(
    memory: Memory, *, is_async: bool, linger: timedelta
) -> None:
    @perdure.workflow
    def outer() -> list[Any]:
        one = perdure.start_child(double, 1)
        two = perdure.start_child(double.bind(2).options(id="two"))
        more = perdure.start_children([double.bind(i) for i in (3, 4, 5)])
        every = [one, two, *more]
        return [[h.id for h in every], [h.created for h in every], [h.result() for h in every]]

    @perdure.workflow
    async def aouter() -> list[Any]:
        one = await perdure.astart_child(adouble, 1)
        two = await perdure.astart_child(adouble.bind(2).options(id="two"))
        more = await perdure.astart_children([adouble.bind(i) for i in (3, 4, 5)])
        every = [one, two, *more]
        ends = [await h.aresult() for h in every]
        return [[h.id for h in every], [h.created for h in every], ends]

    ids, created, ends = run(memory, aouter if is_async else outer, linger=linger)

    assert ids == ["w/1", "two", "w/3", "w/3.1", "w/3.2"]
    assert created == [True] * 5
    assert ends == [2, 4, 6, 8, 10]


def test_children_of_branches_have_ids_from_their_branches(memory: Memory) -> None:
    async def branch(number: int) -> str:
        return (await perdure.astart_child(adouble, number)).id

    @perdure.workflow
    async def outer() -> list[str]:
        return list(await asyncio.gather(branch(1), branch(2)))

    assert run(memory, outer) == ["w/1:1", "w/2:1"]


def test_an_id_that_would_be_too_long_is_cut_to_one_that_is_not(memory: Memory) -> None:
    @perdure.workflow
    def outer() -> list[Any]:
        handles = perdure.start_children([double.bind(i) for i in range(3)])
        return [[h.id for h in handles], [h.result() for h in handles]]

    with serving(memory.url, outer, *KNOWN) as engine:
        ids, ends = result_of(engine.start(outer, id="x" * 500))
    assert len(set(ids)) == 3
    assert max(len(one.encode()) for one in ids) <= 512
    assert ends == [0, 2, 4]


def test_children_know_their_parent_and_are_found_by_it(memory: Memory) -> None:
    @perdure.workflow
    def outer() -> None:
        perdure.start_children([double.bind(i) for i in range(3)])

    with serving(memory.url, outer, *KNOWN) as engine:
        parent = engine.start(outer)
        result_of(parent)
        found = list(engine.find(parent=parent.id))
        assert sorted(one.id for one in found) == [f"{parent.id}/1{x}" for x in ("", ".1", ".2")]
        assert {one.parent_id for one in found} == {parent.id}
        assert parent.record().parent_id is None
        assert list(engine.find(parent="nobody")) == []


@COLOURS
def test_a_parent_that_is_replayed_starts_nothing_twice(memory: Memory, *, is_async: bool) -> None:
    door = Door()

    @perdure.step
    def hold() -> None:
        door.pass_through()

    @perdure.workflow
    def outer() -> list[Any]:
        handle = perdure.start_child(double, 1)
        hold()
        return [handle.created, handle.result()]

    @perdure.workflow
    async def aouter() -> list[Any]:
        handle = await perdure.astart_child(adouble, 1)
        await hold.acall()
        return [handle.created, await handle.aresult()]

    workflow: Any = aouter if is_async else outer
    with engine_of(memory.url, workflow, *KNOWN) as engine:
        with engine.worker(grace=AT_ONCE):
            parent: perdure.Handle[Any] = engine.start(workflow)
            door.await_somebody()
        door.opened.set()
        with engine.worker():
            assert result_of(parent) == [True, 2]
        assert len(list(engine.find(parent=parent.id))) == 1


def test_children_that_were_started_before_the_parent_died_are_its_own(memory: Memory) -> None:
    """The step that starts them is not recorded yet, so that it is done again."""

    @perdure.workflow
    def outer() -> list[bool]:
        return [h.created for h in perdure.start_children([double.bind(i) for i in range(3)])]

    with engine_of(memory.url, outer, *KNOWN) as engine:
        parent = engine.start(outer, id="w")
        with engine.worker():
            result_of(parent)
        record = memory.store.workflows["w"]
        memory.store.steps.pop("w")
        memory.store.workflows["w"] = revived(record)
        with engine.worker():
            until(lambda: parent.record().epoch == 2)
            assert result_of(parent) == [True] * 3
        assert len(list(engine.find(parent="w"))) == 3


def revived(record: perdure.WorkflowRecord) -> perdure.WorkflowRecord:
    """The same workflow as if it had not ended."""
    return attrs.evolve(record, status=perdure.Status.ENQUEUED, output_json=None, completed_at=None)


# ------------------------------------------------------------ ids that are taken


@COLOURS
def test_a_child_that_is_there_already_with_the_same_work_is_adopted(
    memory: Memory, *, is_async: bool
) -> None:
    @perdure.workflow
    def outer() -> list[Any]:
        handle = perdure.start_child(double.bind(4).options(id="shared"))
        return [handle.created, handle.result()]

    @perdure.workflow
    async def aouter() -> list[Any]:
        handle = await perdure.astart_child(double.bind(4).options(id="shared"))
        return [handle.created, await handle.aresult()]

    with engine_of(memory.url, *KNOWN) as engine:
        engine.start(double, 4, id="shared")
    assert run(memory, aouter if is_async else outer, linger=NO_LINGER) == [False, 8]


def test_the_end_of_one_that_was_adopted_wakes_its_adopter(memory: Memory) -> None:
    @perdure.workflow
    def outer() -> str:
        return perdure.start_child(wait.bind().options(id="shared")).result()

    with engine_of(memory.url, outer, *KNOWN, linger=NO_LINGER) as engine, engine.worker():
        shared = engine.start(wait, id="shared")
        parent = engine.start(outer)
        await_waiting(parent, shared)
        shared.send(GO, "on")
        assert result_of(parent) == "on"


@COLOURS
def test_an_id_taken_by_other_work_is_a_conflict_and_the_same_at_a_replay(
    memory: Memory, *, is_async: bool
) -> None:
    calls = [double.bind(1), double.bind(2).options(id="taken"), double.bind(3)]

    @perdure.workflow
    def outer() -> Any:
        try:
            perdure.start_children(calls)
        except perdure.WorkflowConflict as error:
            return [perdure.receive(GO), list(error.ids)]

    @perdure.workflow
    async def aouter() -> Any:
        try:
            await perdure.astart_children(calls)
        except perdure.WorkflowConflict as error:
            return [await perdure.areceive(GO), list(error.ids)]

    workflow: Any = aouter if is_async else outer
    with engine_of(memory.url, workflow, *KNOWN, linger=NO_LINGER) as engine, engine.worker():
        engine.start(double, 99, id="taken")
        parent: perdure.Handle[Any] = engine.start(workflow)
        await_waiting(parent)
        parent.send(GO, "on")
        assert result_of(parent) == ["on", ["taken"]]
        started = {one.id for one in engine.find(parent=parent.id)}
        assert started == {f"{parent.id}/1", f"{parent.id}/1.2"}  # all others are started


# ---------------------------------------------------------------------- options


def test_a_child_may_stand_in_another_queue_and_have_its_own_timeout(memory: Memory) -> None:
    @perdure.workflow
    def outer() -> None:
        perdure.start_child(wait, queue="elsewhere", timeout=HOUR)

    with serving(memory.url, outer) as engine:
        parent = engine.start(outer, id="w")
        result_of(parent)
        child = engine.handle("w/1").record()
        assert (child.queue, child.timeout, child.detached) == ("elsewhere", HOUR, False)


def test_a_child_has_no_later_deadline_than_its_parent(memory: Memory) -> None:
    @perdure.workflow
    def outer() -> None:
        later = perdure.now() + 3 * HOUR
        sooner = perdure.now() + timedelta(minutes=30)
        perdure.start_child(wait)
        perdure.start_child(wait.bind().options(deadline=later))
        perdure.start_child(wait.bind().options(deadline=sooner))
        perdure.start_child(wait, detach=True)

    with serving(memory.url, outer) as engine:
        parent = engine.start(outer, id="w", timeout=HOUR)
        result_of(parent)
        mine = parent.record().deadline
        assert mine is not None
        plain, later, sooner, detached = (
            engine.handle(f"w/{seq}").record().deadline for seq in (3, 4, 5, 6)
        )
        assert plain == later == mine
        assert sooner is not None
        assert sooner < mine
        assert detached is None


def test_a_detached_child_outlives_its_parent(memory: Memory) -> None:
    @perdure.workflow
    def outer() -> None:
        perdure.start_child(wait, detach=True)
        perdure.receive(GO)

    with engine_of(memory.url, outer, *KNOWN, linger=NO_LINGER) as engine, engine.worker():
        parent = engine.start(outer, id="w")
        await_waiting(parent)
        parent.cancel("enough")
        await_status(parent, perdure.Status.CANCELLED)
        child = engine.handle("w/1", wait)
        assert child.record().detached
        child.send(GO, "on")
        assert result_of(child) == "on"


@COLOURS
def test_children_run_on_postgresql(postgres_url: str, *, is_async: bool) -> None:
    @perdure.workflow
    def outer() -> list[int]:
        return list(perdure.results(perdure.start_children([double.bind(i) for i in range(20)])))

    @perdure.workflow
    async def aouter() -> list[int]:
        handles = await perdure.astart_children([adouble.bind(i) for i in range(20)])
        return [value async for value in perdure.aresults(handles)]

    workflow: Any = aouter if is_async else outer
    with (
        engine_of(postgres_url, workflow, *KNOWN, linger=NO_LINGER) as engine,
        engine.worker(concurrency=2),
    ):
        assert result_of(engine.start(workflow)) == [2 * i for i in range(20)]
