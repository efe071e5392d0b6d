"""The strategy: many generators become one by a rule, and a bad round changes nothing.

The way a ServerApp uses it::

    strategy = FederatedGenerator(
        nodes=hello.valid, minimum_nodes=3, deadline_s=600,
        pooled_sketch=..., on_event=print_progress,
    )
    result = strategy.start(
        grid, initial_arrays=ArrayRecord(generator.state_dict()), num_rounds=5,
        train_config=ConfigRecord({...public settings, keys of strategies.fields...}),
        evaluate_fn=after_round,        # (server_round, arrays) -> None: checkpoint here
    )
    result.arrays     # the global generator, unchanged weights if a round was void
    strategy.rounds   # one RoundRecord per round

``start`` is Flower's own loop, with a bound on the time and an end in StudyFailed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Result, Strategy

from strategies.aggregation import FloatArray
from strategies.arrays import ArraySpec
from strategies.collect import (
    arrays_of,
    gather,
    make_messages,
    wait_for_nodes,
)
from strategies.environment import quiet_flower
from strategies.errors import StudyFailed
from strategies.protocol import ARRAYS, CONFIG, DISCRIMINATOR, POOLED_SKETCH, SERVER_ROUND, TRAIN
from strategies.receipts import ReceiptBook
from strategies.round_record import RoundRecord
from strategies.rules import Rule, RuleSettings, make_rule
from strategies.validation import Rejection, Reply, check_reply, specs_of
from strategies.wire_field import WireFormat
from strategies.wire_format import pack, unpack, unpack_answer

ABSENT = "absent"

Event = Mapping[str, object]
EvaluateFn = Callable[[int, ArrayRecord], MetricRecord | None]


class FederatedGenerator(Strategy):
    """Make one generator of the sites', strictly.

    Every reply is checked for keys, shapes, dtypes, finite values and the size of the update. A
    round with fewer than ``minimum_nodes`` good replies, or than the rule needs, leaves the
    generator as it was and is recorded as void; sites have then spent their budget all the same,
    because it was reserved.

    Args:
        nodes: the nodes that accepted the study; no other node is asked.
        minimum_nodes: fewest good replies that make a round count, at least 1.
        deadline_s: longest time for one round, and until enough nodes are online.
        max_update_norm: largest L2 norm of the difference between a reply and what was sent; of a
            discriminator, largest norm.
        weights: public weight per node; all equal when left out. Never from row counts.
        rule: how replies become the next generator; the weighted average when left out.
        pooled_sketch: statistics of all sites, sent to each node until it has given a good reply.
        wire_format: what one weight is on the wire, in both directions; in 8 bits sites answer with
            what they changed of it.
        receipts: the sites' last receipts, sent back to them and renewed by their replies.
        on_event: called with a small dict of plain values at the start and end of each round.
        done: records of rounds that were finished before; ``start`` goes on after them.

    Raises:
        ValueError: if a setting is out of range.
    """

    def __init__(
        self,
        *,
        nodes: Iterable[int],
        minimum_nodes: int,
        deadline_s: float,
        max_update_norm: float = 1e4,
        weights: Mapping[int, float] | None = None,
        rule: Rule | None = None,
        pooled_sketch: ArrayRecord | None = None,
        wire_format: WireFormat = WireFormat.FLOAT32,
        receipts: ReceiptBook | None = None,
        on_event: Callable[[Event], None] | None = None,
        done: Iterable[RoundRecord] = (),
    ) -> None:
        self.nodes = tuple(sorted(nodes))
        self.minimum_nodes = minimum_nodes
        self.deadline_s = deadline_s
        self.max_update_norm = max_update_norm
        self.weights = dict.fromkeys(self.nodes, 1.0) if weights is None else dict(weights)
        self.rule = rule or make_rule("fedavg", RuleSettings())
        self.pooled_sketch = pooled_sketch
        self.wire_format = wire_format
        self._receipts = receipts
        self._on_event = on_event
        self._check_settings()
        self._total_weight = math.fsum(self.weights.values())  # sites may suggest any size
        self._records = list(done)
        self._done_before = len(self._records)
        self._sent: list[Message] = []
        self._absent: tuple[int, ...] = ()
        # Nodes that must have the pooled sketch.
        self._settled = {node for record in self._records for node in record.valid}
        self._expected: dict[str, ArraySpec] = {}
        self._global: dict[str, FloatArray] = {}
        self._started = 0.0

    @property
    def rounds(self) -> tuple[RoundRecord, ...]:
        """One record per finished round."""
        return tuple(self._records)

    def start(
        self,
        grid: Grid,
        initial_arrays: ArrayRecord,
        num_rounds: int = 3,
        timeout: float | None = None,
        train_config: ConfigRecord | None = None,
        evaluate_config: ConfigRecord | None = None,
        evaluate_fn: EvaluateFn | None = None,
    ) -> Result:
        """Run Flower's loop with this strategy's deadline and return its result.

        Rounds that were done before count among ``num_rounds``; ``initial_arrays`` is what the last
        of them left, and Flower's own count starts after them.

        ``timeout`` and ``evaluate_config`` are Flower's and not used.

        Raises:
            StudyFailed: if too few nodes are online or no round counted.
        """
        if self._done_before:
            self._emit("rounds-kept", {"rounds": self._done_before})
        with quiet_flower():
            result = super().start(
                grid,
                initial_arrays,
                num_rounds - self._done_before,
                self.deadline_s,
                train_config,
                None,
                evaluate_fn,
            )
        if not any(record.changed for record in self._records):
            raise StudyFailed(
                f"none of {num_rounds} rounds had {self.minimum_nodes} valid replies"
                f"{self._last_reasons()}; the generator is as it was."
            )
        if not result.arrays:  # all that is left were void rounds, or none
            result.arrays = initial_arrays
        return result

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Return one train message per node of the cohort that is online."""
        server_round += self._done_before
        self._started = time.monotonic()
        online = wait_for_nodes(grid, self.minimum_nodes, self.deadline_s, among=self.nodes)
        self._absent = tuple(n for n in self.nodes if n not in set(online))
        self._emit("round-started", {"server_round": server_round, "nodes": online})
        sent = pack(arrays_of(arrays), self.wire_format)
        self._expected = self._expect(sent)
        self._global = unpack(arrays_of(sent))  # as sites see it
        start = self._global if self._steps_from_what_was_sent else arrays_of(arrays)
        self.rule.begin([start[name] for name in self._global], list(self._global.values()))
        config = _with_round(config, server_round)
        self._sent = [
            message
            for node in online
            for message in make_messages(
                [node],
                TRAIN,
                self._ask(node, sent, config),
                ttl_s=self.deadline_s,
                group=str(server_round),
            )
        ]
        if self._receipts is not None:
            self._sent = self._receipts.attach(self._sent)
        return self._sent

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Return what the rule makes of the good replies, or None when there are too few."""
        server_round += self._done_before
        answers = gather(self._sent, replies, self._take, started=self._started)
        self._sent = []
        self._settled |= set(answers.valid)
        changed = len(answers.valid) >= max(self.minimum_nodes, self.rule.needs)
        arrays = self._finish() if changed else None
        record = RoundRecord(
            server_round=server_round,
            changed=changed,
            valid=tuple(answers.valid),
            rejected=dict(answers.rejected) | dict.fromkeys(self._absent, ABSENT),
            seconds=answers.seconds,
            bytes_down=answers.bytes_down,
            bytes_up=answers.bytes_up,
        )
        self._records.append(record)
        self._emit("round-finished" if changed else "round-void", record.to_dict())
        return arrays, None

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Return no messages: quality is never measured on a site's records for free."""
        return []

    def aggregate_evaluate(
        self, server_round: int, replies: Iterable[Message]
    ) -> MetricRecord | None:
        """Return nothing, as nothing was asked."""

    def summary(self) -> None:
        """Print nothing; the settings are in the study."""

    def _take(self, node: int, message: Message) -> Reply | Rejection:
        """Give a good reply to the rule, and keep no more of it than that it was good."""
        is_generator = self.rule.reply_like is None
        is_whole = is_generator and not self.wire_format.tells_changes
        reply = check_reply(
            message,
            record=ARRAYS if is_generator else DISCRIMINATOR,
            expected=self._expected,
            max_norm=self.max_update_norm,
            around=self._global if is_whole else None,
        )
        if self._receipts is not None and isinstance(reply, Reply):
            reply = self._receipts.vet(node, reply)
        if isinstance(reply, Rejection):
            return reply
        model = reply.arrays
        if is_generator:
            model = unpack_answer(model, self._global, self.wire_format)
        share = self.weights[node] / self._total_weight
        self.rule.add(node, list(model.values()), share)
        return replace(reply, arrays={})

    def _expect(self, sent: ArrayRecord) -> dict[str, ArraySpec]:
        like = self.rule.reply_like
        return specs_of(sent if like is None else pack(like, self.wire_format))

    def _ask(self, node: int, sent: ArrayRecord, config: ConfigRecord) -> RecordDict:
        content = RecordDict({ARRAYS: sent, CONFIG: config})
        takes_steps = self.rule.reply_like is None
        if takes_steps and node not in self._settled and self.pooled_sketch is not None:
            content[POOLED_SKETCH] = self.pooled_sketch
        return content

    @property
    def _steps_from_what_was_sent(self) -> bool:
        """Whether the rule goes on from the rounded generator, to which changes belong."""
        return self.rule.reply_like is None and self.wire_format.tells_changes

    def _finish(self) -> ArrayRecord:
        arrays = self.rule.finish()
        return ArrayRecord({name: Array(a) for name, a in zip(self._global, arrays, strict=True)})

    def _emit(self, name: str, values: Event) -> None:
        if self._on_event is not None:
            self._on_event({"event": name} | dict(values))

    def _last_reasons(self) -> str:
        if not self._records:
            return ""
        codes = sorted(set(self._records[-1].rejected.values()))
        return f" (in the last one: {', '.join(codes)})" if codes else ""

    def _check_settings(self) -> None:
        if not 1 <= self.minimum_nodes <= len(self.nodes):
            raise ValueError(
                f"minimum_nodes must be between 1 and the {len(self.nodes)} nodes of the study, "
                f"got {self.minimum_nodes}"
            )
        if not self.deadline_s > 0 or not self.max_update_norm > 0:
            raise ValueError("deadline_s and max_update_norm must be > 0")
        bad = [w for w in self.weights.values() if not (math.isfinite(w) and w > 0)]
        if set(self.weights) != set(self.nodes) or bad:
            raise ValueError("weights must give every node of the study one finite number > 0")


def _with_round(config: ConfigRecord, server_round: int) -> ConfigRecord:
    return ConfigRecord(dict(config) | {SERVER_ROUND: server_round})
