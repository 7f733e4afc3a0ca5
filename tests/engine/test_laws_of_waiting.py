"""Laws: whatever is sent and whoever dies, messages arrive once and no record ever changes."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal, TypeAlias

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

import perdure

from .support import AT_ONCE, HOUR, NO_LINGER, Memory, engine_of, result_of, until

WORD: perdure.Topic[int] = perdure.Topic("word", int)
MS = timedelta(milliseconds=1)
QUICK: dict[str, Any] = {"lease": timedelta(seconds=1.5), "heartbeat": timedelta(seconds=0.05)}
IMPATIENT = 40
"""How many receives have a timeout; those after them wait for ever."""

Deed: TypeAlias = Literal["send", "again", "drain", "die", "look"]
DEEDS: st.SearchStrategy[list[Deed]] = st.lists(
    st.sampled_from(["send", "send", "send", "again", "drain", "die", "look"]), max_size=12
)
PATIENCE = st.lists(st.sampled_from([None, 0, 1, 5]), min_size=1, max_size=4)
LINGER = st.sampled_from([NO_LINGER, 5 * MS, HOUR])


@perdure.workflow(name="laws.collect")
def collect(total: int, patience: list[int | None]) -> list[int]:
    seen: list[int] = []
    for turn in range(total + IMPATIENT):
        limit = patience[turn % len(patience)] if turn < IMPATIENT else None
        timeout = None if limit is None else limit * MS
        word = perdure.receive(WORD, timeout=timeout, default=None)
        seen += [] if word is None else [word]
        if len(seen) == total:
            break
    return seen


@perdure.workflow(name="laws.acollect")
async def acollect(counts: list[int], patience: list[int | None]) -> list[list[int]]:
    async def branch(total: int) -> list[int]:
        seen: list[int] = []
        for turn in range(total + IMPATIENT):
            if len(seen) == total:
                break
            limit = patience[turn % len(patience)] if turn < IMPATIENT else None
            timeout = None if limit is None else limit * MS
            word = await perdure.areceive(WORD, timeout=timeout, default=None)
            seen += [] if word is None else [word]
        return seen

    return list(await asyncio.gather(*map(branch, counts)))


@attrs.define
class World:
    """A workflow, its worker, and what has been done to them."""

    memory: Memory
    engine: perdure.Engine
    handle: perdure.Handle[Any]
    worker: perdure.Worker
    sent: int = 0
    seen: list[perdure.StepRecord] = attrs.field(factory=list[perdure.StepRecord])

    def do(self, deed: Deed) -> None:
        match deed:
            case "send":
                self.handle.send(WORD, self.sent, key=f"key {self.sent}")
                self.sent += 1
            case "again":
                for number in range(self.sent):
                    self.handle.send(WORD, -1, key=f"key {number}")
            case "drain":
                self.leave()
                self.enter()
            case "die":
                self.memory.bury(self.worker)
            case "look":
                self.look()

    def enter(self) -> None:
        self.worker = self.engine.worker(grace=AT_ONCE)
        self.worker.__enter__()

    def leave(self) -> None:
        self.worker.__exit__(None, None, None)

    def look(self) -> None:
        """No record ever changes or disappears."""
        now = self.handle.steps()
        assert all(step in now for step in self.seen)
        self.seen = now


def play(
    workflow: Any, args: Sequence[Any], linger: timedelta, deeds: Sequence[Deed], total: int
) -> Any:
    """Do it all, send what is missing then, and return the result."""
    memory = Memory.fresh()
    with engine_of(memory.url, workflow, linger=linger, **QUICK) as engine:
        world = World(memory, engine, engine.start(workflow, *args), engine.worker())
        world.enter()
        try:
            for deed in deeds:
                if deed != "send" or world.sent < total:
                    world.do(deed)
            while world.sent < total:
                world.do("send")
            result = result_of(world.handle)
            world.look()
        finally:
            world.leave()
    taken = [place for (one, _), place in memory.store.consumed.items() if one == world.handle.id]
    assert len(taken) == len(set(taken)) == total
    return result


@settings(max_examples=40)
@given(deeds=DEEDS, patience=PATIENCE, linger=LINGER, total=st.integers(1, 8))
def test_what_is_sent_is_received_once_and_in_order(
    deeds: list[Deed], patience: list[int | None], linger: timedelta, total: int
) -> None:
    assert play(collect, [total, patience], linger, deeds, total) == list(range(total))


@settings(max_examples=40)
@given(
    deeds=DEEDS,
    patience=PATIENCE,
    linger=LINGER,
    counts=st.lists(st.integers(1, 3), min_size=1, max_size=3),
)
def test_branches_share_what_is_sent_and_lose_nothing(
    deeds: list[Deed], patience: list[int | None], linger: timedelta, counts: list[int]
) -> None:
    total = sum(counts)
    received = play(acollect, [counts, patience], linger, deeds, total)
    assert [len(part) for part in received] == counts
    assert sorted(word for part in received for word in part) == list(range(total))
    assert all(part == sorted(part) for part in received)


# --------------------------------------------------------------- cancellation

Move: TypeAlias = Literal["step", "sleep", "receive"]
MOVES: st.SearchStrategy[list[Move]] = st.lists(
    st.sampled_from(["step", "sleep", "receive"]), max_size=5
)


@perdure.step(name="laws.work")
def work(what: str) -> str:
    return what


@perdure.workflow(name="laws.cancelled")
def cancelled(moves: list[Move], cleaning: list[Move]) -> str:
    def go(move: Move, what: str) -> None:
        match move:
            case "step":
                work(what)
            case "sleep":
                perdure.sleep(MS)
            case "receive":
                perdure.receive(WORD, timeout=5 * MS, default=None)

    try:
        for i, move in enumerate(moves):
            go(move, f"work {i}")
        perdure.receive(WORD, timeout=20 * MS, default=None)
        return "finished"
    finally:
        with perdure.shield():  # else a request that comes as late as this would strike here
            for i, move in enumerate(cleaning):
                go(move, f"clean {i}")


@perdure.workflow(name="laws.acancelled")
async def acancelled(moves: list[Move], cleaning: list[Move]) -> str:
    async def go(move: Move, what: str) -> None:
        match move:
            case "step":
                await work.acall(what)
            case "sleep":
                await perdure.asleep(MS)
            case "receive":
                await perdure.areceive(WORD, timeout=5 * MS, default=None)

    async def line() -> None:
        for i, move in enumerate(moves):
            await go(move, f"work {i}")

    try:
        await asyncio.gather(line(), line())
        await perdure.areceive(WORD, timeout=20 * MS, default=None)
        return "finished"
    finally:
        with perdure.shield():
            for i, move in enumerate(cleaning):
                await go(move, f"clean {i}")


@attrs.frozen
class Course:
    """What a workflow is to do, and what is done to it before and after it is cancelled."""

    workflow: perdure.Workflow[..., Any]
    moves: list[Move]
    cleaning: list[Move]
    before: list[Deed]
    after: list[Deed]
    linger: timedelta


MISFORTUNES: st.SearchStrategy[list[Deed]] = st.lists(
    st.sampled_from(["drain", "die", "look"]), max_size=3
)
COURSES = st.builds(
    Course,
    st.sampled_from([cancelled, acancelled]),
    MOVES,
    MOVES,
    MISFORTUNES,
    MISFORTUNES,
    LINGER,
)


@settings(max_examples=60)
@given(course=COURSES)
def test_whenever_a_cancellation_comes_and_whoever_dies_it_strikes_once_and_cleans_up(
    course: Course,
) -> None:
    memory = Memory.fresh()
    with engine_of(memory.url, course.workflow, linger=course.linger, **QUICK) as engine:
        handle: perdure.Handle[Any] = engine.start(course.workflow, course.moves, course.cleaning)
        world = World(memory, engine, handle, engine.worker())
        world.enter()
        try:
            for deed in course.before:
                world.do(deed)
            record = asked(handle)
            for deed in course.after:
                world.do(deed)
            until(lambda: handle.status().final)
            world.look()
        finally:
            world.leave()
        steps, status = handle.steps(), handle.status()
    strikes = [step for step in steps if step.kind == "cancelled"]
    cleaned = [step.output_json for step in steps if (step.output_json or "").startswith('"clean')]
    assert status in {perdure.Status.SUCCESS, perdure.Status.CANCELLED}
    assert len(strikes) == (status is perdure.Status.CANCELLED and record.epoch > 0)
    if status is perdure.Status.SUCCESS or strikes:
        assert cleaned == [f'"clean {i}"' for i, m in enumerate(course.cleaning) if m == "step"]


def asked(handle: perdure.Handle[Any]) -> perdure.WorkflowRecord:
    """Ask for its end; how it stood after that."""
    with contextlib.suppress(perdure.WorkflowFinished):
        handle.cancel("enough")
    return handle.record()
