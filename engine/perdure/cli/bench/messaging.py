"""Messages: how many of them workflows receive that wait, and how soon a lone one is through."""

import json
import time
from collections.abc import Sequence
from contextlib import closing

from perdure.backend import Backend
from perdure.engine import Engine

from .crew import crew
from .figures import Figures, percentile
from .ground import Ground, until_ended, until_suspended
from .run import Run

_SENDERS = 4
_ALONE = 200
"""The most that are sent one by one to an idle worker."""
_WARM = 5
_UNEVEN = 0.013
"""Seconds that spread the messages over the pauses of whoever polls."""


def messages(run: Run) -> Figures:
    """Many senders to many workflows, and from a message to the end of who waits for it."""
    with run.ground() as where, where.engine() as engine, closing(where.open()) as backend:
        with run.crew(where) as members:
            for member in members:
                member.go()
                member.hear()
            seconds = _one_by_one(run, engine, backend)
            figures = _many(run, where, engine, backend)
        return {
            **figures,
            "p50_ms": percentile(seconds, 0.5) * 1e3,
            "p99_ms": percentile(seconds, 0.99) * 1e3,
        }


def _one_by_one(run: Run, engine: Engine, backend: Backend) -> Sequence[float]:
    from .programs import LETTERS  # noqa: PLC0415 (it registers workflows)

    ids = _suspended(run, engine, backend, min(_ALONE, run.setting.workflows) + _WARM)
    text, seconds = "x" * run.setting.payload, list[float]()
    for done, one in enumerate(ids):
        time.sleep(_UNEVEN * (done % 7))
        handle, begun = engine.handle(one), time.perf_counter()
        handle.send(LETTERS, text)
        handle.result()
        seconds.append(time.perf_counter() - begun)
        run.show("one by one", done + 1, len(ids))
    return seconds[_WARM:]


def _many(run: Run, where: Ground, engine: Engine, backend: Backend) -> Figures:
    """Until all are sent, and until all who received them have ended."""
    ids = _suspended(run, engine, backend, run.setting.workflows)
    with crew(where, "send", size=_SENDERS, payload=run.setting.payload) as senders:
        begun = time.perf_counter()
        for number, sender in enumerate(senders):
            sender.go(json.dumps(ids[number::_SENDERS]))
        for sender in senders:
            sender.hear()
        sent = time.perf_counter() - begun
        run.follow("received", until_ended(backend, ids), len(ids))
        received = time.perf_counter() - begun
    return {"sends_per_second": len(ids) / sent, "messages_per_second": len(ids) / received}


def _suspended(run: Run, engine: Engine, backend: Backend, number: int) -> Sequence[str]:
    """So many workflows that wait for a message, out of memory."""
    from .programs import receive  # noqa: PLC0415 (it registers workflows)

    call = receive(run.setting.mode)
    ids = [handle.id for handle in engine.start_many(call for _ in range(number))]
    run.follow("suspended", until_suspended(backend, ids), number)
    return ids
