"""Runs of pytest that find the libraries already imported, for tests that need many of them.

A process imports what takes seconds and nothing of fedsynth, and forks for every run, which so
reads fedsynth from the folder that it is given.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Sequence
from functools import cache
from pathlib import Path

_LIBRARIES = (
    "dp_accounting",
    "opacus",
    "pandas",
    "pyarrow.parquet",
    "pytest",
    "scipy.stats",
    "sklearn.ensemble",
    "torch",
)


def run_pytest(folder: Path, tests: Sequence[str]) -> tuple[int, str]:
    """Return the exit code of tests in a copy of the repository, and what was said.

    Args:
        folder: the copy; what is said is written beside it.
        tests: files, from there.
    """
    said = folder.with_suffix(".out")
    process = _server()
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(f"{json.dumps([str(folder), str(said), *tests])}\n")
    process.stdin.flush()
    code = int(process.stdout.readline())
    return code, said.read_text(encoding="utf-8")


@cache
def _server() -> subprocess.Popen[str]:
    """Return the process that forks; it ends when this one does, as its input ends."""
    return subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def _serve() -> None:
    for name in _LIBRARIES:
        importlib.import_module(name)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            os._exit(_run(*json.loads(line)))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(folder: str, said: str, *tests: str) -> int:
    out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for place in (1, 2):
        os.dup2(out, place)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(folder)
    os.environ["PYTHONPATH"] = folder  # for what the tests start
    sys.path[0] = folder
    code = 3
    try:
        pytest = importlib.import_module("pytest")
        code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests]))
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    return code


if __name__ == "__main__":
    _serve()
