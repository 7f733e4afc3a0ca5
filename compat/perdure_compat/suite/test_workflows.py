"""Whole workflows: a worker dies at each boundary, another finishes, and nothing tells.

The only tests that look through the public API: what the engine makes of the verbs,
it makes of them on this backend.
"""

import json
import os
import random
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest

import perdure
import perdure.backend
from perdure.backend import Backend
from perdure.errors import BackendUnavailable
from perdure_compat.harness import Harness
from perdure_compat.profile import Profile
from perdure_compat.promise import promise

from .boundaries import END, SHAPES, WAITING, Boundary, Moment
from .deaths import Killed
from .lives import (
    Job,
    Lives,
    Seen,
    Stage,
    begin,
    double_crashes,
    finish,
    live,
    look,
    single_crashes,
    staged,
)
from .nursery import LIFETIME, Life
from .programs import LEASE, await_ends, opened, start
from .races import until

DOUBLES = 2
"""Of each shape's double crashes, so many are a sample."""
BRIEF = 5
"""Of its single crashes, where even they are a sample; beside those at its end."""
PLACES_OF_ZOMBIES = ("within 2", "before 3", "unrecorded 2", f"unrecorded {END}")


@pytest.fixture(scope="module")
def lives(
    harness: Harness, profile: Profile, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lives]:
    """All shapes, crashed at all boundaries, at the same time."""
    chance = random.Random(profile.seed or 0)  # noqa: S311  no secret
    folder = tmp_path_factory.mktemp("lives")
    with staged(harness, folder / "crashed") as stage, staged(harness, folder / "calm") as aside:
        jobs = _jobs(chance, profile)
        processes = "processes" not in stage.backend.capabilities.missing
        yield live(jobs, stage, aside, processes=processes, chance=chance)


def _jobs(chance: random.Random, profile: Profile) -> list[Job]:
    jobs: list[Job] = []
    for shape in SHAPES.values():
        singles, doubles = single_crashes(shape), double_crashes(shape)
        jobs += _some(singles, chance) if profile.brief else singles
        jobs += doubles if profile.thorough else chance.sample(doubles, DOUBLES)
    return jobs


def _some(jobs: list[Job], chance: random.Random) -> list[Job]:
    ends = [job for job in jobs if job.crashes[-1].place == END]
    return ends + chance.sample([job for job in jobs if job not in ends], BRIEF)


@promise(perdure.backend, "a dead one's only through `reap`")
@promise(Backend.reap, "return dead workers' workflows to the queue")
def test_another_worker_ends_it_as_if_none_had_died(lives: Lives) -> None:
    """The same output and the same history as in a run without any crash."""
    found = {job.id: lives.done.outcome(job) for job in lives.jobs}
    assert found == {job.id: lives.calm.outcome(job) for job in lives.jobs}


@promise(Backend.commit, "The first record of a step wins for good.")
def test_what_was_recorded_at_the_crash_stays_as_it_was(lives: Lives) -> None:
    for job in lives.jobs:
        before, after = lives.crashed.steps(job), lives.done.steps(job)
        assert before == {place: after.get(place) for place in before}, job.id


@promise(Backend.commit, "its first due time stays")
def test_a_sleep_that_was_begun_keeps_its_due_time(lives: Lives) -> None:
    for job in lives.jobs:
        before, after = lives.crashed.waits(job), lives.done.waits(job)
        assert {place: one.due for place, one in before.items()} == {
            place: after[place].due for place in before
        }, job.id


@promise(Backend.history, "What is recorded of these workflows")
@promise(perdure.step, "The body runs at least once")
def test_no_body_of_a_recorded_step_runs_again(lives: Lives) -> None:
    for job in lives.jobs:
        before, after = lives.crashed.bodies(job), lives.done.bodies(job)
        for place, step in lives.crashed.steps(job).items():
            if step.kind == "step":
                assert 1 <= before[place] == after[place], f"{job.id}: the body of {place}"


@promise(perdure.step, "The body runs at least once")
def test_each_body_ran(lives: Lives) -> None:
    for job in lives.jobs:
        bodies = {place for place, kind in job.shape.kinds.items() if kind == "step"}
        assert set(lives.done.bodies(job)) == bodies, job.id


@promise(Backend.commit, "One transaction.")
def test_a_crash_leaves_what_was_committed_and_nothing_else(lives: Lives) -> None:
    """What the database had answered is there; what it had not been told is not."""
    for job in lives.jobs:
        _check_crash(job, job.crashes[-1], lives.crashed)


def _check_crash(job: Job, at: Boundary, crashed: Seen) -> None:
    if at.moment is Moment.BEFORE and len(job.crashes) > 1:
        return  # the worker before may have come further
    place = at.place.partition("~")[0]
    there = {*crashed.steps(job), *crashed.waits(job)}
    if place == END:
        ended = crashed.workflows[job.id].status.final
        assert ended == (at.moment is Moment.RECORDED), job.id
    elif place != WAITING:
        assert (place in there) == (at.moment is Moment.RECORDED), job.id
    if at.moment is Moment.BEFORE:
        assert crashed.bodies(job)[place] == 0, job.id


