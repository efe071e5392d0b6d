"""The same study through Flower's simulation engine, which runs sites as Ray actors.

Flower starts this engine from its command line, inside a background server. Here its Python entry
is called directly: no server, no files of Flower's, no console lines. The entry is internal to
Flower; ``tests/simulations/test_flower_internals.py`` says what is relied on.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NoReturn, cast

from flwr.app import Context
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from simulations.backends import SimulationRun, make_server_context
from simulations.ray_session import check_ray, joined_ray, local_ray, session_settings
from simulations.site_app import ClientCallable, ConfigValue, SiteApp
from strategies.environment import quiet_flower, switch_off_telemetry
from strategies.errors import StudyFailed
from synthesis.errors import InputError


def run_ray(
    server_app: ServerApp,
    client_app: ClientCallable,
    num_sites: int,
    *,
    run_config: Mapping[str, ConfigValue] | None = None,
    cpus_per_site: int = 1,
    threads_per_site: int = 1,
    address: str | None = None,
) -> SimulationRun:
    """Run the study with sites in worker processes, as many at once as there are processors.

    Takes what ``run_local`` takes and gives the same result up to floating point. The ClientApp
    must be importable in a worker or picklable by value, and so must everything it closes over.
    Unlike in ``run_local``, deadlines run while sites wait for a free processor.

    Args:
        server_app: the coordinator, run in a thread of this process.
        client_app: what every site runs.
        num_sites: how many sites there are.
        run_config: settings for both, readable as ``context.run_config``.
        cpus_per_site: processors one site takes from Ray.
        threads_per_site: threads numeric libraries use in a worker.
        address: a running Ray cluster to use, such as ``"auto"``; a local one is started when
            left out. Machines of a cluster need the same environment, code and data.

    Raises:
        InputError: if Ray is not installed or has fewer processors than one site needs.
    """
    started = time.perf_counter()
    context = make_server_context(run_config)
    site_app = SiteApp(client_app, run_config or {})
    with _ray(cpus_per_site, threads_per_site, address), quiet_flower():
        _run_engine(server_app, site_app, num_sites, context, cpus_per_site)
    return SimulationRun(context=context, seconds=time.perf_counter() - started)


def _run_engine(
    server_app: ServerApp, site_app: SiteApp, num_sites: int, context: Context, cpus_per_site: int
) -> None:
    with warnings.catch_warnings():  # Flower alters the process-wide filters at import
        from flwr.simulation.run_simulation import _run_simulation
    from flwr.supercore.telemetry import EventType

    switch_off_telemetry()
    coordinator = _Coordinator(server_app)
    try:
        _run_simulation(
            num_supernodes=num_sites,
            exit_event=EventType.PYTHON_API_RUN_SIMULATION_LEAVE,
            client_app=cast(ClientApp, site_app),
            server_app=cast(ServerApp, coordinator),
            server_app_context=context,
            backend_config={"client_resources": {"num_cpus": cpus_per_site, "num_gpus": 0.0}},
        )
    finally:
        coordinator.stop()


class _Coordinator:
    """Run a ServerApp in the engine's thread, and end it when the engine has ended.

    Without this a coordinator that waits for replies would outlive an interrupt or a crash of the
    engine until its deadline, and keep the process alive.
    """

    def __init__(self, server_app: ServerApp) -> None:
        self._server_app = server_app
        self._grid: Grid | None = None

    def __call__(self, grid: Grid, context: Context) -> None:
        self._grid = grid
        self._server_app(grid=grid, context=context)

    def stop(self) -> None:
        if self._grid is not None:
            for name in ("get_node_ids", "push_messages", "pull_messages"):
                setattr(self._grid, name, _refuse)


def _refuse(*_: object) -> NoReturn:
    raise StudyFailed("the simulation engine has stopped.")


@contextmanager
def _ray(cpus_per_site: int, threads_per_site: int, address: str | None) -> Iterator[None]:
    """Start Ray, or join a cluster, before Flower would; stop it afterwards."""
    check_ray("backend")
    import ray

    settings = session_settings(threads_per_site)
    with local_ray(**settings) if address is None else joined_ray(address, **settings):
        processors = int(ray.cluster_resources().get("CPU", 0))
        if processors < cpus_per_site:
            raise InputError(
                f"cpus_per_site must be at most the {processors} processors Ray has, "
                f"got {cpus_per_site}.",
                argument="cpus_per_site",
            )
        yield
