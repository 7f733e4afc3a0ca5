"""The GitHub workflow names only what is there; read as text, for which no library is needed."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def workflow() -> str:
    """The file."""
    return (ROOT / ".github" / "workflows" / "cockroachdb.yml").read_text()


def _block(workflow: str, key: str) -> list[str]:
    """The lines below a key, without their indentation."""
    found = re.search(rf"^( *){key}:(?: \|)?\n((?:\1 +.*\n|\n)+)", workflow, re.MULTILINE)
    assert found, f"there is no {key}"
    return [line.strip() for line in found[2].splitlines() if line.strip()]


def test_it_runs_when_it_should_and_may_only_read(workflow: str) -> None:
    triggers = {line.rstrip(":") for line in _block(workflow, "on") if line.endswith(":")}
    assert triggers == {"push", "pull_request", "schedule", "workflow_dispatch"}
    assert _block(workflow, "permissions") == ["contents: read"]


def test_its_tests_exist(workflow: str) -> None:
    (path,) = re.findall(r"-m pytest (\S+)", workflow)
    assert (ROOT / path / "test_cluster.py").is_file()


def test_what_it_installs_exists(workflow: str) -> None:
    (extra,) = re.findall(r"pip install -e '\.\[(\w+)\]'", workflow)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert extra in project["optional-dependencies"]


def test_its_python_is_one_of_ours(workflow: str) -> None:
    (version,) = re.findall(r'python-version: "3\.(\d+)"', workflow)
    assert 11 <= int(version) <= 13


def test_the_tests_know_its_environment(workflow: str) -> None:
    here = "".join(file.read_text() for file in Path(__file__).parent.glob("*.py"))
    names = re.findall(r"\b(PERDURE_\w+):", workflow)
    assert names
    assert [name for name in names if f'"{name}"' not in here] == []


def test_it_begins_with_the_oldest_release_that_is_served(workflow: str) -> None:
    (listed,) = re.findall(r"cockroachdb: \[(.+)\]", workflow)
    releases = listed.split(", ")
    assert releases[0] == "latest-v23.1"
    assert releases[-1] == "latest"


def test_its_actions_are_pinned(workflow: str) -> None:
    actions = re.findall(r"uses: (\S+)", workflow)
    assert actions
    assert [action for action in actions if not re.fullmatch(r"actions/[\w-]+@v\d+", action)] == []
