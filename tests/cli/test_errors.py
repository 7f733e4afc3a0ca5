"""Errors are one sentence, with a code, an exit code and a way out."""

import time

import pytest

from .terminal import Perdure


def test_an_unknown_scheme_lists_the_known_ones(perdure: Perdure) -> None:
    refused = perdure("list", "-d", "mongodb://somewhere/db")
    assert refused.code == 2
    assert "mongodb://" in refused.err
    assert "sqlite://" in refused.err
    assert "postgresql://" in refused.err


def test_an_unreachable_database_is_named_without_its_password(perdure: Perdure) -> None:
    begun = time.monotonic()
    url = "postgresql://joe:geheim@127.0.0.1:1/shop"
    refused = perdure("list", "-d", url, "--json", "--traceback")
    assert time.monotonic() - begun < 20
    assert refused.code == 3
    assert "127.0.0.1:1" in refused.err
    assert "geheim" not in refused.err + refused.out
    assert refused.json["error"]["code"] == "backend-unavailable"


def test_missing_tables_name_the_command_that_makes_them(
    perdure: Perdure, postgres_url: str
) -> None:
    refused = perdure("list", "-d", postgres_url)
    assert refused.code == 4
    assert "perdure migrate" in refused.err


def test_an_unknown_workflow_name_is_refused(shop: Perdure) -> None:
    refused = shop("start", "chekout")
    assert refused.code == 2
    assert "'chekout'" in refused.err


@pytest.mark.parametrize(
    "command",
    [
        ("show", "nobody"),
        ("result", "nobody"),
        ("resume", "nobody"),
        ("cancel", "nobody"),
        ("send", "nobody", "approval", "true"),
    ],
)
def test_an_unknown_id_is_exit_5(shop: Perdure, command: tuple[str, ...]) -> None:
    refused = shop(*command, "--json")
    assert refused.code == 5
    assert refused.json["error"]["code"] == "workflow-not-found"
    assert "perdure list" in refused.err


@pytest.mark.parametrize("text", ["5", "5M", "1y", "-3s", "s", "", "1m1h", "1s1s", "1,5s"])
def test_an_ambiguous_duration_is_refused(shop: Perdure, text: str) -> None:
    refused = shop("result", "x", f"--timeout={text}")
    assert refused.code == 2
    assert "30s" in refused.err


@pytest.mark.parametrize("command", [("start", "greet"), ("send", "g-1", "name")])
def test_an_argument_that_is_no_json_is_told_how(shop: Perdure, command: tuple[str, ...]) -> None:
    refused = shop(*command, "Ada")
    assert refused.code == 2
    assert """'"Ada"'""" in refused.err


@pytest.mark.parametrize("text", ["2026-12-24", "2026-12-24T18:00", "tomorrow", "18:00Z", ""])
def test_a_time_without_a_zone_is_refused(shop: Perdure, text: str) -> None:
    refused = shop("start", "greet", f"--deadline={text}")
    assert refused.code == 2
    assert "2026-12-24T18:00Z" in refused.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("start", "greet", "--attribute", "x"),
        ("start", "greet", "--priority", "high"),
        ("start", "greet", '"Ada"', "--timeout", "0s"),
        ("send", "g-1", "", "true"),
        ("send", "g-1", "name", "NaN"),
        ("send", "g-1", "name", "1", "--key", ""),
        ("list", "--status", "done"),
        ("list", "--limit", "0"),
        ("migrate", "--sql", "--check"),
        ("demo", "--embedded-postgres", "-d", "sqlite:///x.db"),
        ("demo", "-d", "sqlite://"),
        ("dance",),
    ],
)
def test_a_wrong_command_line_is_exit_2(shop: Perdure, arguments: tuple[str, ...]) -> None:
    refused = shop(*arguments)
    assert (refused.code, refused.out) == (2, "")
    assert "Traceback" not in refused.err
    assert not [*(shop.folder / "tmp").iterdir()]


def test_a_traceback_is_shown_only_when_asked(shop: Perdure) -> None:
    assert "Traceback" not in shop("show", "nobody").err
    assert "Traceback" in shop("--traceback", "show", "nobody").err
    assert "Traceback" in shop("show", "nobody", "--traceback").err


def test_the_default_database_is_announced(perdure: Perdure) -> None:
    assert "sqlite:///perdure.db" in perdure("migrate").err
    named = perdure("migrate", PERDURE_DATABASE_URL="sqlite:///named.db")
    assert "named.db" in named.out
    assert named.err == ""


def test_a_pipe_gets_no_colours(shop: Perdure) -> None:
    for arguments in (("list",), ("--help",), ("show", "nobody")):
        answer = shop(*arguments)
        assert "\x1b" not in answer.out + answer.err
