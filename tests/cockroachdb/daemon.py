"""A server process of the tests' own: started, killed, started again; its output kept."""

import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

TAIL = 4000
WITHIN = 30.0
"""Seconds for a process to be gone after it was killed."""


@attrs.define(eq=False)
class Daemon:
    """One command, which runs or does not."""

    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] | None = None
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def alive(self) -> bool:
        """Whether it runs now."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Its process id, while it runs."""
        return self._process.pid if self._process is not None and self.alive else None

    def start(self) -> None:
        """Start it; what it says goes to the end of its log."""
        assert not self.alive, f"{self} runs already"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 (the command of the tests)
                list(self.command),
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C is for the tests
            )

    def kill(self) -> None:
        """Kill it as a power cut would, and wait until it is gone."""
        if self._process is not None and self.alive:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(WITHIN)

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-TAIL:] if self.log.exists() else ""

    def __repr__(self) -> str:
        state = f"runs as {self.pid}" if self.alive else "does not run"
        return f"<{Path(self.command[0]).name} {state}>"
