"""What is peculiar to a log: torn lines, a rewritten file, and a disk that fails."""

import fcntl
import json
import os
from collections.abc import Generator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from zlib import crc32

import attrs
import pytest

from perdure.backend import Query
from perdure.errors import BackendUnavailable, ConfigurationError, OutcomeUnknown, SchemaError
from perdure_compat.fault import Crash, Strike
from perdure_compat.suite.records import get, ids, join, submit
from perdure_logbook import LogbookBackend
from perdure_logbook.harness import LogbookHarness, Mishap
from perdure_logbook.tables import Format, line_of

LEASE = timedelta(minutes=1)
WRITE, SYNC = 2, 3
"""The points of a verb that writes, behind the lock and the cut."""


@pytest.fixture
def backend(tmp_path: Path) -> Generator[LogbookBackend, None, None]:
    with closing(_opened(tmp_path)) as backend:
        backend.migrate()
        yield backend


def _opened(folder: Path) -> LogbookBackend:
    return LogbookBackend(f"logbook://{folder}")


def _found(backend: LogbookBackend) -> list[str]:
    return sorted(ids(backend.find(Query())))


def _shorten(backend: LogbookBackend, *, slack: int) -> None:
    """Have it rewrite its log sooner, from its next look on."""
    backend.log.slack = slack
    backend.close()


# ------------------------------------------------------------------- lines


@pytest.mark.parametrize("torn", [b"0", b"0123abcd [[", b"00000000 []\n", b"\0" * 80])
def test_what_a_crash_left_of_a_line_is_cut_off_by_the_next_who_writes(
    backend: LogbookBackend, tmp_path: Path, torn: bytes
) -> None:
    submit(backend, "v")
    whole = backend.log.path.read_bytes()
    backend.log.path.write_bytes(whole + torn)
    with closing(_opened(tmp_path)) as other:
        assert _found(backend) == _found(other) == ["v"]
        submit(other, "w")
        assert _found(backend) == _found(other) == ["v", "w"]
    after = backend.log.path.read_bytes()
    assert after.startswith(whole)
    assert after.count(b"\n") == whole.count(b"\n") + 1


def test_a_damaged_line_among_others_is_told_and_nothing_is_cut(backend: LogbookBackend) -> None:
    submit(backend, "v")
    submit(backend, "w")
    damaged = backend.log.path.read_bytes().replace(b'"v"', b'"x"')
    backend.log.path.write_bytes(damaged)
    backend.close()
    for _ in range(2):
        with pytest.raises(BackendUnavailable, match=r"damaged at byte .* restore it"):
            submit(backend, "z")
    assert backend.log.path.read_bytes() == damaged


def test_a_log_that_somebody_cut_short_is_read_again(backend: LogbookBackend) -> None:
    submit(backend, "v")
    kept = backend.log.path.read_bytes()
    submit(backend, "w")
    backend.log.path.write_bytes(kept)
    assert _found(backend) == ["v"]


def test_a_line_is_there_as_soon_as_the_verb_has_answered(backend: LogbookBackend) -> None:
    before = backend.log.path.read_bytes().count(b"\n")
    submit(backend, "v", "w")
    assert backend.log.path.read_bytes().count(b"\n") == before + 1
    assert _found(backend) == ["v", "w"]
    submit(backend)
    assert backend.log.path.read_bytes().count(b"\n") == before + 1


# ----------------------------------------------------------------- rewrite


def test_a_log_that_is_mostly_history_is_written_anew_and_others_follow(
    backend: LogbookBackend, tmp_path: Path
) -> None:
    _shorten(backend, slack=10)
    join(backend, "a")
    submit(backend, "w")
    with closing(_opened(tmp_path)) as other:
        assert _found(other) == ["w"]
        before, longest = backend.log.path.stat().st_ino, 0
        for _ in range(100):
            assert backend.heartbeat("a", lease=LEASE) is not None
            longest = max(longest, backend.log.path.read_bytes().count(b"\n"))
        assert longest < 50
        assert backend.log.path.stat().st_ino != before
        assert _found(other) == ["w"]
        pulse = other.heartbeat("a", lease=LEASE)
        assert pulse is not None
        assert [peer.beat for peer in pulse.peers] == [102]
        submit(other, "v")
        assert _found(backend) == ["v", "w"]


def test_what_a_crash_left_of_a_rewrite_is_in_nobody_s_way(backend: LogbookBackend) -> None:
    _shorten(backend, slack=0)
    left = backend.log.path.with_suffix(".new")
    left.write_bytes(b"0123abcd [[")
    join(backend, "a")
    for _ in range(20):
        assert backend.heartbeat("a", lease=LEASE) is not None
    submit(backend, "w")
    assert not left.exists()
    backend.close()
    assert _found(backend) == ["w"]


# ------------------------------------------------------------------ faults


def _strike(backend: LogbookBackend, *plan: Strike) -> BaseException:
    """What comes of a submission in which this happens."""
    injector = LogbookHarness("logbook:///").injector(backend)
    injector.arm(plan)
    with pytest.raises((BackendUnavailable, Crash)) as caught:
        submit(backend, "w")
    injector.disarm()
    return caught.value


