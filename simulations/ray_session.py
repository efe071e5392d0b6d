"""What every use of Ray here shares: whether it is there, and how its processes are set up."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from synthesis.errors import InputError

# Enough for the messages in flight; Ray's default of 30 % of memory fails on a small /dev/shm.
_OBJECT_STORE_BYTES: Final = 256 * 1024 * 1024


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


@contextmanager
def local_ray(**settings: Any) -> Iterator[None]:
    """Start a Ray that listens on loopback alone, and end it afterwards.

    Ray takes whatever reaches its ports for its own, and on Linux it listens on every network, even
    where it was asked for 127.0.0.1. So it is started as on systems where Ray has no clusters.

    Args:
        settings: further arguments of ``ray.init``.
    """
    import ray
    from ray._private import ray_constants

    clusters = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        ray.init(
            address="local",
            include_dashboard=False,
            object_store_memory=_OBJECT_STORE_BYTES,
            **settings,
        )
        yield
    finally:
        ray.shutdown()
        ray_constants.ENABLE_RAY_CLUSTER = clusters


@contextmanager
def joined_ray(address: str, **settings: Any) -> Iterator[None]:
    """Join the Ray cluster at an address, and leave it afterwards.

    Args:
        address: of its head, such as ``"auto"`` or ``"10.0.0.1:6379"``.
        settings: further arguments of ``ray.init``.
    """
    import ray

    try:
        ray.init(address=address, **settings)
        yield
    finally:
        ray.shutdown()


def _worker_variables(threads: str) -> Mapping[str, str]:
    path = [entry or os.getcwd() for entry in sys.path]
    return {
        "PYTHONPATH": os.pathsep.join(path),
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
    }
