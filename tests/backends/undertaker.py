"""The other end of `mortal`: starts the process, and has migrations die in it."""

import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import attrs

_RUN = (
    "import importlib, sys; sys.path.insert(0, {root!r}); "
    "importlib.import_module('backends.mortal').main()"
)


@attrs.frozen
class Undertaker:
    """Has migrations die."""

    _process: "subprocess.Popen[str]"

    def kill(self, url: str, *, at: int, after: bool, scripts: Path | None = None) -> bool:
        """Migrate as far as a statement; False if there are not so many, and it is done."""
        order = {"url": url, "at": at, "after": after, "scripts": scripts and str(scripts)}
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        assert answer in {"0", "9"}, f"the migration said {answer!r}"
        return answer == "9"


@contextmanager
def undertaker() -> Generator[Undertaker, None, None]:
    """One process for many deaths."""
    root = str(Path(__file__).parent.parent)
    process = subprocess.Popen(  # noqa: S603 (our own)
        [sys.executable, "-c", _RUN.format(root=root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield Undertaker(process)
        assert process.stdin
        process.stdin.close()
