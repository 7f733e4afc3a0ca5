"""Waiting: what sleeping workflows cost the workers, and how fast they are when all wake at once."""

import time
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta

from perdure import clock
from perdure.backend import Backend
from perdure.engine import Engine
from perdure.errors import ConfigurationError

from .crew import Member
from .figures import Figures
from .ground import records, until_ended, until_suspended
from .run import Run

_WARM = 2000
"""The most workflows that go to sleep first, so that what a worker needs once is not counted."""
_NAP = timedelta(seconds=3)
"""How long these sleep: longer than a wait stays in memory."""
_LEAST = timedelta(seconds=5)
_EACH = timedelta(milliseconds=1)
"""The time that all have to go to sleep: so much at least, and so much for each."""
_PATIENCE = (1, 4, 16)
"""How many times as long they have, one after the other, where the machine is too slow."""
_SETTLING = 1.0


def waiting(run: Run) -> Figures:
    """Memory and threads for workflows that sleep, and the rate of their waking."""
    with run.ground() as where, where.engine() as engine, closing(where.open()) as backend:
        with run.crew(where) as members:
            for member in members:
                member.go()
                member.hear()
            threads = _threads(members)
            warm = _start(run, engine, min(_WARM, run.setting.workflows), clock.now() + _NAP)
            run.follow("warming up", until_ended(backend, warm), len(warm))
            ids, due, bytes_ = _asleep(run, engine, backend, members)
            grown = _growth("threads", threads, _threads(members), len(members))
            run.follow("awake", until_ended(backend, ids), len(ids))
        seconds = (_last(backend, ids) - due).total_seconds()
        return {**bytes_, **grown, "wakeups_per_second": len(ids) / seconds}


def _asleep(
    run: Run, engine: Engine, backend: Backend, members: Sequence[Member]
) -> tuple[Sequence[str], datetime, Figures]:
    """All of them, suspended until one time, and what each has cost in memory."""
    number = run.setting.workflows
    for patience in _PATIENCE:
        time.sleep(_SETTLING)
        memory = _memory(members)
        due = clock.now() + patience * (_LEAST + number * _EACH)
        ids = _start(run, engine, number, due)
        run.follow("suspended", until_suspended(backend, ids), number)
        time.sleep(_SETTLING)
        grown = _growth("bytes_per_workflow", memory, _memory(members), number)
        if clock.now() <= due:
            return ids, due, grown
        run.follow("woken too early", until_ended(backend, ids), number)
    raise ConfigurationError("they woke before all of them were asleep")


def _start(run: Run, engine: Engine, number: int, due: datetime) -> Sequence[str]:
    from .programs import sleep  # noqa: PLC0415 (it registers workflows)

    call = sleep(run.setting.mode, due=due, payload=run.setting.payload)
    return [handle.id for handle in engine.start_many(call for _ in range(number))]


def _last(backend: Backend, ids: Sequence[str]) -> datetime:
    """When the last of them ended, by the database's clock."""
    return max(one.completed_at for one in records(backend, ids) if one.completed_at)


def _memory(members: Sequence[Member]) -> int | None:
    return _sum([member.memory() for member in members])


def _threads(members: Sequence[Member]) -> int | None:
    return _sum([member.threads() for member in members])


def _sum(parts: Sequence[int | None]) -> int | None:
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _growth(name: str, before: int | None, after: int | None, of: int) -> Figures:
    """What each of so many has more than before, where the system tells it."""
    return {} if before is None or after is None else {name: (after - before) / of}
