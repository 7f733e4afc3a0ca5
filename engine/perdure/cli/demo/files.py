"""The demo's input: the source files of the running interpreter's standard library."""

import sysconfig
from collections.abc import Iterable
from pathlib import Path

from .failure import DemoFailed

FEWEST = 300
_FOREIGN = {"site-packages", "dist-packages", "__pycache__"}
_TESTS = {"test", "tests", "idle_test"}


def library() -> Path:
    """The folder of the standard library."""
    return Path(sysconfig.get_path("stdlib"))


def source_files() -> list[str]:
    """Paths relative to the library, sorted; test packages only where there is little else.

    Raises:
        DemoFailed: there are fewer than 300, as where the library is one zip file.
    """
    everything = _outside(_FOREIGN, sorted(library().rglob("*.py")))
    files = _outside(_TESTS, everything)
    if len(files) < FEWEST:
        files = everything
    if len(files) < FEWEST:
        raise DemoFailed(
            f"the demo needs {FEWEST} Python files and found {len(files)} in {library()}: "
            f"run it with a Python that has its standard library as source files"
        )
    return [path.relative_to(library()).as_posix() for path in files]


def _outside(folders: set[str], paths: Iterable[Path]) -> list[Path]:
    root = library()
    return [path for path in paths if not folders & {*path.relative_to(root).parts[:-1]}]
