"""What every use of Ray here shares: whether it is there, and how its processes are set up."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping
from typing import Any, Final

from synthesis.errors import InputError

# Enough for the messages in flight; Ray's default of 30 % of memory fails on a small /dev/shm.
OBJECT_STORE_BYTES: Final = 256 * 1024 * 1024


def check_ray(argument: str) -> None:
    """Raise InputError unless Ray is installed; ``argument`` is what asked for it."""
    if importlib.util.find_spec("ray") is None:
        raise InputError(
            f"{argument} 'ray' needs the package ray, which is not installed; install "
            f"'fedsynth[ray]' or use {argument} 'local'.",
            argument=argument,
        )


def session_settings(threads: int) -> dict[str, Any]:
    """Return what to give to ``ray.init``: it stays quiet, and workers find our packages.

    Args:
        threads: threads that numeric libraries use in a worker.
    """
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # or Ray warns about it
    return {
        "logging_level": "ERROR",
        "log_to_driver": False,
        "runtime_env": {"env_vars": _worker_variables(str(threads))},
    }


def _worker_variables(threads: str) -> Mapping[str, str]:
    path = [entry or os.getcwd() for entry in sys.path]
    return {
        "PYTHONPATH": os.pathsep.join(path),
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
    }
