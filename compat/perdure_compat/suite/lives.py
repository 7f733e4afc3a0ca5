"""Whole workflows: run without any crash, crashed at boundaries, and finished by another."""

import random
from collections import Counter, defaultdict
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self, TypeAlias

import attrs

from perdure.backend import Backend
from perdure.model import StepRecord, Wait, WorkflowRecord
from perdure_compat.harness import Harness, Place

from .boundaries import Boundary, Shape, place_of
from .deaths import Deaths, deaths
from .nursery import Life
from .programs import Effect, await_ends, effects, opened, start, working
from .repeats import repeated
from .watch import Sight

Outcome: TypeAlias = tuple[object, ...]
"""What must come out of a workflow, however often its workers crashed."""


@attrs.frozen(kw_only=True)
class Job:
    """A workflow whose workers die at these boundaries, one after the other."""

    shape: Shape
    crashes: tuple[Boundary, ...]
    queue: str

    @property
    def id(self) -> str:
        """Its id says what happens to it."""
        return f"{self.shape.name}: {', then '.join(map(str, self.crashes))}"


@attrs.frozen(kw_only=True)
class Stage:
    """Where jobs are done: a place with tables, and a folder for what bodies leave behind."""

    place: Place
    backend: Backend
    folder: Path


@attrs.frozen
class Seen:
    """What there was to see at one time, by workflow id, and then by place."""

    workflows: Mapping[str, WorkflowRecord]
    _steps: Mapping[str, Mapping[str, StepRecord]]
    _waits: Mapping[str, Mapping[str, Wait]]
    _effects: Mapping[str, Sequence[Effect]]

    @classmethod
    def of(cls, sight: Sight, effects: Iterable[Effect]) -> Self:
        """The same, in order."""
        steps: defaultdict[str, dict[str, StepRecord]] = defaultdict(dict)
        waits: defaultdict[str, dict[str, Wait]] = defaultdict(dict)
        left: defaultdict[str, list[Effect]] = defaultdict(list)
        for step in sight.steps.values():
            steps[step.workflow_id][place_of(step)] = step
        for wait in sight.waits.values():
            waits[wait.workflow_id][place_of(wait)] = wait
        for effect in effects:
            if effect.id in sight.workflows:
                left[effect.id].append(effect)
        return cls(sight.workflows, steps, waits, left)

    def steps(self, job: Job) -> Mapping[str, StepRecord]:
        """What is recorded of a job."""
        return self._steps.get(job.id, {})

    def waits(self, job: Job) -> Mapping[str, Wait]:
        """The waits that it has reached."""
        return self._waits.get(job.id, {})

    def bodies(self, job: Job) -> Counter[str]:
        """How often each of its bodies has run."""
        return Counter(one.place for one in self._effects.get(job.id, ()))

    def given(self, job: Job) -> set[str]:
        """The times that its bodies were given."""
        return {one.saw for one in self._effects.get(job.id, ()) if one.saw}

    def outcome(self, job: Job) -> Outcome:
        """Status, output and history, as far as they are the same each time."""
        record = self.workflows[job.id]
        history = {place: _lasting(one) for place, one in self.steps(job).items()}
        return record.status, record.output_json, history, sorted(self.waits(job))


def _lasting(step: StepRecord) -> Outcome:
    output = "a time" if step.kind == "now" else step.output_json
    return step.name, step.kind, step.status, step.attempts, output, step.error_message


@attrs.frozen(kw_only=True)
class Lives:
    """Some jobs, and what was seen of them."""

    jobs: Sequence[Job]
    calm: Seen
    """After a run without any crash, elsewhere."""
    crashed: Seen
    """When all workers were dead, and before another one began."""
    done: Seen
    """After another has finished everything."""


