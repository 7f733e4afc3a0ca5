"""Each command does what it says, in words and in JSON."""

import pytest

from .terminal import Perdure, eventually


def test_a_workflow_is_started_run_and_seen_in_json(shop: Perdure) -> None:
    with shop.worker("shop"):
        started = shop("start", "greet", '"Ada"', "--id", "g-1", "--json")
        assert started.json == {"id": "g-1", "name": "greet", "created": True}
        result = shop("result", "g-1", "--timeout", "30s", "--json")
    assert (result.code, result.json["status"], result.json["output"]) == (
        0,
        "success",
        "hello Ada",
    )
    [listed] = shop("list", "--json").json
    assert (listed["id"], listed["status"], listed["input"]) == (
        "g-1",
        "success",
        {"args": ["Ada"]},
    )
    shown = shop("show", "g-1", "--json").json
    [step] = shown["steps"]
    assert (step["seq"], step["name"], step["output"], step["attempts"]) == (
        1,
        "hello",
        "hello Ada",
        1,
    )


def test_a_workflow_is_started_run_and_seen_in_words(shop: Perdure) -> None:
    with shop.worker("shop"):
        started = shop("start", "greet", '"Ada"')
        key = started.out.strip()
        assert "perdure result" in started.err
        assert shop("result", key).out == '"hello Ada"\n'
    assert "greet" in shop("list").out
    shown = shop("show", key).out
    assert "success" in shown
    assert " ms" in shown


def test_the_same_id_starts_nothing_twice(shop: Perdure) -> None:
    with shop.worker("shop"):
        shop("start", "greet", '"Ada"', "--id", "g-1")
    again = shop("start", "greet", '"Ada"', "--id", "g-1", "--json")
    assert (again.code, again.json["created"]) == (0, False)
    other = shop("start", "greet", '"Bob"', "--id", "g-1")
    assert other.code == 5
    assert "[workflow-conflict]" in other.err


def test_a_failed_workflow_is_exit_1(shop: Perdure) -> None:
    with shop.worker("shop"):
        shop("start", "fail", "--id", "f-1")
        ended = shop("result", "f-1", "--json")
    assert (ended.code, ended.json["status"]) == (1, "error")
    assert "no luck" in ended.err
    in_words = shop("result", "f-1")
    assert (in_words.code, in_words.out) == (1, "")
    assert "no luck" in in_words.err


def test_waiting_too_long_is_exit_6(shop: Perdure) -> None:
    with shop.worker("shop"):
        shop("start", "wait", "--id", "w-1")
        waited = shop("result", "w-1", "--timeout", "200ms", "--json")
    assert waited.code == 6
    assert waited.json["error"]["code"] == "wait-timeout"


def test_start_options_reach_the_record(shop: Perdure) -> None:
    with shop.worker("shop"):
        pass
    started = shop(
        *("start", "greet", '"Ada"', "--id", "g-1", "--queue", "mail", "--priority", "-3"),
        *("--delay", "1h30m", "-a", "tenant=acme", "-a", "size=4", "-a", 'code="4"'),
    )
    assert started.code == 0, started.err
    [found] = shop("list", "--status", "delayed", "--queue", "mail", "--json").json
    assert (found["queue"], found["priority"]) == ("mail", -3)
    assert found["attributes"] == {"tenant": "acme", "size": 4, "code": "4"}
    assert shop("list", "-a", "size=5", "--json").json == []
    assert len(shop("list", "-a", "size=4", "--name", "greet", "--json").json) == 1


def test_a_list_is_limited_and_says_so(shop: Perdure) -> None:
    with shop.worker("shop"):
        pass
    for number in range(3):
        shop("start", "greet", f'"{number}"', "--id", f"g-{number}")
    assert [found["id"] for found in shop("list", "--limit", "2", "--json").json] == ["g-2", "g-1"]
    assert "--limit" in shop("list", "--limit", "2").err
    assert "--limit" not in shop("list", "--limit", "3").err


def test_a_long_id_is_whole_in_a_pipe(shop: Perdure) -> None:
    with shop.worker("shop"):
        pass
    key = "order/" + "x" * 300
    shop("start", "greet", '"Ada"', "--id", key)
    assert key in shop("list").out


def test_a_sleeping_workflow_shows_until_when(shop: Perdure) -> None:
    with shop.worker("shop"):
        shop("start", "wait", "--id", "w-1")
        eventually(lambda: bool(shop("show", "w-1", "--json").json["waits"]))
        [wait] = shop("show", "w-1", "--json").json["waits"]
        assert wait["seq"] == 2
        assert "until" in shop("show", "w-1").out


def test_a_parked_workflow_is_resumed(shop: Perdure) -> None:
    with shop.worker("shop"):
        shop("start", "call", "--id", "w-1")
        eventually(lambda: len(shop("show", "w-1", "--json").json["steps"]) == 1)
    changed = (shop.folder / "shop.py").read_text(encoding="utf-8").replace("def hello", "def hi")
    shop.write("shop.py", changed.replace("hello(", "hi("))
    with shop.worker("shop"):
        parked = shop("result", "w-1")
    assert parked.code == 1
    assert "perdure resume w-1" in parked.err
    assert shop("resume", "w-1", "--json").json == {"id": "w-1", "status": "enqueued"}


def test_an_ended_workflow_cannot_be_resumed(shop: Perdure) -> None:
    with shop.worker("shop"):
        shop("start", "greet", '"Ada"', "--id", "g-1")
        shop("result", "g-1")
    resumed = shop("resume", "g-1")
    assert resumed.code == 5
    assert "[workflow-finished]" in resumed.err


def test_migrate_creates_the_tables_once(perdure: Perdure, database_url: str) -> None:
    on = ("-d", database_url)
    before = perdure("migrate", "--check", "--json", *on)
    assert (before.code, before.json["current"], before.json["revision"]) == (1, False, None)
    first = perdure("migrate", "--json", *on)
    assert (first.code, first.json["changed"]) == (0, True)
    again = perdure("migrate", "--json", *on)
    assert (again.code, again.json["changed"]) == (0, False)
    assert "already" in perdure("migrate", *on).out
    assert perdure("migrate", "--check", *on).code == 0


def test_migrate_prints_its_sql_and_runs_none(perdure: Perdure, database_url: str) -> None:
    on = ("-d", database_url)
    printed = perdure("migrate", "--sql", *on)
    assert printed.code == 0
    assert "CREATE TABLE" in printed.out
    assert perdure("migrate", "--sql", "--json", *on).json["sql"].strip() == printed.out.strip()
    assert perdure("migrate", "--check", *on).code == 1


def test_options_may_stand_before_the_command(shop: Perdure) -> None:
    assert shop("--json", "list").json == []
    assert shop("-d", "sqlite:///other.db", "--json", "migrate").json["changed"] is True


@pytest.mark.parametrize(
    "command",
    [
        *("demo", "migrate", "worker", "start", "result", "list", "show"),
        *("send", "cancel", "resume"),
    ],
)
def test_every_command_explains_itself(perdure: Perdure, command: str) -> None:
    told = perdure(command, "--help")
    assert told.code == 0
    assert "--json" in told.out
    assert "--database-url" in told.out
    assert command in perdure("--help").out
