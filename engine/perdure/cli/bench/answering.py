"""Latency and steps: how long somebody waits, in milliseconds and in commits."""

import time
from collections.abc import Sequence
from contextlib import closing
from statistics import median

from perdure.engine import Engine

from .figures import Figures, percentile
from .ground import Ground, records
from .run import Run

_WARM = 5
_UNEVEN = 0.013
"""Seconds that spread the submissions over the pauses of whoever polls."""
_COMMITS = 200
"""Of how many bare commits the median is taken."""


def latency(run: Run) -> Figures:
    """From the submission to the result, worker idle: in another process, and in the same."""
    with run.ground() as where, where.engine() as engine:
        with run.crew(where, size=1) as (member,):
            member.go()
            member.hear()
            other = _waits(run, engine, "other process")
        with engine.worker(**run.worker()):
            same = _waits(run, engine, "same process")
        return {
            **_spread(other, ""),
            **_spread(same, "same_process_"),
            **_in_commits(where, percentile(other, 0.5), "p50_commits"),
            **_in_commits(where, percentile(other, 0.5), "p50_idle_commits", idle=True),
        }


def _waits(run: Run, engine: Engine, what: str) -> Sequence[float]:
    number = run.setting.workflows
    seconds: list[float] = []
    for done in range(number + _WARM):
        time.sleep(_pause(done))
        begun = time.perf_counter()
        engine.start(run.call()).result()
        seconds.append(time.perf_counter() - begun)
        run.show(what, done + 1, number + _WARM)
    return seconds[_WARM:]


def _pause(number: int) -> float:
    return _UNEVEN * (number % 7)


def _spread(seconds: Sequence[float], prefix: str) -> Figures:
    return {
        f"{prefix}p50_ms": percentile(seconds, 0.5) * 1e3,
        f"{prefix}p99_ms": percentile(seconds, 0.99) * 1e3,
    }


def steps(run: Run) -> Figures:
    """The time of one step in a workflow of many, one after another."""
    each: list[float] = []
    number = run.setting.workflows
    with run.ground() as where, where.engine() as engine, closing(where.open()) as backend:
        with run.crew(where, size=1) as (member,):
            member.go()
            member.hear()
            for done in range(number):
                handle = engine.start(run.call())
                handle.result()
                (record,) = records(backend, [handle.id])
                if record.started_at and record.completed_at:
                    span = record.completed_at - record.started_at
                    each.append(span.total_seconds() / max(1, run.setting.steps))
                run.show("workflows of many steps", done + 1, number)
        figures = {"ms_per_step": median(each) * 1e3}
        return figures | _in_commits(where, median(each), "commits_per_step")


def _in_commits(where: Ground, seconds: float, name: str, *, idle: bool = False) -> Figures:
    """In bare commits, and what one takes; `idle`: one after each of the same pauses.

    What has idled takes longer for the next thing, whoever asks for it.
    """
    if where.rig is None:
        return {}
    pauses = map(_pause, range(_COMMITS)) if idle else [0.0] * _COMMITS
    kind, commit = "idle_" if idle else "", where.rig.commit_seconds(pauses)
    return {f"{kind}commit_ms": commit * 1e3, name: seconds / commit}
