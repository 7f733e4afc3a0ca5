"""The program that the workers of these tests run.

Every body says in a log that it began and that it ended, and returns a token that no
other run of it returns. So a result shows which run of each step it was made of, and
what a body was given shows what its workflow had seen recorded before. The log and
the gates are files in the folder that the process runs in.
"""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import perdure

sys.path.insert(0, str(Path(__file__).parents[2]))  # it is run as a script

from tests.durability.waiters import WAITERS

LEASE = timedelta(seconds=2)
HEARTBEAT = timedelta(seconds=0.5)
LOOK = 0.02


@contextmanager
def body(before: str) -> Generator[str, None, None]:
    """Say that a body begins, and that it ends or is broken off."""
    token = uuid4().hex
    _say("begins", before, token)
    try:
        yield token
    except BaseException:
        _say("breaks off", before, token)
        raise
    _say("ends", before, token)


def _say(event: str, before: str, token: str) -> None:
    workflow_id, _, place = perdure.current_step().idempotency_key.rpartition("#")
    branch, _, seq = place.rpartition(":")
    said = {"event": event, "id": workflow_id, "branch": branch, "seq": int(seq)} | {
        "before": before,
        "token": token,
        "pid": os.getpid(),
        "at": time.time(),
    }
    # One write to a file that is open for appending is never torn by another.
    log = os.open("bodies.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(log, json.dumps(said).encode() + b"\n")
    finally:
        os.close(log)


def _there(file: str) -> bool:
    """Whether somebody has made it."""
    return Path(file).exists()


# ------------------------------------------------------------------- steps


@perdure.step(name="link")
def link(before: str, seconds: float) -> str:
    with body(before) as token:
        time.sleep(seconds)
    return token


@perdure.step(name="alink")
async def alink(before: str, seconds: float) -> str:
    with body(before) as token:
        await asyncio.sleep(seconds)
    return token


@perdure.step(name="gated")
def gated(before: str, gate: str) -> str:
    with body(before) as token:
        while not _there(gate):
            time.sleep(LOOK)
    return token


@perdure.step(name="agated")
async def agated(before: str, gate: str) -> str:
    with body(before) as token:
        while not _there(gate):  # noqa: ASYNC110 (another process makes it)
            await asyncio.sleep(LOOK)
    return token


@perdure.step(name="fail", retries=perdure.Retry(attempts=2, delay=timedelta(minutes=1), jitter=0))
def fail(before: str) -> str:
    with body(before):
        raise RuntimeError("the next try is a minute away")


@perdure.step(name="afail", retries=perdure.Retry(attempts=2, delay=timedelta(minutes=1), jitter=0))
async def afail(before: str) -> str:
    with body(before):
        raise RuntimeError("the next try is a minute away")


@perdure.step(name="explode")
def explode(before: str, cure: str, seconds: float) -> str:
    with body(before) as token:
        if not _there(cure):
            time.sleep(seconds)  # so that others get on meanwhile
            os.kill(os.getpid(), signal.SIGKILL)
    return token


# --------------------------------------------------------------- workflows


@perdure.workflow(name="durability.chain")
def chain(pace: float) -> list[str]:
    """Sync steps, one after the other."""
    tokens = [""]
    for _ in range(5):
        tokens.append(link(tokens[-1], pace))
    return tokens[1:]


@perdure.workflow(name="durability.late")
def late(first: float, pace: float) -> list[str]:
    """A long step and a short one."""
    token = link("", first)
    return [token, link(token, pace)]


@perdure.workflow(name="durability.relay")
async def relay(pace: float) -> list[str]:
    """Async and sync steps, and a sleep."""
    a = await alink("", pace)
    b = await link.acall(a, pace)
    await perdure.asleep(timedelta(seconds=pace))
    c = await alink(b, pace)
    d = await link.acall(c, pace)
    return [a, b, c, d]


@perdure.workflow(name="durability.fan")
async def fan(pace: float) -> list[str]:
    """Three branches at once."""
    first = await alink("", pace)

    async def ray(share: float) -> list[str]:
        a = await alink(first, share)
        return [a, await link.acall(a, share)]

    rays = await asyncio.gather(*(ray(pace * share) for share in (0.5, 1.0, 1.5)))
    last = await alink("+".join(tokens[-1] for tokens in rays), pace)
    return [first, *(token for tokens in rays for token in tokens), last]


@perdure.workflow(name="durability.nap")
def nap(pace: float) -> list[str]:
    """Sync steps, a sleep, two steps at once."""
    a = link("", pace)
    perdure.sleep(timedelta(seconds=2 * pace))
    beside = [link.submit(a, pace), link.submit(a, 2 * pace)]
    b, c = (future.result() for future in beside)
    return [a, b, c, link(f"{b}+{c}", pace)]


@perdure.workflow(name="durability.door")
def door(gate: str) -> list[str]:
    """A step that lasts until a gate is opened, between two others."""
    a = link("", 0)
    b = gated(a, gate)
    return [a, b, link(b, 0)]


@perdure.workflow(name="durability.adoor")
async def adoor(gate: str) -> list[str]:
    """The same, async."""
    a = await alink("", 0)
    b = await agated(a, gate)
    return [a, b, await alink(b, 0)]


@perdure.workflow(name="durability.sleeper")
def sleeper(seconds: float) -> list[str]:
    """A sleep between two steps."""
    a = link("", 0)
    perdure.sleep(timedelta(seconds=seconds))
    return [a, link(a, 0)]


@perdure.workflow(name="durability.asleeper")
async def asleeper(seconds: float) -> list[str]:
    """The same, async."""
    a = await alink("", 0)
    await perdure.asleep(timedelta(seconds=seconds))
    return [a, await alink(a, 0)]


@perdure.workflow(name="durability.patient")
def patient() -> str:
    """A step that waits for its second try."""
    return fail(link("", 0))


@perdure.workflow(name="durability.apatient")
async def apatient() -> str:
    """The same, async."""
    return await afail(await alink("", 0))


@perdure.workflow(name="durability.poison")
def poison(cure: str, seconds: float) -> list[str]:
    """Kills its process until there is a cure."""
    a = link("", 0)
    b = explode(a, cure, seconds)
    return [a, b, link(b, 0)]


WORKFLOWS = (
    *(chain, late, relay, fan, nap, door, adoor),
    *(sleeper, asleeper, patient, apatient, poison),
)

# ----------------------------------------------------------------- engines


def engine_of(url: str, max_recoveries: int = 5, linger: float = 1.0) -> perdure.Engine:
    """An engine as all processes of these tests have it."""
    return perdure.Engine(
        url,
        workflows=[*WORKFLOWS, *WAITERS],
        lease=LEASE,
        heartbeat=HEARTBEAT,
        max_recoveries=max_recoveries,
        linger=timedelta(seconds=linger),
        migrate=True,
    )


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--grace", type=float, default=25.0)
    parser.add_argument("--concurrency", type=int, default=500)
    parser.add_argument("--max-recoveries", type=int, default=5)
    parser.add_argument("--linger", type=float, default=1.0)
    parser.add_argument("--forks", type=int, default=0)
    return parser.parse_args(arguments)


def _work(engine: perdure.Engine, given: argparse.Namespace) -> None:
    grace = timedelta(seconds=given.grace)
    with engine:
        engine.worker(concurrency=given.concurrency, grace=grace).run()


def _fork_workers(engine: perdure.Engine, given: argparse.Namespace) -> None:
    """Use the engine, fork workers that go on with it, wait for their work, end them."""
    before = engine.start(chain, 0.01)
    children: list[int] = []
    for _ in range(given.forks):
        child = os.fork()
        if child == 0:
            _work(engine, given)
            os._exit(0)
        children.append(child)
    handles = [before, *(engine.start(fan, 0.05) for _ in range(10))]
    for handle in handles:
        handle.result(timeout=timedelta(seconds=30))
    for child in children:
        os.kill(child, signal.SIGTERM)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    if any(codes):
        raise SystemExit(f"the workers ended with {codes}")


def work(arguments: Sequence[str], folder: Path, log: Path) -> None:
    """Be a process of its own, which was forked for this, in a folder."""
    os.chdir(folder)
    with log.open("wb") as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
    main(arguments)


def main(arguments: Sequence[str]) -> None:
    """Run a worker, or fork some."""
    given = _parsed(arguments)
    logging.basicConfig(
        format="%(asctime)s.%(msecs)03d %(process)d %(levelname)s %(message)s",
        datefmt="%H:%M:%S",
        level=logging.INFO,
    )
    engine = engine_of(given.url, given.max_recoveries, given.linger)
    if given.forks:
        _fork_workers(engine, given)
    else:
        _work(engine, given)


if __name__ == "__main__":
    main(sys.argv[1:])
