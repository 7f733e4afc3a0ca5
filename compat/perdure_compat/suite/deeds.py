"""What a process of its own does: `python -m perdure_compat.suite.deeds URL NAMESPACE ACT JSON`.

It says `"ready"`, waits for a line, acts, and says what came of it, one JSON text
a line.
"""

import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from perdure.backend import Backend, Batch
from perdure_compat.harness import Place

from .records import AT_ONCE, PATIENT, claim, claim_beside, end, ids, info, job, record, step


def say(something: Any) -> None:
    """Tell the parent; it has it when this returns."""
    sys.stdout.write(json.dumps(something) + "\n")
    sys.stdout.flush()


def migrate(backend: Backend) -> None:
    """Bring the tables to be."""
    backend.migrate()
    say("migrated")


def submit(backend: Backend, *, ids: list[str], input_json: str) -> None:
    """Submit, and say which ids are new."""
    jobs = [job(one, input_json=input_json) for one in ids]
    existed = {one.id for one in backend.submit(jobs)}
    say([one for one in ids if one not in existed])


def take(backend: Backend, *, worker: str, limit: int) -> None:
    """Claim until nothing is left, and say what was claimed."""
    seen: list[str] = []
    while claimed := claim_beside(backend, worker, known=seen, limit=limit):
        seen += ids(claimed)
        say([[one.id, one.epoch] for one in claimed])


def hold(backend: Backend, *, worker: str, lease: float, record: bool) -> None:
    """Claim all, record a step of each if asked, say so, and then do nothing for ever."""
    backend.join(info(worker), lease=timedelta(seconds=lease))
    claimed = claim(backend, worker)
    if record:
        steps = [step(one.id, epoch=one.epoch) for one in claimed]
        backend.commit(worker, Batch(steps=steps))
    say([[one.id, one.epoch] for one in claimed])
    sys.stdin.readline()


def work(backend: Backend, *, worker: str, lease: float, steps: int) -> None:
    """Claim a few at a time, record their steps and end them; say each record and end."""
    backend.join(info(worker), lease=timedelta(seconds=lease))
    while claimed := claim_beside(backend, worker, limit=3):
        for seq in range(1, steps + 1):
            some = [step(one.id, seq, epoch=one.epoch) for one in claimed]
            backend.commit(worker, Batch(steps=some))
            say([["step", one.workflow_id, one.seq] for one in some])
        ends = [end(one.id, epoch=one.epoch) for one in claimed]
        backend.commit(worker, Batch(transitions=ends))
        say([["end", one.workflow_id, 0] for one in ends])


def put(backend: Backend, *, worker: str, workflow: str, steps: int, output_json: str) -> None:
    """Record steps one by one, and say how often each kind of answer came."""
    given = [step(workflow, seq, output_json=output_json) for seq in range(1, steps + 1)]
    told = [answer for one in given for answer in record(backend, worker, one).steps]
    say(Counter(type(answer).__name__ for answer in told))


def bury(backend: Backend, *, limit: int) -> None:
    """Take back what the dead own, until nothing is left, and say what it was."""
    while (reaped := backend.reap([], margin=AT_ONCE, recovery=PATIENT, limit=limit)).workflows:
        say(sorted(reaped.workflows))


ACTS: Mapping[str, Callable[..., None]] = {
    one.__name__: one for one in (migrate, submit, take, hold, work, put, bury)
}


def main(url: str, namespace: str, act: str, arguments: str) -> None:
    """Be one process."""
    backend = Place(url=url, namespace=namespace).open()
    say("ready")
    sys.stdin.readline()
    ACTS[act](backend, **json.loads(arguments))
    backend.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
