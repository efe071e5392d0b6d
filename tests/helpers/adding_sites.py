"""Three sites that add to the generator, and a strategy that averages what they send."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp
from toy_study import make_receipt

from simulations.grid import LocalGrid
from strategies import FederatedGenerator
from strategies.aggregation import FloatArray, WeightedAverage
from strategies.protocol import ARRAYS, CONFIG, DISCRIMINATOR, RECEIPT, RETURNS_DISCRIMINATOR
from strategies.rules import Judge
from strategies.rules.rule import Model

Arrays = dict[str, np.ndarray]
Spoil = Callable[[Message, Arrays], Message]
START: Arrays = {"weight": np.zeros((2, 3), np.float32), "bias": np.ones(3, np.float32)}
NODES = (101, 102, 103)
BAD = 102


def reply_with(message: Message, arrays: Mapping[str, np.ndarray]) -> Message:
    """Of a discriminator where that is asked for."""
    record = ArrayRecord({name: Array(a) for name, a in arrays.items()})
    wants = message.content.config_records[CONFIG].get(RETURNS_DISCRIMINATOR, False)
    number = message.metadata.dst_node_id - NODES[0]
    config = ConfigRecord({RECEIPT: make_receipt(number)})
    content = {DISCRIMINATOR if wants else ARRAYS: record, CONFIG: config}
    return Message(RecordDict(content), reply_to=message)


def make_client_app(spoil: Spoil | None = None) -> ClientApp:
    """Site i adds i + 1; the second site's reply goes through ``spoil``."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        number = int(context.node_config["partition-id"])
        step = np.float32(number + 1)
        arrays = {k: a.numpy() + step for k, a in message.content.array_records[ARRAYS].items()}
        if number == 1 and spoil is not None:
            return spoil(message, arrays)
        return reply_with(message, arrays)

    return app


def make_strategy(**settings: object) -> FederatedGenerator:
    defaults: dict[str, object] = {"nodes": NODES, "minimum_nodes": 2, "deadline_s": 5.0}
    return FederatedGenerator(**(defaults | settings))  # type: ignore[arg-type]


def run(strategy: FederatedGenerator, grid: LocalGrid, num_rounds: int = 2) -> Arrays:
    initial = ArrayRecord({name: Array(a) for name, a in START.items()})
    is_central = strategy.rule.reply_like is not None
    settings = ConfigRecord({RETURNS_DISCRIMINATOR: True} if is_central else {})
    result = strategy.start(grid, initial, num_rounds, train_config=settings)
    return {name: array.numpy() for name, array in result.arrays.items()}


def average_judges(start: Model, judges: Sequence[Judge], rounds: int) -> list[FloatArray]:
    """A training whose end is known: the weighted mean of the judges, as if that were a generator.

    What real training makes of them is tested in ``tests/server/test_central_steps.py``.
    """
    average = WeightedAverage()
    for judge in judges:
        average.add(judge.model, judge.weight)
    return average.mean()
