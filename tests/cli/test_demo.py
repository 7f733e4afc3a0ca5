"""The demo: real processes, a real kill, and a proof that would notice."""

import os
import re
import signal
import subprocess

import pytest

from perdure.cli.demo.proof import Bodies, Proof, prove

from .terminal import PATIENCE, Answer, Perdure, alive, eventually, stop

KEYS = [
    "backend",
    "files",
    "workflows",
    "steps",
    "lost",
    "duplicated",
    "killed_workers",
    "recovered_workflows",
    "seconds",
]


def _check(answer: Answer, backend: str) -> None:
    assert answer.code == 0, answer.err
    told = answer.json
    assert list(told) == KEYS
    assert told["backend"] == backend
    assert told["files"] >= 300
    assert told["workflows"] == told["files"]
    assert told["steps"] == 3 * told["files"]
    assert (told["lost"], told["duplicated"], told["killed_workers"]) == (0, 0, 1)
    assert told["recovered_workflows"] >= 1
    assert "kill -9" in answer.err
    assert "No step was lost" in answer.err


def test_it_proves_itself_on_sqlite(perdure: Perdure) -> None:
    nowhere = "postgresql://127.0.0.1:1/nowhere"
    answer = perdure("demo", "--json", DATABASE_URL=nowhere, PERDURE_DATABASE_URL=nowhere)
    _check(answer, "sqlite")
    assert not [*(perdure.folder / "tmp").iterdir()]


def test_it_proves_itself_on_an_embedded_postgres(perdure: Perdure) -> None:
    _check(perdure("demo", "--json", "--embedded-postgres"), "postgresql")


def test_it_counts_right_on_a_database_that_is_not_fresh(
    perdure: Perdure, postgres_url: str
) -> None:
    for _ in range(2):
        _check(perdure("demo", "--json", "-d", postgres_url), "postgresql")


def test_it_tells_the_story_in_words(perdure: Perdure) -> None:
    told = perdure("demo", "--keep")
    assert told.code == 0, told.err
    for word in ("lost", "duplicated", "taken over", "ran twice", "No step was lost"):
        assert word in told.out
    url = re.findall(r"perdure list -d (\S+)", told.out)[0]
    kept = perdure("list", "-d", url, "--limit", "1000", "--json").json
    assert {row["status"] for row in kept} == {"success"}


def _workers(process: "subprocess.Popen[str]") -> list[int]:
    """The two workers of a demo, once they work."""
    assert process.stdout is not None
    line = ""
    while "processes" not in line:
        line = process.stdout.readline()
        assert line, process.communicate()
    return [int(pid) for pid in re.findall(r"processes (\d+) and (\d+)", line)[0]]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 128 + signal.SIGTERM)]
)
def test_a_stopped_demo_leaves_no_process_and_no_file(
    perdure: Perdure, number: signal.Signals, code: int
) -> None:
    with perdure.running("demo") as process:
        workers = _workers(process)
        assert all(map(alive, workers))
        assert stop(process, number).code == code
    assert not any(map(alive, workers))
    assert not [*(perdure.folder / "tmp").iterdir()]


def test_the_workers_end_when_the_demo_is_killed(perdure: Perdure) -> None:
    with perdure.running("demo") as process:
        workers = _workers(process)
        os.kill(process.pid, signal.SIGKILL)
        eventually(lambda: not any(map(alive, workers)))


def test_a_demo_that_proves_nothing_is_exit_1_and_shows_the_logs(perdure: Perdure) -> None:
    with perdure.running("demo") as process:
        workers = _workers(process)
        os.kill(workers[0], signal.SIGKILL)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert f"worker {workers[0]} ended by itself" in err
    assert "worker-2.log" in err
    assert not any(map(alive, workers))


def test_the_proof_finds_what_is_lost_and_what_is_there_twice() -> None:
    whole = [(key, step) for key in "ab" for step in ("read", "store")]
    assert prove(whole, ids="ab", steps=["read", "store"]) == Proof(steps=4, lost=0, duplicated=0)
    lost = prove(whole[1:], ids="ab", steps=["read", "store"])
    assert lost == Proof(steps=3, lost=1, duplicated=0)
    twice = prove([*whole, whole[0]], ids="ab", steps=["read", "store"])
    assert twice == Proof(steps=5, lost=0, duplicated=1)
    swapped = prove([*whole[1:], ("x", "read")], ids="ab", steps=["read", "store"])
    assert swapped == Proof(steps=4, lost=1, duplicated=1)


def test_bodies_that_ran_twice_are_counted() -> None:
    bodies = Bodies.read("1\ta\tread\n2\ta\tread\n2\ta\tstore\n")
    assert (bodies.repeated, dict(bodies.by_process)) == (1, {1: 1, 2: 2})
