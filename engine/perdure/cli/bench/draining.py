"""Drain: workflows that wait already, and how fast workers get them to their end."""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing, nullcontext

from perdure.backend import Backend
from perdure.errors import ConfigurationError

from .crew import Member, crew
from .figures import Figures
from .ground import Ground, records, until_ended
from .rig import Rig
from .run import Run

BATCHES = (100, 500)
"""Of which `limit` takes the better one."""
MEGABYTE = 1 << 20
_SELDOM = 0.1
"""Seconds between two looks, each of which takes the processor from those who are measured."""


def drain(run: Run) -> Figures:
    """The engine's rate beside the driver's."""
    figures = _drained(run)
    ceiling = limit(run)
    return figures | ceiling | _ratio(figures, ceiling)


def limit(run: Run) -> Figures:
    """The driver's rate alone, by the better of two batches; nothing where nobody offers it."""
    rates: list[float] = []
    for batch in BATCHES:
        with run.ground() as where:
            rig = where.rig
            if rig is None:
                return {}
            ids = run.fill(where)
            rig.settle()
            rates.append(len(ids) / _limited(run, where, batch))
    return {"limit_workflows_per_second": max(rates)}


def history(run: Run) -> Figures:
    """The rate with many ended workflows in the tables against none."""
    empty = _drained(run)
    full = _drained(run, ended=run.setting.history)
    return full | {
        "empty_workflows_per_second": empty["workflows_per_second"],
        "ratio_to_empty": full["workflows_per_second"] / empty["workflows_per_second"],
    }


def snapshot(run: Run) -> Figures:
    """The rate while another session holds an open snapshot, against without."""
    alone = _drained(run)
    beside = _drained(run, held=True)
    return beside | {
        "alone_workflows_per_second": alone["workflows_per_second"],
        "ratio_to_alone": beside["workflows_per_second"] / alone["workflows_per_second"],
    }


def _drained(run: Run, *, ended: int = 0, held: bool = False) -> Figures:
    with run.ground() as where, closing(where.open()) as backend:
        if ended:
            run.show("filling", 0, 1)
            _rig(where).fill(ended, payload=run.setting.payload)
        ids = run.fill(where)
        if where.rig is not None:
            where.rig.settle()
        beside: AbstractContextManager[None] = _rig(where).snapshot() if held else nullcontext()
        with beside, run.crew(where) as members:
            memory = _worked(run, backend, ids, members)
        return _rates(run, backend, ids) | memory


def _worked(run: Run, backend: Backend, ids: Sequence[str], members: Sequence[Member]) -> Figures:
    """Let them work; how much memory the largest has after a tenth, and at the end."""
    early: int | None = None
    for member in members:
        member.go()
    for number in until_ended(backend, ids, every=_SELDOM):
        run.show("drain", number, len(ids))
        if early is None and number >= len(ids) / 10:
            early = _largest(members)
    late = _largest(members)
    if early is None or late is None:
        return {}
    return {"early_memory_mib": early / MEGABYTE, "late_memory_mib": late / MEGABYTE}


def _largest(members: Sequence[Member]) -> int | None:
    sizes = [member.memory() for member in members]
    return max((size for size in sizes if size is not None), default=None)


def _rates(run: Run, backend: Backend, ids: Sequence[str]) -> Figures:
    """By the database's clock: from the first claim to the last end."""
    begun, over = None, None
    for one in records(backend, ids):
        if one.started_at is None or one.completed_at is None:
            raise ConfigurationError(f"{one.id} has not ended: it is {one.status}")
        begun = one.started_at if begun is None else min(begun, one.started_at)
        over = one.completed_at if over is None else max(over, one.completed_at)
    seconds = (over - begun).total_seconds() if begun and over else 0.0
    rate = len(ids) / max(seconds, 1e-3)
    return {"workflows_per_second": rate, "steps_per_second": rate * run.setting.steps}


def _limited(run: Run, where: Ground, batch: int) -> float:
    """Seconds that the processes take through the driver alone."""
    setting = run.setting
    given = {"name": run.call().definition.name, "steps": setting.steps, "batch": batch}
    with crew(where, "drain", size=setting.workers, pinned=setting.pin, **given) as members:
        begun = time.perf_counter()
        for member in members:
            member.go()
        done = sum(member.hear() for member in members)
        run.show("limit", done, setting.workflows)
        return time.perf_counter() - begun


def _rig(where: Ground) -> Rig:
    rig = where.rig
    if rig is None:
        raise ConfigurationError("the package of this database offers the benchmark no rig")
    return rig


def _ratio(figures: Figures, ceiling: Figures) -> Figures:
    if not ceiling:
        return {}
    rate, most = figures["workflows_per_second"], ceiling["limit_workflows_per_second"]
    return {"ratio_to_limit": rate / most}
