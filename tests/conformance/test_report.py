"""The reports: what programs and people can read in them."""

import json
import platform
from datetime import UTC, datetime

from .judging import Judge, Judged
from .wrong import ROW

ONCE = "two claims never return the same id and epoch"


def section(page: str, head: str) -> list[str]:
    """The lines below one headline of a page, up to the next of its rank."""
    rank = head.partition(" ")[0] + " "
    lines = page.splitlines()
    below = lines[lines.index(head) + 1 :]
    ends = [at for at, line in enumerate(below) if line.startswith(rank)]
    return [line for line in below[: min(ends, default=len(below))] if line]


def test_json_says_what_was_judged_and_how(judged_twice: Judged) -> None:
    told = judged_twice.json
    assert told["backend"].startswith("memory://")
    assert told["scheme"] == "twice"
    assert told["python"] == platform.python_version()
    assert told["perdure"]
    assert told["profile"] == {"seed": 7, "thorough": False, "brief": False}
    assert datetime.fromisoformat(told["started"]) <= datetime.now(UTC)
    assert told["seconds"] >= max(test["seconds"] for test in told["tests"]) > 0
    assert told["all_kept"] is False


def test_json_says_which_capabilities_there_are(judged_twice: Judged) -> None:
    there = {
        one["name"]: (one["there"], one["reason"]) for one in judged_twice.json["capabilities"]
    }
    assert there["ordered_claims"] == (True, None)
    assert there["processes"] == (False, "the database is the memory of one process")


def test_json_has_a_row_for_each_test(judged_twice: Judged) -> None:
    told = judged_twice.json
    count = {outcome: len(judged_twice.names(outcome)) for outcome in told["totals"]}
    assert count == told["totals"]
    assert sum(count.values()) == len(told["tests"])
    [broken] = [test for test in told["tests"] if test["name"] == f"test_{ONCE.replace(' ', '_')}"]
    assert (broken["noun"], broken["outcome"]) == ("claims", "broken")
    assert broken["reason"].startswith("AssertionError: ")
    words = "Two claims never return the same (id, epoch)."
    assert {"source": "Backend.claim", "words": words} in broken["promises"]


def test_json_has_what_was_not_asked_for_as_not_run(judged_twice: Judged) -> None:
    tests = judged_twice.json["tests"]
    others = [test for test in tests if test["noun"] != "claims"]
    assert {test["noun"] for test in others} >= {"schema", "workers", "steps", "histories"}
    assert {test["outcome"] for test in others} == {"not run"}
    assert {test["reason"] for test in others} == {"only the promises about claims were asked for"}


def test_json_has_deviations_with_their_links(judge: Judge) -> None:
    told = judge("closing://", "--only", "schema").json
    row = {"test": ROW.test, "reason": ROW.reason, "link": ROW.link}
    assert told["deviations"] == [row]
    assert told["all_kept"] is True
    assert told["totals"]["deviates"] == 1
    [test] = [test for test in told["tests"] if test["outcome"] == "deviates"]
    assert (test["name"], test["reason"]) == (ROW.test, f"{ROW.reason} ({ROW.link})")


def test_the_page_begins_with_the_answer(judged_twice: Judged) -> None:
    lines = [line for line in judged_twice.page.splitlines() if line]
    broken = len(judged_twice.names("broken"))
    assert lines[0] == f"# Conformance of {judged_twice.json['backend']}"
    assert lines[1].startswith(f"**{broken} test")
    assert "| seed | 7 |" in lines
    assert f"| broken | {broken} test{'s' if broken > 1 else ''} |" in lines
    assert "| ordered_claims | there |" in lines
    assert "| processes | missing: the database is the memory of one process |" in lines


def test_the_page_quotes_each_broken_promise(judged_twice: Judged) -> None:
    broken = section(judged_twice.page, "## Broken")
    told = section("\n".join(broken), f"### claims: {ONCE}")
    assert '> Backend.claim promises: "Two claims never return the same (id, epoch)."' in told
    fence = told.index("```text")
    assert told[fence + 1].startswith("AssertionError: ")
    heads = [line for line in broken if line.startswith("### ")]
    assert len(heads) == len(judged_twice.names("broken"))


def test_the_page_says_what_was_not_run_and_why(judged_twice: Judged) -> None:
    missing = section(judged_twice.page, "## Not run")
    assert "- steps: all of it" in missing
    assert not [line for line in missing if line.startswith("- claims")]
    [why] = [line for line in missing if not line.startswith("- ")]
    assert why.endswith(" tests: only the promises about claims were asked for")


def test_the_page_names_single_tests_that_were_not_run(judge: Judge) -> None:
    missing = section(judge("memory://", "--only", "schema").page, "## Not run")
    at = missing.index("1 test: sql_script: there are no tables to create")
    assert missing[at + 1] == "- schema: the migration is printed without being run"


def test_the_page_lists_promises_by_noun_with_durations(judged_twice: Judged) -> None:
    promises = section(judged_twice.page, "## Promises")
    heads = [line for line in promises if line.startswith("### ")]
    assert [head.partition(":")[0] for head in heads] == ["### claims"]
    [row] = [line for line in promises if line.startswith(f"| {ONCE} |")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert "Backend.claim: Two claims never return the same (id, epoch)." in cells[1]
    assert cells[2] == "broken"
    assert float(cells[3]) >= 0


def test_the_page_links_deviations(judge: Judge) -> None:
    judged = judge("closing://", "--only", "schema")
    known = section(judged.page, "## Known deviations")
    assert known == [f"- `{ROW.test}`: {ROW.reason} ({ROW.link})"]
    assert "| deviates | 1 test |" in judged.page.splitlines()
    assert "## Broken" not in judged.page


def test_a_broken_history_comes_with_its_shortest_example(judge: Judge) -> None:
    judged = judge("twice://", "--only", "histories")
    assert judged.code == 1
    [test] = [test for test in judged.json["tests"] if test["outcome"] == "broken"]
    assert "state.claim(" in test["example"] or "state.begin(" in test["example"]
    assert test["example"].splitlines()[0] in judged.page.splitlines()
    assert json.dumps(test["example"].splitlines()[0]).strip('"') in json.dumps(judged.out)
