"""Nobody starves at SQLite's write lock, neither threads nor processes."""

import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

from perdure_backends.sqlite import SqliteBackend
from perdure_backends.sqlite.turnstile import Line, turnstile
from perdure_compat.suite.races import until

_WRITER = Path(__file__).with_name("writer.py")
_ROUNDS = 300


@contextmanager
def _writer(url: str, name: str) -> Generator["subprocess.Popen[str]", None, None]:
    process = subprocess.Popen(  # noqa: S603 (our own)
        [sys.executable, str(_WRITER), url, name, str(_ROUNDS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _heard(process: "subprocess.Popen[str]") -> Any:
    assert process.stdout
    return json.loads(process.stdout.readline())


def test_processes_that_write_back_to_back_get_equal_shares(
    sqlite: SqliteBackend, sqlite_url: str
) -> None:
    assert sqlite.schema_version().current
    with ExitStack() as stack:
        writers = [stack.enter_context(_writer(sqlite_url, f"w{n}")) for n in range(3)]
        assert [_heard(writer) for writer in writers] == ["ready"] * 3
        for writer in writers:
            assert writer.stdin
            writer.stdin.write("go\n")
            writer.stdin.flush()
        # Whoever is first, the others must not be far behind.
        assert _heard(writers[0]) == "done"
        reports: list[Any] = []
        for writer in writers:
            assert writer.stdin
            writer.stdin.close()
            writer.stdin = None
        for writer in writers:
            said = _heard(writer)
            reports.append(_heard(writer) if said == "done" else said)
    wrote = sorted(report["wrote"] for report in reports)
    assert wrote[0] * 2 >= wrote[-1], reports
    # Without the turnstile the ratio is in the thousands.
    assert all(report["late"] < 60 * report["median"] for report in reports), reports


def _stands(line: Line, length: int) -> bool:
    return len(line) == length


def test_threads_are_served_in_the_order_in_which_they_came() -> None:
    line, served = Line(), list[int]()

    def stand(number: int) -> None:
        with line:
            served.append(number)

    threads = [Thread(target=stand, args=(number,)) for number in range(6)]
    with line:
        for standing, thread in enumerate(threads, 1):
            thread.start()
            until(partial(_stands, line, standing))
    for thread in threads:
        thread.join(30)
    assert served == list(range(6))


def test_backends_on_one_file_share_a_turnstile(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "x.db")
    assert turnstile(tmp_path / "x.db") is turnstile(tmp_path / "link.db")
    assert turnstile(tmp_path / "x.db") is not turnstile(tmp_path / "y.db")
