"""`python -m perdure_compat URL`: judge the backend that serves a URL."""

import argparse
import sys
from pathlib import Path

import pytest

from . import plugin

SUITE = Path(__file__).parent / "suite"


def main() -> int:
    """Run the suite; the exit code is pytest's, so 0 means that every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m perdure_compat", description=__doc__)
    parser.add_argument("url", help="where the suite may make namespaces of its own")
    parser.add_argument("--only", choices=plugin.NOUNS, help="the promises about one noun")
    wanted = parser.parse_args()
    args = [str(SUITE), "-c", str(SUITE / "pytest.ini"), "--backend-url", wanted.url]
    args += ["-m", wanted.only] if wanted.only else []
    return pytest.main(args, plugins=[plugin])


if __name__ == "__main__":
    sys.exit(main())
