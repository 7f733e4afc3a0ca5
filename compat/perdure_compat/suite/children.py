"""Real processes that the tests start, talk to and kill."""

import json
import signal
import subprocess
import sys
from contextlib import suppress
from threading import Timer
from typing import Any, Self

from perdure_compat.harness import Place

from .races import WITHIN


class Child:
    """A process on the same place, which runs one act of `deeds` once it is told to go."""

    def __init__(self, place: Place, act: str, **arguments: Any) -> None:
        given = [place.url, place.namespace, act, json.dumps(arguments)]
        self._process = subprocess.Popen(  # noqa: S603 (our own interpreter and module)
            [sys.executable, "-m", "perdure_compat.suite.deeds", *given],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._guard = Timer(2 * WITHIN, self._process.kill)
        self._guard.daemon = True
        self._guard.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._close()

    def go(self) -> None:
        """Wait until the child is ready, then let it begin."""
        assert self.read() == "ready"
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def read(self) -> Any:
        """The next thing that it says."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the process said nothing more: {self._process.poll()}"
        return json.loads(line)

    def rest(self) -> list[Any]:
        """All it says until its end; a last line cut short by death does not count."""
        assert self._process.stdout is not None
        lines = self._process.stdout.readlines()
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def end(self) -> int:
        """Wait for its end; the exit code."""
        code = self._process.wait(WITHIN)
        self._close()
        return code

    def kill(self, *, after: float = 0.0) -> None:
        """Kill it as SIGKILL does, after some seconds unless it has ended before."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(after)
        if self._process.poll() is None:
            self._process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        self._process.wait(WITHIN)

    def _close(self) -> None:
        self._guard.cancel()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
