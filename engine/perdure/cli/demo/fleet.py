"""The demo's two workers: real processes of the `worker` command, always cleaned up."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs

from .failure import DemoFailed

CONCURRENCY = 8
"""Workflows at once: enough to keep busy, few enough that there is something to kill."""
_PATIENCE = 10.0


@attrs.frozen(eq=False)
class WorkerProcess:
    """One worker."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """The process's number."""
        return self.process.pid

    def owns(self, owner: str | None) -> bool:
        """Whether that owner of a workflow is this process; ids are `host-pid-chance`."""
        return owner is not None and owner.rsplit("-", 2)[1:2] == [str(self.pid)]

    def await_start(self) -> None:
        """Wait until it says what it serves.

        Raises:
            DemoFailed: it ended instead.
        """
        stdout = self.process.stdout
        if stdout is None or not stdout.readline():
            self.process.wait(_PATIENCE)
            self.check()

    def check(self) -> None:
        """Raises DemoFailed if it has ended by itself."""
        if self.process.poll() is not None:
            raise DemoFailed(
                f"worker {self.pid} ended by itself, with exit code {self.process.returncode}"
            )

    def freeze(self) -> None:
        """Stop it where it is, so that what it owns can be counted before it dies."""
        if sys.platform != "win32":
            self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        if sys.platform != "win32":
            self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL: no handler runs, nothing is written, nobody is told."""
        self.process.kill()
        self.process.wait(_PATIENCE)

    def end(self) -> None:
        """Ask it to drain, then insist."""
        self.thaw()
        self.process.terminate()
        try:
            self.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


@contextmanager
def fleet(
    url: str, *, queue: str, folder: Path, size: int
) -> Generator[Sequence[WorkerProcess], None, None]:
    """So many workers, ready to work; ended with the block, however it ends."""
    with ExitStack() as ends:
        workers: list[WorkerProcess] = []
        for number in range(1, size + 1):
            worker = _spawn(url, queue=queue, log=folder / f"worker-{number}.log")
            ends.callback(worker.end)
            workers.append(worker)
        for worker in workers:
            worker.await_start()
        yield workers


def _spawn(url: str, *, queue: str, log: Path) -> WorkerProcess:
    command = [
        *(sys.executable, "-m", "perdure", "worker"),
        "perdure.cli.demo.indexing:worker_engine",
        *("--queue", queue, "--concurrency", str(CONCURRENCY), "--threads", str(CONCURRENCY)),
        *("--grace", "5s", "--json"),
    ]
    with log.open("wb") as errors:
        process = subprocess.Popen(  # noqa: S603 (our own program)
            command,
            # A URL may hold a password, and arguments are there for all to see.
            env=os.environ | {"PERDURE_DATABASE_URL": url},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            # Ctrl-C is the demo's to handle.
            start_new_session=True,
        )
    return WorkerProcess(process, log)
