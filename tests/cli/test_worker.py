"""The worker: what it imports, what it says, how it ends."""

import json
import signal

import pytest

from .terminal import Perdure, eventually, stop


def test_it_says_what_it_serves(shop: Perdure) -> None:
    with shop.running("worker", "shop", "--queue", "mail", "--queue", "default") as process:
        assert process.stderr is not None
        said = ""
        while "process " not in said:
            said += process.stderr.readline()
        ended = stop(process)
    assert "call, fail, greet, wait" in said
    assert "mail, default" in said
    assert "sqlite:///shop.db" in said
    assert ended.code == 0
    assert ended.out == ""


def test_it_speaks_json_lines(shop: Perdure) -> None:
    with shop.running("worker", "shop", "--json") as process:
        assert process.stdout is not None
        started = json.loads(process.stdout.readline())
        stopped = json.loads(stop(process).out)
    assert started["workflows"] == ["call", "fail", "greet", "wait"]
    assert started["queues"] == ["default"]
    assert started["pid"] == stopped["pid"] == process.pid
    assert stopped["event"] == "stopped"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_it(shop: Perdure, number: signal.Signals) -> None:
    with shop.worker("shop", "--grace", "5s") as process:
        shop("start", "call", "--id", "w-1")
        eventually(lambda: len(shop("show", "w-1", "--json").json["steps"]) == 1)
        ended = stop(process, number)
    assert ended.code == 0
    [left] = shop("list", "--json").json
    assert (left["status"], left["owner"], left["recoveries"]) == ("enqueued", None, 0)


def test_it_names_the_option_that_leads_to_its_file(perdure: Perdure) -> None:
    perdure.write("jobs.py", "import perdure\n\n@perdure.workflow\ndef nothing() -> None: ...\n")
    perdure("migrate", "-d", "sqlite:///jobs.db")
    with perdure.running("worker", "jobs", "-d", "sqlite:///jobs.db", "--json") as process:
        assert process.stdout is not None
        process.stdout.readline()
        ended = stop(process)
    assert "perdure list -d sqlite:///jobs.db" in ended.err


ONE = "import perdure\nengine = perdure.Engine('sqlite:///one.db')\n"
TWO = f"{ONE}other = perdure.Engine('sqlite:///two.db')\nsame = engine\n"
MADE = "import perdure\ndef make():\n    return perdure.Engine('sqlite:///made.db')\n"
WORK = "@perdure.workflow\ndef work() -> None: ...\n"


@pytest.mark.parametrize(
    ("text", "target", "file"),
    [
        (ONE, "app", "one.db"),
        (ONE, "app:engine", "one.db"),
        (TWO, "app:other", "two.db"),
        (MADE, "app:make", "made.db"),
        ("import perdure\n", "app", "shop.db"),
    ],
)
def test_the_engine_is_found(shop: Perdure, text: str, target: str, file: str) -> None:
    shop.write("app.py", text + WORK)
    shop("migrate", "-d", f"sqlite:///{file}")
    with shop.running("worker", target, "--json") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["database"] == f"sqlite:///{file}"
        stop(process)


def test_the_project_names_the_engine(shop: Perdure) -> None:
    shop.write("app.py", ONE + WORK)
    shop.write("pyproject.toml", '[tool.perdure]\nengine = "app:engine"\n')
    shop("migrate", "-d", "sqlite:///one.db")
    with shop.running("worker", "--import", "shop", "--json") as process:
        assert process.stdout is not None
        started = json.loads(process.stdout.readline())
        stop(process)
    assert started["database"] == "sqlite:///one.db"
    assert started["workflows"] == ["call", "fail", "greet", "wait", "work"]


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ((), "perdure worker MODULE[:ENGINE]"),
        (("nowhere",), "no module 'nowhere'"),
        (("app.py",), "give the module's name, app"),
        (("app",), "app:engine, app:other"),
        (("app:none",), "its engines: app:engine, app:other"),
        (("app:work",), "must be a perdure.Engine"),
        (("app:engine", "-d", "sqlite:///x.db"), "not both"),
        (("empty",), "imported empty, found no @workflow"),
        (("broken",), "ZeroDivisionError"),
        (("missing",), "nonsense"),
    ],
)
def test_what_cannot_be_served_is_refused(
    perdure: Perdure, target: tuple[str, ...], told: str
) -> None:
    perdure.write("app.py", TWO + WORK.replace("@perdure.workflow\n", ""))
    perdure.write("empty.py", "")
    perdure.write("broken.py", "1 / 0\n")
    perdure.write("missing.py", "import nonsense\n")
    refused = perdure("worker", *target)
    assert refused.code == 2
    assert told in refused.err
    assert "Traceback" not in refused.err


def test_a_worker_without_tables_names_the_command(perdure: Perdure, postgres_url: str) -> None:
    perdure.write("app.py", f"import perdure\n{WORK}")
    refused = perdure("worker", "app", "-d", postgres_url)
    assert refused.code == 4
    assert "perdure migrate" in refused.err
