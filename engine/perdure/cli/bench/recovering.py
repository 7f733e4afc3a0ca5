"""Recovery: a worker is killed with many workflows in its hands, and another one ends them."""

import os
import time
from collections.abc import Sequence
from contextlib import closing

from perdure.backend import Backend

from .crew import crew
from .figures import Figures
from .ground import records, until_ended
from .run import Run
from .setting import Mode

_GLANCE = 0.05
_LEASE = 10.0
"""Seconds: the engine's own default."""


def recovery(run: Run) -> Figures:
    """Seconds from SIGKILL until the last of the victim's workflows has ended."""
    from .programs import HELD, held  # noqa: PLC0415 (it registers workflows)

    number = run.setting.workflows
    with run.ground() as where, where.engine() as engine, closing(where.open()) as backend:
        gate = run.folder / f"{where.namespace}.open"
        os.environ[HELD] = str(gate)
        with (
            crew(where, "work", size=1, mode=Mode.ASYNC, concurrency=number) as (victim,),
            crew(where, "work", size=1, mode=Mode.ASYNC, concurrency=number) as (heir,),
        ):
            victim.go()
            victim.hear()
            call = held.bind("x" * run.setting.payload)
            ids = [handle.id for handle in engine.start_many(call for _ in range(number))]
            _until_held(run, backend, ids)
            heir.go()
            heir.hear()
            time.sleep(_LEASE)
            gate.touch()
            victim.kill()
            begun = time.perf_counter()
            run.follow("recovery", until_ended(backend, ids), number)
            seconds = time.perf_counter() - begun
    return {"seconds": seconds, "seconds_beyond_lease": seconds - _LEASE}


def _until_held(run: Run, backend: Backend, ids: Sequence[str]) -> None:
    """Wait until all have recorded their first step, and are in their second."""
    left = set(ids)
    while left:
        left -= {one.workflow_id for one in backend.history(left) if one.steps}
        run.show("held", len(ids) - len(left), len(ids))
        time.sleep(_GLANCE)
    owners = {one.owner for one in records(backend, ids)}
    if len(owners) != 1:
        raise AssertionError(f"held by {owners}")
