"""The benchmark's worker processes: made ready first, so that their start is not measured."""

import json
import os
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import attrs

from perdure.errors import ConfigurationError

from .ground import Ground

_PATIENCE = 30.0


@attrs.frozen(eq=False)
class Member:
    """One process that does one deed of `deeds` when it is told to."""

    process: "subprocess.Popen[str]"

    def go(self, word: str = "go") -> None:
        """Let it begin; the word may say with what."""
        self.tell(word)

    def tell(self, text: str) -> None:
        """Give it a line."""
        if self.process.stdin is not None:
            self.process.stdin.write(text + "\n")
            self.process.stdin.flush()

    def hear(self) -> Any:
        """What it says next.

        Raises:
            ConfigurationError: it ended instead.
        """
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            raise ConfigurationError(
                f"a process of the benchmark ended with exit code {self.process.wait()}"
            )
        return json.loads(line)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait(_PATIENCE)

    def memory(self) -> int | None:
        """Its resident memory in bytes, where the system tells it."""
        status = Path(f"/proc/{self.process.pid}/statm")
        if not status.exists():
            return None
        return int(status.read_text(encoding="ascii").split()[1]) * 4096

    def threads(self) -> int | None:
        """How many threads it has, where the system tells it."""
        tasks = Path(f"/proc/{self.process.pid}/task")
        return len([*tasks.iterdir()]) if tasks.exists() else None

    def end(self) -> None:
        """Let it stop, then insist."""
        if self.process.stdin is not None and not self.process.stdin.closed:
            self.process.stdin.close()
        try:
            self.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
        if self.process.stdout is not None:
            self.process.stdout.close()


@contextmanager
def crew(
    ground: Ground, deed: str, *, size: int, pinned: bool = False, **given: Any
) -> Generator[Sequence[Member], None, None]:
    """So many processes, ready to go, each on one processor if `pinned`; ended with the block."""
    with ExitStack() as ends:
        members: list[Member] = []
        for number in range(size):
            member = _spawn()
            ends.callback(member.end)
            if pinned:
                _pin(member.process.pid, number)
            members.append(member)
        for member in members:
            # Not as an argument: a URL may hold a password.
            order = {"url": ground.url, "namespace": ground.namespace, "deed": deed, "given": given}
            member.tell(json.dumps(order))
        for member in members:
            member.hear()
        yield members


def _pin(pid: int, number: int) -> None:
    """Keep a process, whose threads are still to come, on one processor: they take turns."""
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(pid, {processors[number % len(processors)]})


def _spawn() -> Member:
    return Member(
        subprocess.Popen(
            [sys.executable, "-m", "perdure.cli.bench.deeds"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    )
