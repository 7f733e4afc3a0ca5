"""Backends that are not ours, as installed packages offer them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from . import wrong
from .judging import Judge, Judged


@pytest.fixture(scope="session")
def install(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """Makes a folder in which an installed package has these entry points."""

    def installed(name: str, entry_points: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        package = folder / f"{name}-0.dist-info"
        package.mkdir()
        (package / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0\n")
        (package / "entry_points.txt").write_text(entry_points)
        return folder

    return installed


@pytest.fixture(scope="session")
def wrongs(install: Callable[[str, str], Path]) -> Path:
    """A folder in which an installed package offers the backends of `wrong`."""
    return install("wrong", wrong.ENTRY_POINTS)


@pytest.fixture
def judge(tmp_path: Path, wrongs: Path) -> Judge:
    """The door, in a folder of its own, where the wrong backends are installed."""
    return Judge(tmp_path, [wrongs, Path(__file__).parent])


@pytest.fixture(scope="session")
def judged_twice(tmp_path_factory: pytest.TempPathFactory, wrongs: Path) -> Judged:
    """What is found about claims of the backend that hands out a workflow twice."""
    judge = Judge(tmp_path_factory.mktemp("judged"), [wrongs, Path(__file__).parent])
    return judge("twice://", "--only", "claims", "--seed", "7")
