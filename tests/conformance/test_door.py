"""The door: who gets in, what they are told, and with which exit code they leave."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import perdure_compat

from .judging import Judge, Judged
from .wrong import ROW

CLAIM = "test_a_verb_keeps_its_promise_whatever_fails_in_it[claim]"
WITHOUT_PYTEST = "import sys\nsys.modules['pytest'] = None\n"


def test_both_entrances_lead_to_the_same(judge: Judge) -> None:
    arguments = ("memory://", "--only", "claims", "--json", "report.json")
    ours = judge.run("perdure", "conformance", *arguments)
    first = _told(ours)
    theirs = judge.run("perdure_compat", *arguments)
    assert (ours.code, theirs.code) == (0, 0)
    assert _told(theirs) == first != []


def _told(judged: Judged) -> list[tuple[str, str]]:
    return [(test["name"], test["outcome"]) for test in judged.json["tests"]]


def test_a_broken_promise_is_quoted_and_is_exit_1(judged_twice: Judged) -> None:
    lines = judged_twice.out.splitlines()
    at = lines.index("broken: claims: two claims never return the same id and epoch")
    quotes = [line for line in lines[at + 1 : at + 4] if "promises: " in line]
    assert '  Backend.claim promises: "Two claims never return the same (id, epoch)."' in quotes
    assert judged_twice.code == 1


def test_what_is_left_out_is_not_run_and_not_held_against_anybody(judge: Judge) -> None:
    judged = judge("memory://", "--only", "processes")
    assert judged.code == 0
    why = "not run: processes: the database is the memory of one process ("
    assert any(line.startswith(why) for line in judged.out.splitlines())
    assert "capability ordered_claims: there" in judged.out
    assert "capability processes: missing: the database is the memory of one process" in judged.out
    assert "nothing was judged (0 kept, 0 broken, 0 deviates, " in judged.out


def test_a_deviation_is_expected_and_is_not_called_kept(judge: Judge) -> None:
    judged = judge("closing://", "--only", "schema")
    assert judged.code == 0, judged.out
    said = f"{ROW.reason} ({ROW.link})"
    sentence = "calling a verb after close opens connections again"
    assert f"deviates: schema: {sentence}: {said}" in judged.out.splitlines()
    assert judged.names("deviates") == {ROW.test}
    assert "0 broken, 1 deviates" in judged.out


def test_a_deviation_that_is_cured_is_to_be_deleted(judge: Judge) -> None:
    judged = judge("reopening://", "--only", "schema")
    assert judged.code == 1
    assert judged.names("broken") == {ROW.test}
    assert f"delete the row of {ROW.test}" in judged.out


def test_a_deviation_of_no_test_is_exit_2(judge: Judge) -> None:
    judged = judge("dreaming://", "--only", "schema")
    assert judged.code == 2
    assert "there is no test test_dreams" in judged.err


def test_a_deviation_may_be_in_a_noun_that_nobody_asks_for(judge: Judge) -> None:
    assert judge("closing://", "--only", "claims").code == 0


def test_an_unknown_capability_lists_the_known_ones_and_is_exit_2(judge: Judge) -> None:
    judged = judge("telepathic://", "--only", "claims")
    assert judged.code == 2
    assert "leaves out telepathy" in judged.err
    assert {"ordered_claims", "processes", "sql_script"} < set(re.findall(r"\w+", judged.err))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("mongodb://somewhere/db",), "memory://"),
        (("memory://", "--only", "poems"), "claims"),
        (("memory://", "--seed", "many"), "--seed"),
        (("memory://", "--json", "no/such/folder/report.json"), "--json"),
        (("sqlite:////no/such/folder/perdure.db",), "/no/such/folder"),
        ((), "URL"),
    ],
)
def test_a_wrong_command_line_is_exit_2(
    judge: Judge, arguments: tuple[str, ...], said: str
) -> None:
    judged = judge.run("perdure", "conformance", *arguments)
    assert judged.code == 2
    assert said in judged.err
    assert "Traceback" not in judged.err + judged.out


def test_an_unreachable_database_is_exit_3_as_everywhere(judge: Judge) -> None:
    judged = judge("postgresql://joe:geheim@127.0.0.1:1/shop")
    assert judged.code == 3
    assert "127.0.0.1:1" in judged.err
    assert judged.out == ""
    assert "geheim" not in judged.everything


def test_a_careless_backend_cannot_tell_its_password(judge: Judge) -> None:
    judged = judge("talkative://joe:geheim@somewhere", "--only", "workers")
    assert judged.code == 1
    assert "joining talkative://joe:***@somewhere" in judged.out
    assert "geheim" not in judged.everything


def test_a_test_that_does_not_end_fails_and_the_others_go_on(judge: Judge) -> None:
    suite = Path(perdure_compat.__file__).parent / "suite"
    judged = judge.run(
        *("pytest", "-c", str(suite / "pytest.ini"), str(suite), "-p", "perdure_compat.plugin"),
        *("--backend-url=endless://", "--judge-only=claims", "--judge-limit=0.5"),
    )
    assert "Failed: it did not end within 0.5 seconds" in judged.out
    assert " passed" in judged.out.splitlines()[-1]


def test_a_seed_is_announced(judged_twice: Judged) -> None:
    assert judged_twice.out.splitlines().count("seed: 7") == 2


def test_without_a_seed_the_same_is_tried_each_time(judge: Judge) -> None:
    assert "seed: fixed" in judge("memory://", "--only", "schema").out.splitlines()


def test_a_thorough_run_chooses_a_seed_and_tells_it(judge: Judge) -> None:
    first, second = (judge("memory://", "--only", "schema", "--thorough") for _ in range(2))
    chosen = second.json["profile"]
    assert chosen["thorough"]
    assert f"seed: {chosen['seed']}, thorough" in second.out.splitlines()
    assert f"seed: {chosen['seed']}, thorough" not in first.out.splitlines()


def test_a_thorough_run_takes_a_given_seed(judge: Judge) -> None:
    judged = judge("memory://", "--only", "schema", "--thorough", "--seed", "7")
    assert judged.json["profile"] == {"seed": 7, "thorough": True, "brief": False}


def test_a_brief_run_says_so_and_looks_at_less(judge: Judge) -> None:
    judged = judge("sqlite://", "--only", "faults", "--test", CLAIM, "--brief")
    assert judged.json["profile"] == {"seed": None, "thorough": False, "brief": True}
    assert "seed: fixed, brief" in judged.out.splitlines()
    [test] = [one for one in judged.json["tests"] if one["outcome"] == "kept"]
    assert test["name"] == CLAIM
    ran, _, possible = test["notes"]["plans"].removesuffix(" plans").partition(" of ")
    assert 1 < int(ran) < 12 < int(possible)


def test_thorough_and_brief_is_a_contradiction(judge: Judge) -> None:
    judged = judge("memory://", "--thorough", "--brief")
    assert judged.code == 2
    assert "--brief" in judged.err


def test_a_test_that_there_is_not_is_exit_2(judge: Judge) -> None:
    judged = judge("memory://", "--test", "test_dreams")
    assert judged.code == 2
    assert "no test is named test_dreams" in judged.err


def test_nothing_is_left_where_it_ran(judge: Judge) -> None:
    assert judge.run("perdure_compat", "memory://", "--only", "histories").code == 0
    assert [*judge.folder.iterdir()] == []


def test_what_pytest_is_told_elsewhere_does_not_matter(
    judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "--collect-only")
    monkeypatch.setenv("PYTEST_PLUGINS", "there_is_no_such_plugin")
    (judge.folder / "conftest.py").write_text("raise RuntimeError('not for you')\n")
    judged = judge("memory://", "--only", "claims")
    assert judged.code == 0, judged.out
    assert judged.json["totals"]["kept"] > 0


def test_without_the_extra_the_command_names_it(judge: Judge, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "sitecustomize.py").write_text(WITHOUT_PYTEST)
    refused = judge.run("perdure", "conformance", "memory://", path=[bare])
    assert refused.code == 2
    assert "pip install 'perdure[compat]'" in refused.err
    assert judge.run("perdure", "--help", path=[bare]).code == 0


def test_the_command_is_listed_with_ours(judge: Judge) -> None:
    listed = judge.run("perdure", "--help").out
    assert listed.index("  resume ") < listed.index("  conformance ")


def test_an_interrupted_run_says_what_it_knows(judge: Judge) -> None:
    command = [sys.executable, "-m", "perdure_compat", "memory://", "--json", "report.json"]
    with subprocess.Popen(  # noqa: S603 (our own interpreter and module)
        command,
        cwd=judge.folder,
        env=judge.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        while "test_schema.py" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert process.returncode == 130, rest
    known = Judged(process.returncode, rest, "", judge.folder)
    assert known.json["totals"]["kept"] > 0
    assert "the run ended before it" in {test["reason"] for test in known.json["tests"]}


def test_an_interrupt_that_python_drops_breaks_no_promise(judge: Judge) -> None:
    judged = judge("interrupted://", "--only", "workers")
    assert judged.code == 130, judged.out + judged.err
    assert judged.names("broken") == set()
    assert "the run ended before it" in {test["reason"] for test in judged.json["tests"]}
