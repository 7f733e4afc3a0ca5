"""The workflows that are run whole, and the engines that run them.

Each body leaves a line in a file before it returns, and each place tells the dooms
that it was reached. What they return depends on nothing but their ids.
"""

import asyncio
import json
import os
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import attrs

import perdure
from perdure_compat.harness import Place

from .boundaries import END, Boundary, Moment, again
from .dooms import acome, come
from .repeats import repeated

LEASE = timedelta(seconds=1.5)
"""The shortest that an engine takes."""
NAP = timedelta(seconds=1.3)
"""Longer than what a sleep spends in memory."""
EFFECTS = "effects.log"
PATIENCE = 60.0
"""Seconds within which one worker brings anything to its end,"""
EACH = 0.5
"""and so many more for each workflow: far beyond what it needs."""


@attrs.frozen(kw_only=True)
class Effect:
    """What a body did to the outside: where, and which time it had been given."""

    id: str
    place: str
    saw: str | None


def effects(folder: Path) -> list[Effect]:
    """What the bodies did, in order."""
    log = folder / EFFECTS
    lines = log.read_text().splitlines() if log.exists() else []
    return [Effect(**json.loads(line)) for line in lines]


def _effect(folder: str, saw: datetime | None = None) -> tuple[str, Boundary]:
    """Do something to the outside; the workflow, and the boundary that it has reached."""
    step = perdure.current_step()
    place = step.idempotency_key.rpartition("#")[2]
    told = {"id": step.workflow_id, "place": place, "saw": saw.isoformat() if saw else None}
    # One write to a file that is open for appending is never torn by another.
    log = os.open(Path(folder) / EFFECTS, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(log, json.dumps(told).encode() + b"\n")
    finally:
        os.close(log)
    at = place if step.attempt == 1 else again(place)
    return step.workflow_id, Boundary(Moment.WITHIN, at)


def _before(place: str) -> tuple[str, Boundary]:
    return perdure.current_workflow().id, Boundary(Moment.BEFORE, place)


# ------------------------------------------------------------------- steps


@perdure.step(name="link")
def link(folder: str, before: str) -> str:
    come(*_effect(folder))
    return f"{before}-"


@perdure.step(name="alink")
async def alink(folder: str, before: str) -> str:
    await acome(*_effect(folder))
    return f"{before}~"


@perdure.step(name="flaky", retries=perdure.Retry(attempts=3, delay=timedelta(0), jitter=0))
def flaky(folder: str) -> str:
    come(*_effect(folder))
    if perdure.current_step().attempt == 1:
        raise OSError("not at the first try")
    return "at last"


@perdure.step(name="refuse")
def refuse(folder: str, before: str) -> str:
    come(*_effect(folder))
    raise ValueError(f"never after {before}")


@perdure.step(name="stamp")
def stamp(folder: str, before: str, moment: datetime) -> str:
    come(*_effect(folder, moment))
    return f"{before}!"


@perdure.step(name="astamp")
async def astamp(folder: str, before: str, moment: datetime) -> str:
    await acome(*_effect(folder, moment))
    return f"{before}?"


# --------------------------------------------------------------- workflows


@perdure.workflow(name="perdure.compat.line")
def line(folder: str) -> str:
    """Steps, one after the other."""
    done = ""
    for place in "123":
        come(*_before(place))
        done = link(folder, done)
    come(*_before(END))
    return done


@perdure.workflow(name="perdure.compat.stumble")
def stumble(folder: str) -> str:
    """A step that fails and is tried again, one whose failure is caught, and one that goes well."""
    come(*_before("1"))
    done = flaky(folder)
    come(*_before("2"))
    try:
        refuse(folder, done)
    except ValueError as error:
        done = str(error)
    come(*_before("3"))
    done = link(folder, done)
    come(*_before(END))
    return done


@perdure.workflow(name="perdure.compat.fan")
async def fan(folder: str) -> str:
    """Two branches at once, between two steps."""
    await acome(*_before("1"))
    first = await alink(folder, "")

    async def ray(branch: str) -> str:
        await acome(*_before(f"{branch}:1"))
        done = await alink(folder, first + branch)
        await acome(*_before(f"{branch}:2"))
        return await link.acall(folder, done)

    rays = await asyncio.gather(ray("1"), ray("2"))
    await acome(*_before("2"))
    last = await alink(folder, "+".join(rays))
    await acome(*_before(END))
    return last


@perdure.workflow(name="perdure.compat.nap")
def nap(folder: str) -> str:
    """Chance, the time, and a sleep that leaves memory."""
    come(*_before("1"))
    done = link(folder, f"{perdure.uuid4()} {perdure.random().random()}")
    come(*_before("2"))
    moment = perdure.now()
    come(*_before("3"))
    perdure.sleep(NAP)
    come(*_before("4"))
    done = stamp(folder, f"{done} {perdure.uuid4()}", moment)
    come(*_before(END))
    return done


@perdure.workflow(name="perdure.compat.anap")
async def anap(folder: str) -> str:
    """The same, async."""
    await acome(*_before("1"))
    done = await alink(folder, f"{perdure.uuid4()} {perdure.random().random()}")
    await acome(*_before("2"))
    moment = perdure.now()
    await acome(*_before("3"))
    await perdure.asleep(NAP)
    await acome(*_before("4"))
    done = await astamp(folder, f"{done} {perdure.uuid4()}", moment)
    await acome(*_before(END))
    return done


WORKFLOWS: Mapping[str, perdure.Workflow[..., Any]] = {
    one.name.rpartition(".")[2]: one for one in (line, stumble, fan, nap, anap)
}

# ----------------------------------------------------------------- engines


def engine_of(place: Place, names: Iterable[str] = WORKFLOWS) -> perdure.Engine:
    """An engine on a place."""
    return perdure.Engine(
        place.url,
        schema=place.namespace,
        workflows=[WORKFLOWS[name] for name in names],
        lease=LEASE,
        heartbeat=LEASE / 3,
        max_recoveries=100,
    )


@contextmanager
def opened(place: Place, names: Iterable[str] = WORKFLOWS) -> Generator[perdure.Engine]:
    """The same, open."""
    with ExitStack() as stack:
        engine = engine_of(place, names)
        repeated(lambda: stack.enter_context(engine))
        yield engine


@contextmanager
def working(place: Place, names: Iterable[str], queues: Iterable[str]) -> Generator[perdure.Engine]:
    """An engine and its worker, which waits for nothing when it is told to end."""
    with opened(place, names) as engine, ExitStack() as stack:
        worker = engine.worker(queues=queues, grace=timedelta(0))
        repeated(lambda: stack.enter_context(worker))
        yield engine


def start(engine: perdure.Engine, folder: Path, jobs: Iterable[tuple[str, str, str]]) -> list[str]:
    """Start workflows, each given as id, name and queue; their ids."""
    calls = [
        WORKFLOWS[name].bind(str(folder)).options(id=key, queue=queue) for key, name, queue in jobs
    ]
    return [handle.id for handle in repeated(lambda: engine.start_many(calls))]


def await_ends(engine: perdure.Engine, ids: Sequence[str]) -> None:
    """Wait until all of these have succeeded.

    Raises:
        WaitTimeout: one has not ended in time.
        WorkflowParked: one was set aside.
    """
    deadline = time.monotonic() + PATIENCE + len(ids) * EACH
    for key in ids:
        left = max(0.0, deadline - time.monotonic())
        engine.handle(key).result(timeout=timedelta(seconds=left))
