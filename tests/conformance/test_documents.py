"""What docs/conformance.md says of the door is so."""

import re
from pathlib import Path

from perdure.backend import Capabilities
from perdure.cli.exits import Exit
from perdure_compat.harness import Deviation
from perdure_compat.reports.judgement import Outcome

from .judging import Judge, Judged
from .wrong import ROW

PAGE = (Path(__file__).parents[2] / "docs" / "conformance.md").read_text(encoding="utf-8")


def documented(head: str) -> list[str]:
    """What the first column of the table below this head names."""
    table = PAGE[PAGE.index(f"| {head} |") :].partition("\n\n")[0]
    return re.findall(r"^\| `?([-\w ]*\w)", "\n".join(table.splitlines()[2:]), flags=re.MULTILINE)


def test_the_options_are_documented(judge: Judge) -> None:
    answer = judge.run("perdure", "conformance", "--help").out
    offered = re.findall(r"^ +(--\w+)", answer, flags=re.MULTILINE)
    assert [name.split()[0] for name in documented("option")] == sorted(
        set(offered) - {"--help"}, key=offered.index
    )


def test_the_outcomes_are_documented() -> None:
    assert documented("outcome") == [outcome.value for outcome in Outcome]


def test_the_exit_codes_are_those_of_all_commands() -> None:
    codes = {int(code) for code in documented("exit code")}
    assert codes == {Exit.OK, Exit.NO, Exit.USAGE, Exit.UNAVAILABLE, Exit.BUG, Exit.INTERRUPTED}


def test_the_fields_of_the_json_report_are_documented(judged_twice: Judged) -> None:
    [paragraph] = [text for text in PAGE.split("\n\n") if text.startswith("The fields of the JSON")]
    said = set(re.findall(r"`(\w+)`", paragraph))
    told = judged_twice.json
    parts = (told, told["profile"], told["tests"][0], told["capabilities"][0])
    quote = next(test for test in told["tests"] if test["promises"])["promises"][0]
    assert said == {name for part in (*parts, quote) for name in part} | {"test", "link"}


def test_what_a_broken_promise_looks_like_is_what_is_printed(judged_twice: Judged) -> None:
    [example] = re.findall(r"^```text\n(.*?)```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert example in judged_twice.out


def test_the_declarations_can_be_made() -> None:
    examples = re.findall(r"^```python\n(.*?)```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    made: dict[str, object] = {"Capabilities": Capabilities, "Deviation": Deviation}
    for example in examples:
        exec(example, made)  # noqa: S102 (our own page)
    assert made["deviations"] == (ROW,)
    assert made["capabilities"] == Capabilities(
        missing={"ordered_claims": "the queue is spread over ranges"}
    )
