"""The demo itself: start everything, kill a worker half way, wait, prove."""

import json
import secrets
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import attrs

from perdure.call import Call
from perdure.cli.durations import spoken
from perdure.cli.opening import where
from perdure.engine import Engine
from perdure.model import Status, WorkflowRecord

from .failure import DemoFailed
from .files import library, source_files
from .fleet import CONCURRENCY, WorkerProcess, fleet
from .indexing import LEASE, LOG, STEPS, Counts, index_file
from .proof import Bodies, Proof, prove
from .report import Kill, Outcome, Report
from .screen import Screen
from .watch import View, Watch

WORKERS = 2
_POLL = 0.05
_SETTLE = 0.1
"""Seconds in which a statement that a frozen worker had sent is through."""


@attrs.frozen(kw_only=True)
class Run:
    """One run of the demo; its queue is its own, so that any database will do."""

    engine: Engine
    folder: Path
    files: Sequence[str]
    screen: Screen
    key: str = attrs.field(factory=lambda: secrets.token_hex(4))
    begun: float = attrs.field(factory=time.monotonic)

    @property
    def queue(self) -> str:
        """The queue of this run."""
        return f"perdure-demo-{self.key}"

    def calls(self) -> list[Call[Counts]]:
        """A workflow for each file."""
        return [
            index_file.bind(file, str(self.folder)).options(
                id=f"demo-{self.key}/{file}", queue=self.queue, attributes={"demo": self.key}
            )
            for file in self.files
        ]


def play(url: str, *, folder: Path, screen: Screen) -> Report:
    """Play the demo on a database.

    Raises:
        DemoFailed: it could not be played to its end.
    """
    with Engine(url, workflows=[index_file], migrate=True) as engine:
        run = Run(engine=engine, folder=folder, files=source_files(), screen=screen)
        screen.say(
            f"{len(run.files)} source files of {library()}, a workflow of three steps for each\n"
            f"on {where(engine)}"
        )
        with fleet(url, queue=run.queue, folder=folder, size=WORKERS) as workers:
            kill = _perform(run, workers)
        return _report(run, kill, scheme=urlsplit(url).scheme.partition("+")[0])


def _perform(run: Run, workers: Sequence[WorkerProcess]) -> Kill:
    run.screen.say(
        f"two workers, processes {' and '.join(str(worker.pid) for worker in workers)}, each with "
        f"{CONCURRENCY} workflows at a time and a lease of {spoken(LEASE)} (10 s by default)"
    )
    handles = run.engine.start_many(run.calls())
    watch = Watch(run.engine, [handle.id for handle in handles])
    run.screen.expect(len(handles))
    victim, held = _kill_one(run, watch, workers)
    died = time.monotonic()
    survivors = [worker for worker in workers if worker is not victim]
    run.screen.say(
        f"half are done: kill -9 {victim.pid}, in the middle of {held} workflows; "
        f"nobody tells {survivors[0].pid}"
    )
    taken_over = _await_end(run, watch, survivors)
    run.screen.finish()
    return Kill(victim=victim.pid, held=held, after=taken_over - died)


def _kill_one(
    run: Run, watch: Watch, workers: Sequence[WorkerProcess]
) -> tuple[WorkerProcess, int]:
    """Kill the worker that runs most, once half is done; how many workflows it held."""
    while True:
        view = _look(run, watch, workers)
        if view.done == len(watch.ids):
            raise DemoFailed("all was done before a worker could be killed: nothing is proven")
        victim = max(workers, key=view.held_by)
        if 2 * view.done >= len(watch.ids) and view.held_by(victim):
            # Choosy while there is time: the more it holds, the more the demo proves.
            late = 4 * view.done >= 3 * len(watch.ids)
            if held := _killed(victim, watch, at_least=1 if late else CONCURRENCY // 2):
                return victim, held
        time.sleep(_POLL)


def _killed(victim: WorkerProcess, watch: Watch, *, at_least: int) -> int:
    """Kill it if it holds so many workflows; how many it held, 0 if it lives on."""
    # It works on while we look, so it is frozen first.
    victim.freeze()
    time.sleep(_SETTLE)
    held = watch.look().held_by(victim)
    if held < at_least:
        victim.thaw()
        return 0
    victim.kill()
    return held


def _await_end(run: Run, watch: Watch, workers: Sequence[WorkerProcess]) -> float:
    """Wait until everything has ended; when the dead worker's work was first seen elsewhere."""
    taken_over = 0.0
    while True:
        view = _look(run, watch, workers)
        if view.recovered and not taken_over:
            taken_over = time.monotonic()
        if view.done == len(watch.ids):
            return taken_over or time.monotonic()
        time.sleep(_POLL)


def _look(run: Run, watch: Watch, workers: Sequence[WorkerProcess]) -> View:
    for worker in workers:
        worker.check()
    view = watch.look()
    run.screen.progress(view.done)
    return view


def _report(run: Run, kill: Kill, *, scheme: str) -> Report:
    """Read the tables again, from the start: what is there is what counts."""
    # By the queue, not by id: a workflow too many would be found as well.
    records = [*run.engine.find(queue=run.queue)]
    return Report(
        outcome=_outcome(run, records, _prove(run, records), scheme),
        kill=kill,
        bodies=Bodies.read((run.folder / LOG).read_text(encoding="utf-8")),
        totals=_totals(records),
    )


def _prove(run: Run, records: Sequence[WorkflowRecord]) -> Proof:
    histories = Watch(run.engine, [record.id for record in records]).histories()
    recorded = [(step.workflow_id, step.name) for each in histories for step in each.steps]
    ids = [call.start_options.id or "" for call in run.calls()]
    return prove(recorded, ids=ids, steps=STEPS)


def _outcome(run: Run, records: Sequence[WorkflowRecord], proof: Proof, scheme: str) -> Outcome:
    return Outcome(
        backend=scheme,
        files=len(run.files),
        workflows=sum(record.status is Status.SUCCESS for record in records),
        steps=proof.steps,
        lost=proof.lost,
        duplicated=proof.duplicated,
        killed_workers=1,
        recovered_workflows=sum(record.recoveries > 0 for record in records),
        seconds=round(time.monotonic() - run.begun, 2),
    )


def _totals(records: Sequence[WorkflowRecord]) -> Counter[str]:
    totals = Counter[str]()
    for record in records:
        if record.output_json is not None:
            totals.update(json.loads(record.output_json))
    del totals["parses"]
    return totals
