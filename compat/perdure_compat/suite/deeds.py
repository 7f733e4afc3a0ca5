"""What processes of their own do, and tell about it while they do it."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any

from perdure.backend import Backend, Batch
from perdure_compat.harness import Place

from .races import WITHIN
from .records import AT_ONCE, PATIENT, claim, claim_beside, end, ids, info, job, record, step


def migrate(backend: Backend) -> Iterator[str]:
    """Bring the tables to be."""
    backend.migrate()
    yield "migrated"


def submit(backend: Backend, *, ids: list[str], input_json: str) -> Iterator[list[str]]:
    """Submit, and tell which ids are new."""
    jobs = [job(one, input_json=input_json) for one in ids]
    existed = {one.id for one in backend.submit(jobs)}
    yield [one for one in ids if one not in existed]


def take(backend: Backend, *, worker: str, limit: int) -> Iterator[list[tuple[str, int]]]:
    """Claim until nothing is left, and tell what was claimed."""
    seen: list[str] = []
    while claimed := claim_beside(backend, worker, known=seen, limit=limit):
        seen += ids(claimed)
        yield [(one.id, one.epoch) for one in claimed]


def hold(
    backend: Backend, *, worker: str, lease: float, record: bool
) -> Iterator[list[tuple[str, int]]]:
    """Claim all, record a step of each if asked, tell so, and then do nothing until killed."""
    backend.join(info(worker), lease=timedelta(seconds=lease))
    claimed = claim(backend, worker)
    if record:
        steps = [step(one.id, epoch=one.epoch) for one in claimed]
        backend.commit(worker, Batch(steps=steps))
    yield [(one.id, one.epoch) for one in claimed]
    time.sleep(2 * WITHIN)


def work(
    backend: Backend, *, worker: str, lease: float, steps: int
) -> Iterator[list[tuple[str, str, int]]]:
    """Claim a few at a time, record their steps and end them; tell each record and end."""
    backend.join(info(worker), lease=timedelta(seconds=lease))
    while claimed := claim_beside(backend, worker, limit=3):
        for seq in range(1, steps + 1):
            some = [step(one.id, seq, epoch=one.epoch) for one in claimed]
            backend.commit(worker, Batch(steps=some))
            yield [("step", one.workflow_id, one.seq) for one in some]
        ends = [end(one.id, epoch=one.epoch) for one in claimed]
        backend.commit(worker, Batch(transitions=ends))
        yield [("end", one.workflow_id, 0) for one in ends]


def put(
    backend: Backend, *, worker: str, workflow: str, steps: int, output_json: str
) -> Iterator[Mapping[str, int]]:
    """Record steps one by one, and tell how often each kind of answer came."""
    given = [step(workflow, seq, output_json=output_json) for seq in range(1, steps + 1)]
    told = [answer for one in given for answer in record(backend, worker, one).steps]
    yield Counter(type(answer).__name__ for answer in told)


def bury(backend: Backend, *, limit: int) -> Iterator[list[str]]:
    """Take back what the dead own, until nothing is left, and tell what it was."""
    while (reaped := backend.reap([], margin=AT_ONCE, recovery=PATIENT, limit=limit)).workflows:
        yield sorted(reaped.workflows)


ACTS: Mapping[str, Callable[..., Iterator[object]]] = {
    one.__name__: one for one in (migrate, submit, take, hold, work, put, bury)
}


def perform(place: Place, act: str, arguments: Mapping[str, Any], line: Connection) -> None:
    """Be one process: say `"ready"`, wait for a word, act, and pass on what is told at once."""
    backend = place.open()
    line.send("ready")
    line.recv()
    for told in ACTS[act](backend, **arguments):
        line.send(told)
    backend.close()
