"""`python -m perdure_backends.testing.double URL`: a PostgreSQL that passes for a CockroachDB."""

import argparse
import asyncio
import sys
import threading
from contextlib import suppress
from functools import partial
from os import _exit

from .manners import ALL, UNAPPLIED, Kind, Manners
from .server import address, disguised, serve

_SETS = {"all": ALL, "unapplied": UNAPPLIED}


def _kinds(words: str) -> frozenset[Kind]:
    found = _SETS.get(words)
    return found if found is not None else frozenset(map(Kind, filter(None, words.split(","))))


def _wanted() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m perdure_backends.testing.double", description=__doc__
    )
    parser.add_argument("url", help="the PostgreSQL: postgresql://user@host:port/database")
    parser.add_argument("--port", type=int, default=0, help="where to listen; 0 takes a free one")
    parser.add_argument("--rate", type=float, default=0.03, help="how many statements fail, 0 to 1")
    parser.add_argument("--seed", type=int, default=0, help="which ones")
    parser.add_argument("--skew", type=float, default=0.25, help="seconds a clock may be wrong")
    parser.add_argument(
        "--kinds",
        type=_kinds,
        default=ALL,
        help=f"all, unapplied, or some of {', '.join(Kind)}, with commas in between",
    )
    parser.add_argument("--attached", action="store_true", help="end with standard input")
    return parser.parse_args()


def _end_with_input() -> None:
    sys.stdin.read()
    _exit(0)


def main() -> None:
    """Say the URL, and serve until interrupted."""
    wanted = _wanted()
    if wanted.attached:
        threading.Thread(target=_end_with_input, daemon=True).start()
    manners = Manners(rate=wanted.rate, kinds=wanted.kinds, seed=wanted.seed, skew=wanted.skew)

    def started(port: int) -> None:
        sys.stdout.write(f"{disguised(wanted.url, port)}\n")
        sys.stdout.flush()

    serving = partial(serve, address(wanted.url), manners, started=started)
    with suppress(KeyboardInterrupt):
        asyncio.run(serving(port=wanted.port))


if __name__ == "__main__":
    main()
