"""The README: its example is the file that runs, its commands are what CI runs."""

import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from perdure.cli.exits import MEANINGS

from .terminal import PATIENCE, Answer, Perdure, eventually

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = ROOT / "docs" / "examples"
SHOP, REFUNDS = EXAMPLES / "shop.py", EXAMPLES / "refunds.py"


def test_the_examples_are_the_files_in_docs() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
    assert blocks == [file.read_text(encoding="utf-8") for file in (SHOP, REFUNDS)]


def test_ci_runs_the_two_commands_of_the_readme() -> None:
    commands = re.findall(r"^python3 -m venv .*$", README, flags=re.MULTILINE)
    assert [command.rpartition("/")[2] for command in commands] == ["perdure demo", "pytest"]
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert set(commands) <= set(script.splitlines())


def test_the_example_survives_ctrl_c_and_a_kill(perdure: Perdure) -> None:
    shutil.copy(SHOP, perdure.folder)
    for number in (signal.SIGINT, signal.SIGKILL):
        assert _begun_and_stopped(perdure, number) == (number is signal.SIGINT)
    done = subprocess.run(
        [sys.executable, "shop.py"],
        cwd=perdure.folder,
        env=perdure.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert done.stdout == "order-42 shipped, payment-for-order-42\n"
    names = [step["name"] for step in _shown(perdure)["steps"]]
    assert names == ["charge", "sleep"]


def _begun_and_stopped(perdure: Perdure, number: signal.Signals) -> bool:
    """Run the example into its sleep and stop it there; whether it charged."""
    with subprocess.Popen(
        [sys.executable, "-u", "shop.py"],
        cwd=perdure.folder,
        env=perdure.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            eventually(lambda: _sleeping(_shown(perdure)))
        finally:
            process.send_signal(number)
        out, _ = process.communicate(timeout=PATIENCE)
    return out.count("charging order-42") == 1


def _sleeping(shown: dict[str, Any]) -> bool:
    return shown.get("status") == "waiting" and bool(shown["waits"])


def test_the_refund_waits_for_its_approval(perdure: Perdure) -> None:
    shutil.copy(REFUNDS, perdure.folder)
    work, *others = _commands("perdure worker refunds")
    with perdure.worker(*work[2:]):
        answers: dict[str, Answer] = {}
        for _, command, *arguments in others:
            answers[command] = perdure(command, *arguments)
            assert answers[command].code == 0, answers[command].err
    assert answers["result"].out == '"order-42 paid back"\n'


def _commands(first: str) -> list[list[str]]:
    """The commands of the README's block that begins with this one, without their comments."""
    blocks = re.findall(r"^```console\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
    [block] = [block for block in blocks if block.startswith(f"$ {first}")]
    return [shlex.split(line[2:], comments=True) for line in block.splitlines()]


def _shown(perdure: Perdure) -> dict[str, Any]:
    if not (perdure.folder / "shop.db").exists():
        return {}
    shown: dict[str, Any] = perdure("show", "order-42", "-d", "sqlite:///shop.db", "--json").json
    return shown


def test_the_exit_codes_are_documented() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (\d+) \| (.+) \|$", page, flags=re.MULTILINE))
    assert rows == {str(int(code)): meaning for code, meaning in MEANINGS.items()}
