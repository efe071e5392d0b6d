"""Shards of a sample drawn by the workers of a Ray cluster, given back in order."""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from simulations.ray_session import check_ray, joined_ray, local_ray, session_settings
from synthesis.errors import InputError, WorkersFailed
from synthesis.worker_processes import call

T = TypeVar("T")

_ADDRESS: Final = "RAY_ADDRESS"
_PATIENCE_S: Final = 5.0
_MOST_AHEAD: Final = 64  # shards; whoever writes them is slower than so many workers


@dataclass(frozen=True, kw_only=True)
class RayWorkers:
    """An ``Engine`` on a Ray cluster: the one ``RAY_ADDRESS`` names, or ``ray start`` began here.

    One that was started with ``--temp-dir`` is found by ``RAY_ADDRESS`` only, or if ``RAY_TMPDIR``
    names that folder here too. Where there is none, a Ray of this machine alone is started, on
    loopback, and ended afterwards. Machines of a cluster need the same environment as this one, but
    none of its files.

    Attributes:
        workers: shards drawn at once, >= 1; as many as there are processors when left out. At most
            twice as many are held at any time.
        on_note: told in a sentence where the shards are drawn.
    """

    workers: int | None = None
    on_note: Callable[[str], None] = lambda sentence: None

    def __call__(self, function: Callable[[int], T], count: int) -> Generator[T, None, None]:
        """Call a function with all numbers below ``count``.

        Raises:
            InputError: if Ray is not installed, or the cluster that was named does not answer.
            WorkersFailed: if Ray loses its workers.
        """
        check_ray("engine")
        import ray

        with self._session():
            # What runs there is of a module that is soon imported.
            remote_call = ray.remote(num_cpus=1)(call)
            shared = ray.put(function)
            most = min(2 * (self.workers or _processors()), _MOST_AHEAD)
            ahead: deque[Any] = deque()
            try:
                for index in range(count):
                    ahead.append(remote_call.remote(shared, index))
                    if len(ahead) == most:
                        yield ray.get(ahead.popleft())
                while ahead:
                    yield ray.get(ahead.popleft())
            except ray.exceptions.RayError as error:
                raise WorkersFailed(
                    f"Ray gave up on a shard ({type(error).__name__}); see whether its workers "
                    "have this version of fedsynth and enough memory, or use engine 'local'."
                ) from error

    @contextmanager
    def _session(self) -> Iterator[None]:
        """Join a cluster or start a local one, unless this process has Ray already."""
        import ray

        if ray.is_initialized():
            yield
            return
        settings = session_settings(1)
        address = _find_cluster()
        with local_ray(**settings) if address is None else joined_ray(address, **settings):
            number = _processors()
            self.on_note(
                f"No Ray cluster was found; a Ray with {number} processors of this machine draws."
                if address is None
                else f"The Ray cluster at {address}, of {number} processors, draws."
            )
            yield


def _find_cluster() -> str | None:
    """Return where the cluster is that was named, or that ``ray start`` started here.

    Raises:
        InputError: if nothing answers where the named one should be.
    """
    from ray._private.services import find_bootstrap_address, find_gcs_addresses

    named = os.environ.get(_ADDRESS)
    if not named:
        started = find_bootstrap_address(None)
        return started if started in find_gcs_addresses() else None
    if named == "local":
        return None
    host, _, port = named.rpartition("://")[2].rpartition(":")
    try:
        # Ray would try for minutes.
        socket.create_connection((host, int(port)), timeout=_PATIENCE_S).close()
    except (OSError, ValueError) as error:
        raise InputError(
            f"engine 'ray' needs the cluster at {_ADDRESS}, and nothing answers at {named!r} "
            f"({type(error).__name__}); start it, or unset {_ADDRESS} to use a Ray of this "
            "machine.",
            argument="engine",
        ) from None
    return named


def _processors() -> int:
    import ray

    return max(1, int(ray.cluster_resources().get("CPU", 1)))
