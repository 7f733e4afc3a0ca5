"""A stranger's backend that is not SQL: the example of docs/writing-a-backend.md."""

import re
import shlex
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .judging import Judge

ROOT = Path(__file__).parents[2]
LOGBOOK = ROOT / "tests" / "strangers" / "logbook"
SOURCE = LOGBOOK / "src" / "perdure_logbook"
PAGE = (ROOT / "docs" / "writing-a-backend.md").read_text(encoding="utf-8")

LONGEST = 900.0
"""Seconds for the whole suite, each write of which waits for the disk: a multiple of what it takes."""


def _project() -> dict[str, Any]:
    text = (LOGBOOK / "pyproject.toml").read_text(encoding="utf-8")
    project: dict[str, Any] = tomllib.loads(text)["project"]
    return project


def _entry_points() -> str:
    """What an installer makes of them."""
    groups = _project()["entry-points"].items()
    return "\n".join(f"[{group}]\n{_rows(points)}" for group, points in groups)


def _rows(points: dict[str, str]) -> str:
    return "".join(f"{name} = {target}\n" for name, target in points.items())


@pytest.fixture
def stranger(install: Callable[[str, str], Path], tmp_path: Path) -> Judge:
    """The door, where the example is installed."""
    path = [install("logbook", _entry_points()), LOGBOOK / "src"]
    return Judge(tmp_path, path, longest=LONGEST)


@pytest.mark.long(80)
def test_the_example_keeps_every_promise(stranger: Judge) -> None:
    place = stranger.folder / "place"
    place.mkdir()
    judged = stranger(f"logbook://{place}", "--brief")
    assert judged.code == 0, judged.out + judged.err
    missing = [one["name"] for one in judged.json["capabilities"] if not one["there"]]
    assert missing == ["guests", "sql_script"]
    not_run = {one["noun"] for one in judged.json["tests"] if one["outcome"] == "not run"}
    assert not_run == {"guests", "schema", "wakeups"}, "the script, and what a backend may have"
    assert judged.names("broken") | judged.names("deviates") == set()
    assert {test["noun"] for test in judged.json["tests"]} >= {"faults", "processes", "workflows"}
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("module", [path.stem for path in SOURCE.glob("*.py")])
def test_the_example_knows_the_seam_and_nothing_else_of_perdure(module: str) -> None:
    found = set(re.findall(r"^(?:from|import) (perdure\S*)", _source(module), flags=re.MULTILINE))
    seam = {"perdure.backend", "perdure.errors", "perdure.model"}
    judging = {"perdure_compat.fault", "perdure_compat.harness"}
    assert found <= (seam | judging if module == "harness" else seam)


# --------------------------------------------------------------- the page


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


def test_the_entry_points_of_the_page_are_those_of_the_example() -> None:
    told: dict[str, Any] = {}
    for block in _blocks("toml"):
        told |= tomllib.loads(block)["project"]["entry-points"]
    assert told == _project()["entry-points"]


def test_the_class_of_the_page_is_how_the_example_begins() -> None:
    (block,) = _blocks("python")
    (begin,) = re.findall(
        r"^class LogbookBackend.*", _source("backend"), flags=re.DOTALL | re.MULTILINE
    )
    assert begin.startswith(block)


def _source(module: str) -> str:
    return (SOURCE / f"{module}.py").read_text(encoding="utf-8")


def test_the_commands_of_the_page_are_understood(stranger: Judge) -> None:
    (block,) = _blocks("sh")
    commands = [shlex.split(line, comments=True) for line in block.splitlines()]
    assert len(commands) == 2
    for program, *arguments in commands:
        url = f"logbook://{stranger.folder}"
        given = [url if one == "$URL" else one for one in arguments]
        short = [] if "--only" in given else ["--only", "timers"]
        run = stranger.run(program, *given, *short)
        assert run.code == 0, run.out + run.err


def test_the_page_shows_what_a_broken_promise_looks_like(
    install: Callable[[str, str], Path], tmp_path: Path
) -> None:
    """The example with an epoch that stands still."""
    broken = tmp_path / "broken"
    shutil.copytree(SOURCE, broken / SOURCE.name)
    file = broken / SOURCE.name / "workflows.py"
    text = file.read_text(encoding="utf-8")
    assert text.count("epoch=one.epoch + 1") == 1
    file.write_text(text.replace("epoch=one.epoch + 1", "epoch=one.epoch"), encoding="utf-8")
    judge = Judge(tmp_path, [install("broken", _entry_points()), broken])
    judged = judge.run("perdure", "conformance", f"logbook://{tmp_path}", "--only", "claims")
    assert judged.code == 1
    (block,) = _blocks("text")
    assert block in judged.out