@promise(perdure.now, "recorded in a workflow")
def test_each_body_was_given_the_time_that_is_recorded(lives: Lives) -> None:
    for job in lives.jobs:
        recorded = {
            json.loads(one.output_json or "")
            for one in lives.done.steps(job).values()
            if one.kind == "now"
        }
        assert lives.done.given(job) == recorded, job.id


@promise(Backend.history, "What is recorded of these workflows")
def test_the_replay_of_a_whole_history_runs_no_body_and_writes_nothing(lives: Lives) -> None:
    """The workers had recorded everything but the end."""
    whole = [job for job in lives.jobs if str(job.crashes[-1]) == f"{Moment.BEFORE} {END}"]
    assert {job.shape.name for job in whole} == set(SHAPES)
    for job in whole:
        assert set(lives.crashed.steps(job)) == set(job.shape.kinds), job.id
        assert lives.done.steps(job) == lives.crashed.steps(job), job.id
        assert lives.done.waits(job) == lives.crashed.waits(job), job.id
        assert lives.done.bodies(job) == lives.crashed.bodies(job), job.id


@promise(perdure.backend, "A workflow leaves a live owner only through that owner's own `commit`")
def test_an_end_that_was_recorded_is_final(lives: Lives) -> None:
    ended = [job for job in lives.jobs if str(job.crashes[-1]) == f"{Moment.RECORDED} {END}"]
    assert {job.shape.name for job in ended} == set(SHAPES)
    for job in ended:
        before, after = (seen.workflows[job.id] for seen in (lives.crashed, lives.done))
        assert before == after, job.id


# ----------------------------------------------------------------- zombies


@pytest.fixture
def stage(harness: Harness, tmp_path: Path) -> Iterator[Stage]:
    """A place with tables and a folder."""
    with staged(harness, tmp_path / "stage") as stage:
        yield stage


def _zombie(number: int, at: str, folder: Path) -> tuple[Job, Life]:
    """A workflow, and the worker that halts there until its gate is opened."""
    job = Job(shape=SHAPES["line"], crashes=(Boundary.of(at),), queue=f"z{number}")
    return job, Life(
        number=number,
        shape=job.shape.name,
        queue=job.queue,
        meets={job.id: [at]},
        log=str(folder / f"zombie-{number}.log"),
        gate=str(folder / f"gate-{number}"),
    )


def _gates(lives: list[Life]) -> list[Path]:
    return [Path(life.gate or "") for life in lives]


def _stopped(herd: Killed, backend: Backend) -> bool:
    """Stop it between two verbs: amid one it may keep a lock that nobody can take away."""

    def ask() -> None:
        with suppress(BackendUnavailable):
            backend.leave("nobody")

    _signal(herd, signal.SIGSTOP)
    asking = Thread(target=ask, daemon=True)
    asking.start()
    asking.join(LEASE.total_seconds() / 3)
    if not asking.is_alive():
        return True
    _signal(herd, signal.SIGCONT)
    asking.join()
    return False


def _all_halt(lives: list[Life]) -> bool:
    return all(Path(f"{gate}.shut").exists() for gate in _gates(lives))


def _signal(herd: Killed, number: int) -> None:
    for pid in herd.born.values():
        os.kill(pid, number)


def _await_return(stage: Stage, jobs: list[Job]) -> None:
    """Until each has done something new: it came back, under another id."""
    with opened(stage.place) as engine:
        new = [(f"new, for {job.queue}", job.shape.name, job.queue) for job in jobs]
        await_ends(engine, start(engine, stage.folder, new))


@pytest.mark.needs("processes")
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="this system cannot stop a process")
@promise(Backend.commit, "Nothing is written if the worker is dead")
@promise(Backend.reap, "once it is dead, no commit or claim of its takes effect")
def test_a_worker_that_was_stopped_past_its_lease_changes_nothing(stage: Stage) -> None:
    """What it was about to do when it was stopped, it tries when it is woken."""
    zombies = [_zombie(number, at, stage.folder) for number, at in enumerate(PLACES_OF_ZOMBIES)]
    jobs, lives = [job for job, _ in zombies], [life for _, life in zombies]
    begin(stage, jobs)
    with Killed(stage.place, lives) as herd:
        herd.await_births()
        until(lambda: _all_halt(lives), within=LIFETIME)
        until(lambda: _stopped(herd, stage.backend))
        finish(stage, jobs)
        before = look(stage, jobs)
        for gate in _gates(lives):
            gate.touch()
        _signal(herd, signal.SIGCONT)
        _await_return(stage, jobs)
        assert look(stage, jobs) == before