def single_crashes(shape: Shape) -> list[Job]:
    """A job for each boundary; those that can share a worker are in one queue."""
    alone = [one for one in shape.boundaries() if not all(map(_in_code, shape.meets(one)))]
    queues = {one: f"s{number}" for number, one in enumerate(alone)}
    return [
        Job(shape=shape, crashes=(one,), queue=queues.get(one, "shared"))
        for one in shape.boundaries()
    ]


def _in_code(boundary: Boundary) -> bool:
    return boundary.in_code


def double_crashes(shape: Shape) -> list[Job]:
    """A job for each pair of boundaries, the second one where the next worker comes by."""
    pairs = [(one, two) for one in shape.boundaries() for two in shape.surely_later(one)]
    return [Job(shape=shape, crashes=pair, queue=f"d{n}") for n, pair in enumerate(pairs)]


def live(
    jobs: Sequence[Job], stage: Stage, aside: Stage, *, processes: bool, chance: random.Random
) -> Lives:
    """Run these jobs through their crashes to the end, and without a crash aside."""
    begin(stage, jobs)
    with _dying(stage, jobs, 0, chance, processes=processes) as first:
        calm = _done(aside, jobs)
        first.wait()
    for number in range(1, max(len(job.crashes) for job in jobs)):
        with _dying(stage, jobs, number, chance, processes=processes) as others:
            others.wait()
    crashed = look(stage, jobs)
    finish(stage, jobs)
    return Lives(jobs=jobs, calm=calm, crashed=crashed, done=look(stage, jobs))


def _dying(
    stage: Stage, jobs: Sequence[Job], number: int, chance: random.Random, *, processes: bool
) -> Deaths:
    """The workers that die next, in any order."""
    lives = _lives([job for job in jobs if len(job.crashes) > number], number, stage.folder)
    chance.shuffle(lives)
    return deaths(stage.place, lives, processes=processes)


@contextmanager
def staged(harness: Harness, folder: Path) -> Generator[Stage]:
    """A place with tables, for as long as it is needed."""
    place = harness.fresh()
    folder.mkdir()
    backend = place.open()
    try:
        repeated(backend.migrate)
        yield Stage(place=place, backend=backend, folder=folder)
    finally:
        backend.close()
        harness.dispose(place)


def _lives(jobs: Sequence[Job], number: int, folder: Path) -> list[Life]:
    """The workers that die next: one for each shape and queue."""
    shares: defaultdict[tuple[str, str], list[Job]] = defaultdict(list)
    for job in jobs:
        shares[job.shape.name, job.queue].append(job)
    return [
        Life(
            number=at,
            shape=shape,
            queue=queue,
            meets={job.id: _met(job, number) for job in share},
            log=str(folder / f"worker-{number}-{at}.log"),
        )
        for at, ((shape, queue), share) in enumerate(shares.items())
    ]


def _met(job: Job, number: int) -> list[str]:
    return [str(one) for one in job.shape.meets(job.crashes[number])]


def begin(stage: Stage, jobs: Iterable[Job]) -> None:
    """Start the workflows of these jobs."""
    with opened(stage.place) as engine:
        start(engine, stage.folder, [(job.id, job.shape.name, job.queue) for job in jobs])


def finish(stage: Stage, jobs: Sequence[Job]) -> None:
    """Let one worker, which nothing befalls, bring everything to its end."""
    names = {job.shape.name for job in jobs}
    queues = sorted({job.queue for job in jobs})
    with working(stage.place, names, queues) as engine:
        await_ends(engine, [job.id for job in jobs])


def look(stage: Stage, jobs: Sequence[Job]) -> Seen:
    """Everything that there is to see of these jobs now."""
    ids = [job.id for job in jobs]
    workflows = repeated(lambda: stage.backend.load(ids))
    histories = repeated(lambda: stage.backend.history(ids))
    return Seen.of(Sight.of(workflows, histories), effects(stage.folder))


def _done(stage: Stage, jobs: Sequence[Job]) -> Seen:
    begin(stage, jobs)
    finish(stage, jobs)
    return look(stage, jobs)
