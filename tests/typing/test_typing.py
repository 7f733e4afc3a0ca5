"""What users write passes both type checkers, and what they get wrong is found by both."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
MARK = re.compile(r"# error\b")
LONGEST = 120.0
"""Seconds for one checker; a cold cache takes about ten."""

Found = Mapping[str, set[int]]


def _run(*command: str) -> str:
    done = subprocess.run(  # noqa: S603 (the checkers of this environment)
        [sys.executable, "-m", *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST,
    )
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    return done.stdout


def _by_file(found: Iterable[tuple[str, int, str]], files: Iterable[Path]) -> dict[str, set[int]]:
    lines: dict[str, set[int]] = {file.name: set() for file in files}
    for file, line, message in found:
        assert Path(file).name in lines, f"{file}:{line}: {message}"
        lines[Path(file).name].add(line)
    return lines


def _mypy(folder: Path, cache: Path) -> dict[str, set[int]]:
    files = sorted(folder.glob("*.py"))
    settings = ("--strict", "--config-file=", f"--cache-dir={cache}", "--output=json")
    output = _run("mypy", *settings, *map(str, files))
    reports = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return _by_file(
        ((r["file"], r["line"], r["message"]) for r in reports if r["severity"] == "error"), files
    )


def _pyright(folder: Path, cache: Path) -> dict[str, set[int]]:
    shutil.copytree(folder, cache / folder.name)  # a project's files lie below its settings
    project = cache / "pyrightconfig.json"
    project.write_text(json.dumps({"include": [folder.name], "typeCheckingMode": "strict"}))
    output = _run("pyright", "-p", str(project), "--pythonpath", sys.executable, "--outputjson")
    answer: dict[str, Any] = json.loads(output)
    files = sorted(folder.glob("*.py"))
    assert answer["summary"]["filesAnalyzed"] == len(files)
    return _by_file(
        (
            (r["file"], r["range"]["start"]["line"] + 1, r["message"])
            for r in answer["generalDiagnostics"]
        ),
        files,
    )


def _marked(folder: Path) -> Found:
    return {
        file.name: {
            number
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
            if MARK.search(line) and not line.startswith('"')
        }
        for file in folder.glob("*.py")
    }


@pytest.mark.parametrize("checker", [_mypy, _pyright])
def test_what_users_write_passes_without_a_single_error(checker: Any, tmp_path: Path) -> None:
    """Strict, and with nothing ignored."""
    programs = HERE / "programs"
    assert "ignore" not in "".join(file.read_text() for file in programs.glob("*.py"))

    found = checker(programs, tmp_path)

    assert len(found) >= 4
    assert found == {file: set() for file in found}


@pytest.mark.parametrize("checker", [_mypy, _pyright])
def test_a_mistake_is_reported_on_its_line_and_nothing_else_is(
    checker: Any, tmp_path: Path
) -> None:
    """The files in `mistakes` mark each line that must be reported."""
    marked = _marked(HERE / "mistakes")
    assert sum(map(len, marked.values())) > 50

    assert checker(HERE / "mistakes", tmp_path) == marked
