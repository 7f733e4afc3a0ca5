"""The command line as people run it: processes in a folder of their own."""

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, Self

import attrs

PATIENCE = 60.0

SHOP = """
import time
from datetime import timedelta

import perdure


@perdure.step
def hello(name: str) -> str:
    return f"hello {name}"


@perdure.workflow
def greet(name: str) -> str:
    return hello(name)


@perdure.workflow
def fail() -> None:
    raise ValueError("no luck")


@perdure.step(retries=perdure.Retry(None, delay=timedelta(seconds=0.5), factor=1.0))
def ring() -> None:
    raise ConnectionError("busy")


@perdure.workflow
def call() -> None:
    hello("before")
    ring()


@perdure.workflow
def wait() -> None:
    hello("before")
    perdure.sleep(timedelta(hours=1))
"""


OFFICE = """
from datetime import timedelta

import perdure

APPROVAL = perdure.Topic("approval", bool)
ADVICE = perdure.Topic("advice", str)


@perdure.step(retries=perdure.Retry(attempts=2, delay=timedelta(hours=1), jitter=0.0))
def ring() -> None:
    raise ConnectionError("busy")


@perdure.workflow
def approve() -> bool:
    return perdure.receive(APPROVAL)


@perdure.workflow
def ask() -> str:
    return perdure.receive(ADVICE, timeout=timedelta(hours=1))


@perdure.workflow
def call() -> None:
    ring()


@perdure.workflow
def delegate() -> bool:
    kept = perdure.start_child(approve, id="kept")
    perdure.start_child(ask, id="let-go", detach=True)
    return kept.result()
"""


@attrs.frozen
class Answer:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Stdout, all of it, as JSON."""
        return json.loads(self.out)


@attrs.frozen
class Zygote:
    """Begins commands without importing everything for each."""

    process: subprocess.Popen[str]

    @classmethod
    @contextlib.contextmanager
    def started(cls) -> Generator[Self, None, None]:
        """One that lives as long as the block."""
        program = [sys.executable, str(Path(__file__).with_name("zygote.py"))]
        with subprocess.Popen(  # noqa: S603 (our own program)
            program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            yield cls(process)
            process.kill()

    def run(self, folder: Path, arguments: Sequence[str], environment: dict[str, str]) -> Answer:
        """Run a command to its end."""
        with tempfile.TemporaryDirectory() as aside:
            out, err = Path(aside, "out"), Path(aside, "err")
            command = {
                "arguments": arguments,
                "folder": str(folder),
                "environment": environment,
                "out": str(out),
                "err": str(err),
                "patience": int(3 * PATIENCE),
            }
            assert self.process.stdin is not None
            assert self.process.stdout is not None
            print(json.dumps(command), file=self.process.stdin, flush=True)
            code = int(self.process.stdout.readline())
            return Answer(code, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))


@attrs.frozen
class Perdure:
    """Runs `python -m perdure` in a folder, with nothing configured from outside."""

    folder: Path
    environment: dict[str, str]
    zygote: Zygote

    def __call__(self, *arguments: str, **environment: str) -> Answer:
        """Run a command to its end."""
        return self.zygote.run(self.folder, arguments, self.environment | environment)

    @contextlib.contextmanager
    def running(
        self, *arguments: str, **environment: str
    ) -> Generator[subprocess.Popen[str], None, None]:
        """A command that goes on; killed at the end of the block if it still does."""
        process = subprocess.Popen(  # noqa: S603 (our own program)
            [sys.executable, "-m", "perdure", *arguments],
            cwd=self.folder,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def write(self, name: str, text: str) -> None:
        """Put a file into the folder."""
        (self.folder / name).write_text(text, encoding="utf-8")

    @contextlib.contextmanager
    def worker(self, *arguments: str) -> Generator[subprocess.Popen[str], None, None]:
        """A worker that has said what it serves; drained at the end of the block."""
        with self.running("worker", *arguments, "--json") as process:
            assert process.stdout is not None
            if not process.stdout.readline():
                raise AssertionError(process.communicate()[1])
            yield process
            stop(process)


def stop(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> Answer:
    """Send a signal, and wait for the end."""
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    return Answer(process.returncode, out, err)


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether there is such a process (one that has ended counts as gone)."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
