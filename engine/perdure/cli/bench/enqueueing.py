"""Enqueue: how fast workflows are started, one by one and many at a time."""

import time
from collections.abc import Sequence

from perdure.backend import Submission
from perdure.engine import Engine
from perdure.starting import submission

from .figures import Figures
from .run import Run

_ALONE = 1000
"""The most that are started one by one."""
_BATCH = 1000


def enqueue(run: Run) -> Figures:
    """Starts a second, beside the fastest bulk load of the same rows."""
    with run.ground() as where, where.engine() as engine:
        figures = {
            "single_workflows_per_second": _one_by_one(run, engine),
            "workflows_per_second": _many(run, engine),
        }
        if where.rig is None:
            return figures
        rows = _rows(run, engine)
        begun = time.perf_counter()
        where.rig.load(rows)
        bulk = len(rows) / (time.perf_counter() - begun)
        return figures | {
            "bulk_rows_per_second": bulk,
            "ratio_to_bulk": figures["workflows_per_second"] / bulk,
        }


def _one_by_one(run: Run, engine: Engine) -> float:
    number = min(_ALONE, run.setting.workflows)
    begun = time.perf_counter()
    for done in range(number):
        engine.start(run.call())
        run.show("one by one", done + 1, number)
    return number / (time.perf_counter() - begun)


def _many(run: Run, engine: Engine) -> float:
    call, number = run.call(), run.setting.workflows
    begun = time.perf_counter()
    for start in range(0, number, _BATCH):
        engine.start_many([call] * min(_BATCH, number - start))
        run.show("in batches", start, number)
    return number / (time.perf_counter() - begun)


def _rows(run: Run, engine: Engine) -> Sequence[Submission]:
    call = run.call()
    return engine.ask(
        "bench",
        lambda client: [submission(call, client.new_id) for _ in range(run.setting.workflows)],
    )
