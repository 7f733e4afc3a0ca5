"""The workflows that are measured.

Only the benchmark and its workers import this module, so that no other worker serves it.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import perdure
from perdure.call import Call
from perdure.workflow import Workflow

from .setting import Mode

HELD = "PERDURE_BENCH_HELD"
"""Names the file whose presence lets `held` go on."""


@perdure.step
async def step(payload: str) -> str:
    """Return what it was given."""
    return payload


@perdure.step
def sync_step(payload: str) -> str:
    """Return what it was given."""
    return payload


@perdure.workflow(name="perdure.bench.steps")
async def steps(number: int, payload: str) -> str:
    """So many steps, one after another."""
    for _ in range(number):
        await step(payload)
    return payload


@perdure.workflow(name="perdure.bench.sync_steps")
def sync_steps(number: int, payload: str) -> str:
    """So many steps, one after another."""
    for _ in range(number):
        sync_step(payload)
    return payload


@perdure.step
async def hold() -> None:
    """Take as long as nobody lets go."""
    gate = Path(os.environ[HELD])
    while not gate.exists():  # noqa: ASYNC110, ASYNC240 (another process makes it)
        await asyncio.sleep(0.1)


@perdure.workflow(name="perdure.bench.held")
async def held(payload: str) -> str:
    """One step, and another that is held."""
    await step(payload)
    await hold()
    return payload


@perdure.workflow(name="perdure.bench.sleeps")
async def sleeps(due: datetime, payload: str) -> str:
    """Sleep until then."""
    await perdure.asleep_until(due)
    return payload


@perdure.workflow(name="perdure.bench.sync_sleeps")
def sync_sleeps(due: datetime, payload: str) -> str:
    """Sleep until then."""
    perdure.sleep_until(due)
    return payload


LETTERS = perdure.Topic("perdure.bench.letters", str)


@perdure.workflow(name="perdure.bench.receives")
async def receives() -> str:
    """Wait for a message."""
    return await perdure.areceive(LETTERS)


@perdure.workflow(name="perdure.bench.sync_receives")
def sync_receives() -> str:
    """Wait for a message."""
    return perdure.receive(LETTERS)


SERVED: Mapping[Mode, Sequence[Workflow[..., Any]]] = {
    Mode.ASYNC: [steps, held, sleeps, receives],
    Mode.SYNC: [sync_steps, sync_sleeps, sync_receives],
}
"""Of one colour, as a worker claims no more at once than it has room for of each."""


def call(mode: Mode, *, number: int, payload: int) -> Call[Any]:
    """A workflow of so many steps, with an argument of so many bytes."""
    text = "x" * payload
    return steps.bind(number, text) if mode is Mode.ASYNC else sync_steps.bind(number, text)


def sleep(mode: Mode, *, due: datetime, payload: int) -> Call[Any]:
    """A workflow that sleeps until then, with an argument of so many bytes."""
    text = "x" * payload
    return sleeps.bind(due, text) if mode is Mode.ASYNC else sync_sleeps.bind(due, text)


def receive(mode: Mode) -> Call[Any]:
    """A workflow that ends with the first message."""
    return receives.bind() if mode is Mode.ASYNC else sync_receives.bind()
