"""Workflows that wait for somebody: messages, children, deadlines and cancellation."""

from datetime import datetime, timedelta
from typing import Any

from .terminal import Perdure, eventually


def shown(office: Perdure, key: str) -> dict[str, Any]:
    """What `show --json` says of a workflow."""
    told: dict[str, Any] = office("show", key, "--json").json
    return told


def suspended(office: Perdure, key: str) -> None:
    """Wait until it has left memory."""
    eventually(lambda: shown(office, key)["status"] == "waiting")


def test_a_message_is_received_by_the_workflow_that_waits_for_it(office: Perdure) -> None:
    with office.worker("office"):
        office("start", "approve", "--id", "a-1")
        suspended(office, "a-1")
        assert "for a message" in office("show", "a-1").out
        sent = office("send", "a-1", "approval", "true", "--json")
        assert sent.json == {"id": "a-1", "topic": "approval", "key": None}
        assert office("result", "a-1", "--timeout", "30s").out == "true\n"
    [step] = shown(office, "a-1")["steps"]
    assert (step["name"], step["kind"], step["output"]) == ("approval", "receive", True)


def test_a_second_message_with_the_same_key_changes_nothing(office: Perdure) -> None:
    with office.worker("office"):
        office("start", "ask", "--id", "a-1")
        suspended(office, "a-1")
    for text in ('"yes"', '"no"'):
        sent = office("send", "a-1", "advice", text, "--key", "of-ada")
        assert (sent.code, sent.out) == (0, "sent to a-1\n")
    with office.worker("office"):
        assert office("result", "a-1").out == '"yes"\n'
        again = office("send", "a-1", "advice", '"late"', "--key", "of-ada")
    assert again.code == 0


def test_nothing_is_sent_to_a_workflow_that_has_ended(office: Perdure) -> None:
    with office.worker("office"):
        office("start", "approve", "--id", "a-1")
        office("send", "a-1", "approval", "false")
        office("result", "a-1")
    refused = office("send", "a-1", "approval", "true")
    assert refused.code == 5
    assert "[workflow-finished]" in refused.err


def test_a_wait_shows_its_end(office: Perdure) -> None:
    with office.worker("office"):
        office("start", "ask", "--id", "a-1")
        suspended(office, "a-1")
    [wait] = shown(office, "a-1")["waits"]
    assert (wait["branch"], wait["seq"], wait["kind"]) == ("", 1, "receive")
    told = office("show", "a-1").out
    assert "at the latest" in told
    assert "receive" in told


def test_the_pause_before_a_step_s_next_try_is_shown_at_the_step(office: Perdure) -> None:
    with office.worker("office"):
        office("start", "call", "--id", "c-1")
        suspended(office, "c-1")
    [wait] = shown(office, "c-1")["waits"]
    assert (wait["branch"], wait["seq"], wait["kind"]) == ("", 1, "retry")


def test_what_has_not_begun_is_cancelled_at_once(office: Perdure) -> None:
    with office.worker("office"):
        pass
    office("start", "approve", "--id", "a-1")
    cancelled = office("cancel", "a-1", "--reason", "too late", "--json")
    assert cancelled.json == {"id": "a-1", "cancelled": True, "status": "cancelled"}
    assert office("cancel", "a-1").out == "a-1 is cancelled\n"
    told = shown(office, "a-1")
    assert (told["status"], told["cancel_reason"]) == ("cancelled", "too late")
    assert ": too late" in office("show", "a-1").out


def test_what_has_begun_is_asked_to_cancel(office: Perdure) -> None:
    with office.worker("office"):
        office("start", "approve", "--id", "a-1")
        suspended(office, "a-1")
    asked = office("cancel", "a-1")
    assert asked.out == "a-1 is asked to cancel\n"
    assert "perdure result a-1" in asked.err
    assert "asked at" in office("show", "a-1").out
    with office.worker("office"):
        ended = office("result", "a-1", "--json")
    assert (ended.code, ended.json["status"]) == (1, "cancelled")


def test_what_has_ended_cannot_be_cancelled(office: Perdure) -> None:
    with office.worker("office"):
        office("start", "approve", "--id", "a-1")
        office("send", "a-1", "approval", "true")
        office("result", "a-1")
    refused = office("cancel", "a-1", "--json")
    assert refused.code == 5
    assert refused.json["error"]["code"] == "workflow-finished"


def test_the_children_of_a_workflow_are_listed(office: Perdure) -> None:
    with office.worker("office"):
        office("start", "delegate", "--id", "d-1")
        suspended(office, "d-1")
        listed = office("list", "--parent", "d-1", "--json").json
        assert {found["id"]: found["detached"] for found in listed} == {
            "kept": False,
            "let-go": True,
        }
        assert {found["parent"] for found in listed} == {"d-1"}
        assert "d-1, detached" in office("show", "let-go").out
        office("cancel", "d-1")
        assert office("result", "kept", "--timeout", "30s").code == 1
    assert shown(office, "let-go")["status"] in {"running", "waiting", "enqueued"}


def test_a_deadline_cancels(office: Perdure) -> None:
    with office.worker("office"):
        office("start", "approve", "--id", "a-1", "--timeout", "1500ms")
        ended = office("result", "a-1", "--timeout", "30s", "--json")
    assert (ended.code, ended.json["status"]) == (1, "cancelled")
    assert "deadline" in shown(office, "a-1")["cancel_reason"]


def test_a_deadline_and_a_timeout_reach_the_record(office: Perdure) -> None:
    with office.worker("office"):
        pass
    started = office(
        *("start", "approve", "--id", "a-1", "--timeout", "2h"),
        *("--deadline", "2126-12-24 18:00+01:00"),
    )
    assert started.code == 0, started.err
    told = shown(office, "a-1")
    assert told["timeout_seconds"] == timedelta(hours=2).total_seconds()
    assert datetime.fromisoformat(told["deadline"]) == datetime.fromisoformat("2126-12-24T17:00Z")
    assert "deadline" in office("show", "a-1").out
