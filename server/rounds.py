"""The adversarial rounds of a study, and what is kept of each."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import partial

from flwr.app import ArrayRecord
from flwr.serverapp import Grid
from torch import nn

from server.central_steps import CentralSteps
from server.checkpoint import Checkpoint, Tensors
from server.conversation import OnEvent
from server.pooling import SiteWeight
from server.question import settings_of
from server.round_images import RoundImages
from server.study import Study
from server.weights import load_weights, weights_of
from strategies.collect import arrays_of
from strategies.federated_generator import FederatedGenerator
from strategies.protocol import POOLED_NOISE_STD
from strategies.receipts import ReceiptBook
from strategies.rules import MdGan, Rule
from strategies.wire_field import WireFormat


class Rounds:
    """Runs the rounds of one study, or what is left of them.

    Args:
        study: the public settings.
        rule: how the sites' results become one.
        receipts: what is held of the sites' ledgers.
        checkpoint: where every round is kept.
        on_event: told of every round.
    """

    def __init__(
        self,
        study: Study,
        rule: Rule,
        *,
        receipts: ReceiptBook,
        checkpoint: Checkpoint,
        on_event: OnEvent,
    ) -> None:
        self._study = study
        self._rule = rule
        self._receipts = receipts
        self._checkpoint = checkpoint
        self._emit = on_event

    def make_strategy(
        self,
        weights: Mapping[int, SiteWeight],
        pooled_sketch: ArrayRecord | None,
        make_steps: Callable[[], CentralSteps],
    ) -> FederatedGenerator:
        """Return the strategy, which knows the rounds that were done before.

        Args:
            weights: of the sites that take part, by node.
            pooled_sketch: what holds their generator steps, where they take any.
            make_steps: for a rule that trains the generator here; called where there are rounds.
        """
        if isinstance(self._rule, MdGan) and self._study.rounds > 0:
            steps = make_steps()
            self._rule.equip(steps.improve, steps.form())
        kept = self._checkpoint.find_rounds()
        self._rule.restore(kept.state)
        return FederatedGenerator(
            nodes=list(weights),
            minimum_nodes=self._study.minimum_sites,
            deadline_s=self._study.deadline_s,
            weights={node: weight.used for node, weight in weights.items()},
            rule=self._rule,
            receipts=self._receipts,
            wire_format=WireFormat(self._study.wire_format),
            pooled_sketch=pooled_sketch,
            on_event=self._emit,
            done=kept.records,
        )

    def run(
        self,
        grid: Grid,
        strategy: FederatedGenerator,
        fitted: nn.Module,
        noise_std: float,
        images: RoundImages,
    ) -> nn.Module:
        """Return what the rounds make of a generator, of which a study has at least one.

        Args:
            grid: of the sites.
            strategy: as ``make_strategy`` gave it.
            fitted: to the sketch, or an autoencoder of that.
            noise_std: of every entry of the pooled sketch.
            images: draws what rounds left, those of an earlier life too.

        Raises:
            StudyFailed: if no round counted.
        """
        generator = copy.deepcopy(fitted)

        def keep(flower_round: int, arrays: ArrayRecord) -> None:
            if flower_round > 0:
                record, state = strategy.rounds[-1], self._rule.state
                self._checkpoint.keep_round(record, arrays_of(arrays), state)
                self._checkpoint.keep_receipts(self._receipts.latest)
                show(record.server_round, lambda: arrays_of(arrays))

        def show(server_round: int, find_weights: Callable[[], Tensors]) -> None:
            if images.shows(server_round):
                load_weights(generator, find_weights())
                images.draw(server_round, generator)

        kept = self._checkpoint.find_rounds()
        for number in (record.server_round for record in kept.records):
            show(number, partial(self._checkpoint.find_weights, number))
        load_weights(generator, kept.weights or weights_of(fitted))
        settings = settings_of(self._study)
        settings[POOLED_NOISE_STD] = noise_std
        result = strategy.start(
            grid,
            ArrayRecord(generator.state_dict()),
            num_rounds=self._study.rounds,
            train_config=settings,
            evaluate_fn=keep,
        )
        generator.load_state_dict(result.arrays.to_torch_state_dict())
        return generator
