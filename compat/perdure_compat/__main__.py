"""`python -m perdure_compat URL`: the same as `perdure conformance URL`."""

import sys

from perdure.cli import main

if __name__ == "__main__":
    main(["conformance", *sys.argv[1:]])
