"""Run a ServerApp and a ClientApp as a whole federation on this machine.

``run_local`` works in this process; ``simulations.ray_backend.run_ray`` takes the same arguments
and uses Flower's simulation engine. In both, a site finds its number in
``context.node_config["partition-id"]``, the number of sites in ``"num-partitions"``, and
``run_config`` in ``context.run_config``; state lasts in ``context.state`` from message to message.
The ServerApp runs in the calling process in both, so it may hand results to a closure.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from flwr.app import Context, RecordDict
from flwr.serverapp import ServerApp

from simulations.grid import Delivery, LocalGrid
from simulations.site_app import ClientCallable, ConfigValue
from strategies.environment import quiet_flower


@dataclass(frozen=True, kw_only=True)
class SimulationRun:
    """What is left when a simulation has ended.

    Attributes:
        context: the ServerApp's context, with whatever it put into ``state``.
        seconds: wall time.
        deliveries: every message to a site; empty for Ray, which does not tell.
        failures: exceptions of sites by node id; empty for Ray, where they stay in the workers.
        partitions: the site's number, from 0, of each node id; empty for Ray, which gives nodes
            random ids and does not tell whose they are.
    """

    context: Context
    seconds: float
    deliveries: tuple[Delivery, ...] = ()
    failures: tuple[tuple[int, Exception], ...] = ()
    partitions: Mapping[int, int] = field(default_factory=dict)


def run_local(
    server_app: ServerApp,
    client_app: ClientCallable,
    num_sites: int,
    *,
    run_config: Mapping[str, ConfigValue] | None = None,
    on_delivery: Callable[[Delivery], None] | None = None,
) -> SimulationRun:
    """Run the study in this process over a ``LocalGrid``.

    Args:
        server_app: the coordinator; an exception it raises comes out unchanged.
        client_app: what every site runs.
        num_sites: how many sites there are.
        run_config: settings for both, readable as ``context.run_config``.
        on_delivery: told about every message after its reply, for progress bars.
    """
    started = time.perf_counter()
    grid = LocalGrid(client_app, num_sites, run_config=run_config, on_delivery=on_delivery)
    context = make_server_context(run_config)
    with quiet_flower():
        server_app(grid=grid, context=context)
    return SimulationRun(
        context=context,
        seconds=time.perf_counter() - started,
        deliveries=tuple(grid.deliveries),
        failures=tuple(grid.failures),
        partitions={d.node_id: d.partition_id for d in grid.deliveries},
    )


def make_server_context(run_config: Mapping[str, ConfigValue] | None) -> Context:
    """Return a fresh context for a ServerApp."""
    return Context(
        run_id=0, node_id=0, node_config={}, state=RecordDict(), run_config=dict(run_config or {})
    )
