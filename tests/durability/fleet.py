"""Worker processes: start them, wait for them, kill them; only those started here."""

import os
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import attrs

from perdure_compat.harness import scheme_of
from perdure_compat.suite.children import processes

from . import program
from .ledger import Ledger, Workflow

LEASE = program.LEASE.total_seconds()
SLACK = 2 * LEASE
"""Seconds that a promise grants on top of a lease."""
PATIENCE = 15 * LEASE
"""Seconds after which something that is bound to happen soon has not happened."""
LOOK = 0.03
TAIL = 4000


@attrs.define(eq=False)
class WorkerProcess:
    """A process that was started as a worker, and when what happened to it."""

    process: BaseProcess
    log: Path
    joined: float | None = None
    died: float | None = None

    @property
    def pid(self) -> int:
        pid = self.process.pid
        assert pid is not None
        return pid

    @property
    def alive(self) -> bool:
        if self.process.is_alive():
            return True
        self.died = self.died or time.time()
        return False

    def signal(self, number: int) -> float:
        """Send it a signal; when that was."""
        os.kill(self.pid, number)
        return time.time()

    def kill(self) -> float:
        """Kill it and wait until it is gone; when it was killed."""
        self.process.kill()
        self.died = time.time()
        self.process.join()
        return self.died

    def __repr__(self) -> str:
        return f"<worker process {self.pid}, code {self.process.exitcode}>"


@attrs.define(eq=False)
class Fleet:
    """The worker processes of one test."""

    url: str
    ledger: Ledger
    options: tuple[str, ...] = ()
    workers: list[WorkerProcess] = attrs.field(factory=list[WorkerProcess])

    def start(self, *options: str) -> WorkerProcess:
        """Start a worker and return at once."""
        log = self.ledger.folder / f"worker-{len(self.workers) + 1}.log"
        log.touch()
        arguments = [self.url, *self.options, *options]
        given = (arguments, self.ledger.folder, log)
        process = processes(scheme_of(self.url)).Process(
            target=program.work, args=given, daemon=True
        )
        process.start()
        worker = WorkerProcess(process, log)
        self.workers.append(worker)
        return worker

    def begin(self, count: int = 1, *options: str) -> list[WorkerProcess]:
        """Start workers and wait until they have joined."""
        workers = [self.start(*options) for _ in range(count)]
        self.until(lambda: all(map(self.has_joined, workers)), f"{workers} join")
        return workers

    def has_joined(self, worker: WorkerProcess) -> bool:
        """Whether it is known to the database; notes when that was first seen."""
        if worker.joined is None and self.ledger.living(worker.pid):
            worker.joined = time.time()
        return worker.joined is not None

    def alive(self) -> list[WorkerProcess]:
        """Those whose process lives."""
        return [worker for worker in self.workers if worker.alive]

    def keep(self, count: int) -> list[WorkerProcess]:
        """Replace the dead; those of the living that have joined."""
        alive = self.alive()
        alive += [self.start() for _ in range(count - len(alive))]
        return [worker for worker in alive if self.has_joined(worker)]

    def until(
        self,
        condition: Callable[[], object],
        what: str,
        *,
        seconds: float = PATIENCE,
        keep: int = 0,
    ) -> float:
        """Wait until it is true, keeping so many workers alive; the seconds it took."""
        began = time.monotonic()
        while not condition():
            assert time.monotonic() < began + seconds, f"waited {seconds} s: {what}"
            self.keep(keep)
            time.sleep(LOOK)
        return time.monotonic() - began

    def until_ended(self, ids: set[str], *, seconds: float = PATIENCE, keep: int = 0) -> None:
        """Wait until each of these workflows has an end of whatever kind."""

        def ended() -> bool:
            return not self._open(ids)

        try:
            self.until(ended, f"{len(ids)} workflows end", seconds=seconds, keep=keep)
        except AssertionError as error:
            error.add_note(f"not ended: {self._open(ids)}")
            raise

    def _open(self, ids: set[str]) -> list[Workflow]:
        found = self.ledger.workflows(ids).values()
        return [w for w in found if w.status not in {"success", "error", "parked"}]

    def until_gone(
        self, worker: WorkerProcess, *, seconds: float = PATIENCE
    ) -> tuple[int | None, float]:
        """Wait until a process has ended; its code, and the seconds it took."""
        took = self.until(lambda: not worker.alive, f"{worker} ends", seconds=seconds)
        return worker.process.exitcode, took

    def logs(self) -> str:
        """The ends of what the workers have said."""
        return "\n".join(
            f"--- {worker}\n{worker.log.read_text(errors='replace')[-TAIL:]}"
            for worker in self.workers
        )

    def close(self) -> None:
        """End all that is left."""
        for worker in self.alive():
            worker.kill()
