"""The command line, imported once: each command is a process that is forked from here.

Reads commands as lines of JSON from stdin, runs one after the other, and answers each
with its exit code. What they print goes to the files that they name.
"""

import json
import os
import signal
import sys
from typing import Any, NoReturn

import perdure_backends.postgres
import perdure_backends.sqlite
from perdure.cli import main

LOADED = (perdure_backends.postgres, perdure_backends.sqlite)
"""What most commands would import."""


def _run(command: dict[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        _be(command)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _be(command: dict[str, Any]) -> NoReturn:
    """Be the process of a command, as `python -m perdure` begins it."""
    code: Any = 1
    try:
        signal.alarm(command["patience"])
        os.chdir(command["folder"])
        os.environ.clear()
        os.environ.update(command["environment"])
        for number, name in enumerate((os.devnull, command["out"], command["err"])):
            file = os.open(name, os.O_RDWR | os.O_CREAT)
            os.dup2(file, number)
            os.close(file)
        sys.path[0] = command["folder"]
        main(command["arguments"])
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001 (as Python ends a program)
        sys.excepthook(*sys.exc_info())  # pyright: ignore[reportArgumentType]  # there is one
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    for line in sys.stdin:
        print(_run(json.loads(line)), flush=True)  # noqa: T201 (the answer)