@pytest.mark.parametrize(("share", "there"), [(0, []), (0.5, []), (1, ["w"])])
def test_a_crash_leaves_the_whole_line_or_nothing_of_it(
    backend: LogbookBackend, tmp_path: Path, share: float, there: list[str]
) -> None:
    before = backend.log.path.stat().st_size
    assert type(_strike(backend, Strike(WRITE, Mishap("crash", share)))) is Crash
    assert (backend.log.path.stat().st_size > before) == (share > 0)
    with closing(_opened(tmp_path)) as other:
        assert _found(other) == _found(backend) == there
        submit(other, "v")
        assert _found(backend) == ["v", *there]


@pytest.mark.parametrize(
    ("at", "mishap", "words"),
    [
        (WRITE, Mishap("ENOSPC", 0.5), "No space left on device: make room on its disk"),
        (SYNC, Mishap("EIO", 1), "Input/output error: look at the disk"),
    ],
)
def test_a_line_that_cannot_be_written_is_taken_back(
    backend: LogbookBackend, at: int, mishap: Mishap, words: str
) -> None:
    before = backend.log.path.read_bytes()
    error = _strike(backend, Strike(at, mishap))
    assert type(error) is BackendUnavailable
    assert words in str(error)
    assert backend.log.path.read_bytes() == before
    submit(backend, "w")
    assert _found(backend) == ["w"]


def test_a_line_that_cannot_be_taken_back_either_is_an_unknown_outcome(
    backend: LogbookBackend,
) -> None:
    plan = Strike(SYNC, Mishap("EIO", 1)), Strike(SYNC + 1, Mishap("EIO"))
    assert type(_strike(backend, *plan)) is OutcomeUnknown
    assert _found(backend) == ["w"]


def test_a_lock_that_is_never_given_back_is_told(backend: LogbookBackend) -> None:
    backend.log.patience = 0.05
    with backend.log.path.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BackendUnavailable, match=r"waited 0\.05 s for its lock"):
            submit(backend, "w")
    submit(backend, "w")
    assert _found(backend) == ["w"]


# ----------------------------------------------------------- configuration


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BackendUnavailable, match="create the folder"):
        _opened(tmp_path / "nowhere").migrate()


def test_a_file_in_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BackendUnavailable, match="name a folder"):
        _opened(tmp_path / "file").migrate()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(BackendUnavailable, match="give this user the right"):
        _opened(tmp_path).migrate()


@pytest.mark.parametrize("url", ["logbook://folder", "logbook:folder", "logbook://"])
def test_a_url_without_a_whole_path_is_a_mistake(url: str) -> None:
    with pytest.raises(ConfigurationError, match="logbook:///path/to/folder"):
        LogbookBackend(url)


def test_a_log_of_a_newer_format_is_left_alone(tmp_path: Path) -> None:
    backend = _opened(tmp_path)
    newer = line_of([Format("3")]) + b"in a way of the future\n"
    backend.log.path.write_bytes(newer)
    version = backend.schema_version()
    assert (version.current, version.wanted, version.known) == ("3", "2", False)
    for verb in (backend.migrate, lambda: _found(backend), lambda: submit(backend, "w")):
        with pytest.raises(SchemaError, match="newer"):
            verb()
    assert backend.log.path.read_bytes() == newer
    backend.close()


def test_a_log_that_becomes_newer_is_not_written_anew(backend: LogbookBackend) -> None:
    _shorten(backend, slack=0)
    assert _found(backend) == []
    beats = line_of([Format("2")] * 100)
    newer = backend.log.path.read_bytes() + beats + line_of([Format("3")]) + b"in a way to come\n"
    backend.log.path.write_bytes(newer)
    for _ in range(2):
        with pytest.raises(SchemaError, match="newer"):
            _found(backend)
    assert backend.log.path.read_bytes() == newer


def test_a_log_of_the_older_format_is_left_alone_until_it_is_migrated(tmp_path: Path) -> None:
    with closing(_opened(tmp_path)) as backend:
        backend.migrate()
        submit(backend, "w")
        record = get(backend, "w")
    fields = attrs.asdict(attrs.evolve(record, attributes={"k": 1}))
    older = [["Format", {"version": "1"}]] * 5000
    older += [["WorkflowRecord", {name: fields[name] for name in fields.keys() - _SINCE_OLDER}]]
    backend.log.path.write_bytes(b"".join(map(_line, older)))
    with closing(_opened(tmp_path)) as backend:
        before = backend.log.path.read_bytes()
        version = backend.schema_version()
        assert (version.current, version.wanted, version.known) == ("1", "2", True)
        for verb in (lambda: _found(backend), lambda: submit(backend, "v")):
            with pytest.raises(SchemaError, match=r"older: call migrate\(\)"):
                verb()
        assert backend.log.path.read_bytes() == before
        backend.migrate()
        assert backend.schema_version().current == "2"
        assert get(backend, "w") == attrs.evolve(record, attributes={"k": 1})


_SINCE_OLDER = {
    "wake",
    "detached",
    "timeout",
    "deadline",
    "cancel_requested_at",
    "cancel_reason",
}


def _line(row: object) -> bytes:
    text = json.dumps([row], default=str).encode()
    return b"%08x %s\n" % (crc32(text), text)


def test_namespaces_are_files_whatever_they_are_called(tmp_path: Path) -> None:
    names = ["a/b", "../a", "a.b", "a.c", "ä"]
    for name in names:
        with closing(LogbookBackend(f"logbook://{tmp_path}", namespace=name)) as backend:
            backend.migrate()
            assert _found(backend) == []
            submit(backend, name)
            assert backend.log.path.parent == tmp_path
    assert len(list(tmp_path.glob("*.log"))) == len(list(tmp_path.glob("*.lock"))) == len(names)
