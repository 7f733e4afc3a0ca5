"""What the database will never take costs its own workflow only."""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs
import pytest

import perdure
from perdure.backend import Batch, Committed

from .faulty import Faults, installed
from .support import WITHIN, serving, until

CULPRIT = "culprit"
INNOCENTS = 99


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Faults:
    return installed(monkeypatch)


@perdure.workflow(name="plug")
async def plug() -> None: ...


class Refusal:
    """Refuses batches that hold what it does not like, and waits before the first one."""

    def __init__(self, bad: Callable[[Batch], bool]) -> None:
        self.bad = bad
        self.may_begin = threading.Event()
        self.sizes: list[int] = []

    def __call__(self, real: Any, worker_id: str, batch: Batch) -> Committed:
        assert self.may_begin.wait(WITHIN.total_seconds())
        self.sizes.append(len(batch.steps) + len(batch.waits) + len(batch.transitions))
        if self.bad(batch):
            raise perdure.BackendRefused("poison")
        answer: Committed = real(worker_id, batch)
        return answer


NAMES = [CULPRIT if i == INNOCENTS // 2 else f"n{i}" for i in range(INNOCENTS + 1)]


def run_beside_innocents(
    url: str, faulty: Faults, refusal: Refusal, *, rest: timedelta = timedelta(0)
) -> None:
    """The culprit's workflow fails, and all others that share its batches succeed."""
    bodies: Counter[str] = Counter()

    @perdure.step(name="work")
    async def work(name: str) -> str:
        bodies[name] += 1
        return name

    @perdure.workflow(name="outer")
    async def outer(name: str) -> str:
        text = await work(name)
        if rest:
            await perdure.asleep(rest)
        return await work(text) + "!"

    faulty.replace("commit", refusal)
    with serving(url, plug, outer) as engine:
        engine.start(plug)
        handles = engine.start_many(outer.bind(name).options(id=name) for name in NAMES)
        until(lambda: sum(bodies.values()) == len(NAMES))
        refusal.may_begin.set()
        for handle in handles:
            judge(handle)
    assert {bodies[name] for name in NAMES if name != CULPRIT} == {2}
    assert max(refusal.sizes) >= len(NAMES)  # they did share a batch


def judge(handle: perdure.Handle[str]) -> None:
    """As it was announced."""
    if handle.id == CULPRIT:
        with pytest.raises(perdure.BackendRefused, match="poison"):
            handle.result(timeout=WITHIN)
        assert handle.status() is perdure.Status.ERROR
    else:
        assert handle.result(timeout=WITHIN) == f"{handle.id}!"


def test_a_refused_step_fails_its_own_workflow_only(
    sqlite_url: str, faulty: Faults, caplog: pytest.LogCaptureFixture
) -> None:
    refusal = Refusal(lambda batch: any(step.workflow_id == CULPRIT for step in batch.steps))

    run_beside_innocents(sqlite_url, faulty, refusal)

    said = [r.getMessage() for r in caplog.records if r.levelname == "ERROR"]
    assert said == ["the database refuses a record of culprit: poison"]


def test_a_refused_wait_fails_its_own_workflow_only(sqlite_url: str, faulty: Faults) -> None:
    refusal = Refusal(lambda batch: any(wait.workflow_id == CULPRIT for wait in batch.waits))

    run_beside_innocents(sqlite_url, faulty, refusal, rest=timedelta(milliseconds=1))


def test_a_refused_result_fails_its_own_workflow_only(sqlite_url: str, faulty: Faults) -> None:
    refusal = Refusal(
        lambda batch: any(
            end.workflow_id == CULPRIT and end.status is perdure.Status.SUCCESS
            for end in batch.transitions
        )
    )

    run_beside_innocents(sqlite_url, faulty, refusal)


def test_an_error_that_is_refused_parks_its_workflow(sqlite_url: str, faulty: Faults) -> None:
    @perdure.workflow(name="fails")
    async def fails() -> None:
        raise ValueError("unstorable")

    refusal = Refusal(
        lambda batch: any(end.status is perdure.Status.ERROR for end in batch.transitions)
    )
    refusal.may_begin.set()
    faulty.replace("commit", refusal)
    with serving(sqlite_url, plug, fails) as engine:
        with pytest.raises(perdure.WorkflowParked, match="poison"):
            engine.start(fails).result(timeout=WITHIN)
        assert engine.start(plug).result(timeout=WITHIN) is None


def test_a_workflow_that_catches_everything_ends_when_its_step_is_refused(
    sqlite_url: str, faulty: Faults
) -> None:
    seen: list[str] = []

    @perdure.step
    async def work() -> str:
        return "done"

    @perdure.workflow
    async def stubborn() -> str:
        for _ in range(3):
            try:
                await work()
            except Exception as error:  # noqa: BLE001 (what many an agent's loop does)
                seen.append(type(error).__name__)
        return "done"

    refusal = Refusal(lambda batch: bool(batch.steps))
    refusal.may_begin.set()
    faulty.replace("commit", refusal)
    with serving(sqlite_url, stubborn) as engine:
        handle = engine.start(stubborn)
        with pytest.raises(perdure.BackendRefused):
            handle.result(timeout=WITHIN)
        assert handle.steps() == []
    assert seen == []


def test_an_answer_counts_by_what_it_says_and_not_by_who_made_it(
    sqlite_url: str, faulty: Faults, caplog: pytest.LogCaptureFixture
) -> None:
    def strange(real: Any, worker_id: str, batch: Batch) -> Committed:
        answer: Committed = real(worker_id, batch)
        fresh = [attrs.evolve(said) for said in answer.steps]
        assert all(new is not old for new, old in zip(fresh, answer.steps, strict=True))
        return attrs.evolve(answer, steps=fresh)

    @perdure.step
    def work() -> str:
        return "done"

    @perdure.workflow
    def outer() -> str:
        return work() + work()

    faulty.replace("commit", strange)
    with serving(sqlite_url, outer) as engine:
        assert engine.start(outer).result(timeout=WITHIN) == "donedone"
    assert caplog.records == []


def test_nothing_that_builds_on_a_refused_record_is_written(
    sqlite_url: str, faulty: Faults
) -> None:
    done = threading.Event()

    @perdure.workflow
    async def hasty() -> str:
        for _ in range(3):
            perdure.now()  # recorded, and not waited for
        done.set()
        return "built on sand"

    refusal = Refusal(lambda batch: any(step.seq == 2 for step in batch.steps))
    faulty.replace("commit", refusal)
    with serving(sqlite_url, plug, hasty) as engine:
        engine.start(plug)
        handle = engine.start(hasty)
        assert done.wait(WITHIN.total_seconds())
        refusal.may_begin.set()
        with pytest.raises(perdure.BackendRefused, match="poison"):
            handle.result(timeout=WITHIN)
        assert [step.seq for step in handle.steps()] == [1]
        assert engine.start(plug).result(timeout=WITHIN) is None
