"""The ServerApp: hello, sketch, fit, adversarial rounds, evaluation; a list of calls.

The coordinator sees only what is already private. It learns no row count, unless a site says that
its own is public: sites weigh in by the size that their noisy sketches suggest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, RecordDict
from flwr.serverapp import Grid, ServerApp

from privacy import SeededRandomness
from server.acceptance import check_acceptance
from server.evaluating import Evaluator
from server.outcome import Attested, Evaluation, PhaseRecord, StudyOutcome
from server.question import hello_of, settings_of
from server.study import Study
from strategies import protocol
from strategies.aggregation import PooledSketch, pool_sketches
from strategies.arrays import ArraySpec, ProblemCode
from strategies.collect import Answers, ask, make_messages, wait_for_nodes
from strategies.federated_generator import Event, FederatedGenerator
from strategies.protocol import CONFIG, QUERY_HELLO, QUERY_SKETCH, SKETCH, STATISTICS
from strategies.receipts import ReceiptBook
from strategies.validation import Reply
from synthesis.fitting import (
    FitSettings,
    SketchLoss,
    choose_device,
    fit_generator,
    make_starting_shares,
)
from synthesis.generator import Generator, GeneratorSettings
from synthesis.layout import SketchLayout
from synthesis.schema import Schema
from synthesis.targets import SketchTargets, make_targets

OnEvent = Callable[[Event], None]
SMALLEST_WEIGHT = 0.01
"""Least weight of a site's generator, as a share of an equal one: noise may hide small sites."""
LARGEST_NOISE = 1e6
"""Largest noise multiplier of a sketch that a site may state; calibration never asks for more."""
LARGEST_NORM = 1e12
"""Largest L2 norm of an answer; no counts of people, with whatever noise, come near it."""


class Coordinator:
    """Runs one study over a grid and keeps its outcome.

    Args:
        study: the public settings.
        schema: the public schema.
        num_sites: sites to wait for while there is time; the study's minimum is enough.
        on_event: called with a small dict of plain values as the study goes on.
        receipts: what is held of the sites' ledgers from earlier studies.
    """

    def __init__(
        self,
        study: Study,
        schema: Schema,
        *,
        num_sites: int,
        on_event: OnEvent | None = None,
        receipts: ReceiptBook | None = None,
    ) -> None:
        self.study = study
        self.schema = schema
        self.num_sites = num_sites
        self.outcome: StudyOutcome | None = None
        self._layout = SketchLayout.from_schema(schema)
        self._emit = on_event or (lambda event: None)
        self.receipts = receipts or ReceiptBook()
        self._counts: dict[int, int] = {}  # of sites whose policy says that theirs is public
        self._phases: list[PhaseRecord] = []

    def run(self, grid: Grid, context: Context | None = None) -> StudyOutcome:
        """Run the whole study.

        Raises:
            StudyFailed: if too few sites take part; the sentence says which and why.
        """
        nodes = self._say_hello(grid)
        sketches = self._collect_sketches(grid, nodes)
        pooled = pool_sketches(
            [reply.arrays[STATISTICS] for reply in sketches.values()],
            [float(str(reply.config[protocol.NOISE_MULTIPLIER])) for reply in sketches.values()],
        )
        targets = make_targets(
            self._layout, pooled.values, pooled.noise_variance**0.5 * self._layout.sensitivity
        )
        fitted = self._fit(targets)
        strategy = self._make_strategy(sketches, pooled)
        generator = self._run_rounds(grid, strategy, fitted, targets)
        evaluation = self._evaluate(grid, list(sketches), generator, targets.rows)
        self.outcome = StudyOutcome(
            generator=generator,
            sketch_generator=fitted,
            nodes=tuple(sketches),
            noise_multipliers={
                node: float(str(reply.config[protocol.NOISE_MULTIPLIER]))
                for node, reply in sketches.items()
            },
            estimated_rows=targets.rows,
            phases=tuple(self._phases),
            rounds=strategy.rounds,
            evaluation=evaluation,
            receipts={
                node: Attested(public_key=key, receipt=receipt)
                for node, key in self.receipts.keys.items()
                if (receipt := self.receipts.of(node)) is not None
            },
        )
        return self.outcome

    def _say_hello(self, grid: Grid) -> list[int]:
        nodes = wait_for_nodes(
            grid, self.study.minimum_sites, self.study.deadline_s, expected=self.num_sites
        )
        answers = self._ask(grid, nodes, QUERY_HELLO, hello_of(self.study, self.schema))
        check_acceptance(answers, self.study, self.receipts.keys)
        answers.require(self.study.minimum_sites, "an answer")
        self._counts = {
            node: int(str(reply.config[protocol.UNIT_COUNT]))
            for node, reply in answers.valid.items()
            if protocol.UNIT_COUNT in reply.config
        }
        return list(answers.valid)

    def _collect_sketches(self, grid: Grid, nodes: list[int]) -> Mapping[int, Reply]:
        expected = ArraySpec(shape=(self._layout.dimension,), dtypes=("float32",))
        answers = self._ask(
            grid,
            nodes,
            QUERY_SKETCH,
            settings_of(self.study),
            record=SKETCH,
            expected={STATISTICS: expected},
        )
        answers = _reject_odd_noise(answers)
        answers.require(self.study.minimum_sites, "a sketch")
        return answers.valid

    def _fit(self, targets: SketchTargets) -> Generator:
        started = time.monotonic()
        generator = Generator(
            GeneratorSettings(sizes=self.schema.sizes),
            rng=SeededRandomness(self.study.seed).torch("generator"),
        )
        generator.start_at(make_starting_shares(targets))
        device = choose_device()
        fitted = fit_generator(
            generator.to(device),
            SketchLoss(targets, device=device),
            FitSettings(steps=self.study.fit_steps),
            on_step=lambda done, total: self._emit(
                {"event": "fit-progress", "done": done, "total": total}
            ),
        )
        fitted.to("cpu")
        self._phases.append(PhaseRecord(name="fit", seconds=time.monotonic() - started))
        return fitted

    def _make_strategy(
        self, sketches: Mapping[int, Reply], pooled: PooledSketch
    ) -> FederatedGenerator:
        sizes = {
            node: make_targets(self._layout, reply.arrays[STATISTICS].astype(np.float64), 0.0).rows
            for node, reply in sketches.items()
        }
        sizes |= {node: max(1.0, count) for node, count in self._counts.items() if node in sizes}
        least = SMALLEST_WEIGHT * sum(sizes.values()) / len(sizes)
        return FederatedGenerator(
            nodes=list(sketches),
            minimum_nodes=self.study.minimum_sites,
            deadline_s=self.study.deadline_s,
            weights={node: max(size, least) for node, size in sizes.items()},
            receipts=self.receipts,
            pooled_sketch=ArrayRecord({STATISTICS: Array(pooled.values.astype(np.float32))}),
            on_event=self._emit,
        )

    def _run_rounds(
        self, grid: Grid, strategy: FederatedGenerator, fitted: Generator, targets: SketchTargets
    ) -> Generator:
        if self.study.rounds == 0:
            return fitted
        settings = settings_of(self.study)
        settings[protocol.POOLED_NOISE_STD] = targets.rows * targets.noise_variance**0.5
        result = strategy.start(
            grid,
            ArrayRecord(fitted.state_dict()),
            num_rounds=self.study.rounds,
            train_config=settings,
        )
        generator = Generator(
            fitted.settings, rng=SeededRandomness(self.study.seed).torch("generator")
        )
        generator.load_state_dict(result.arrays.to_torch_state_dict())
        return generator

    def _evaluate(
        self, grid: Grid, nodes: list[int], generator: Generator, rows: float
    ) -> Evaluation | None:
        """Measure the generator on the hold-outs; too few answers do not undo the generator."""
        if not self.study.evaluation:
            return None
        evaluator = Evaluator(self.study, self.schema, generator, estimated_rows=rows)
        answers = self._ask(
            grid,
            nodes,
            protocol.QUERY_EVALUATE,
            settings_of(self.study),
            weights=evaluator.weights,
            record=protocol.EVALUATION,
            expected=evaluator.expected,
        )
        return evaluator.conclude(answers)

    def _ask(
        self,
        grid: Grid,
        nodes: list[int],
        kind: str,
        config: ConfigRecord,
        *,
        weights: ArrayRecord | None = None,
        record: str | None = None,
        expected: Mapping[str, ArraySpec] | None = None,
    ) -> Answers:
        self._emit({"event": "phase-started", "phase": kind, "nodes": nodes})
        deadline = self.study.deadline_s
        content = RecordDict({CONFIG: config})
        if weights is not None:
            content[protocol.ARRAYS] = weights
        messages = self.receipts.attach(make_messages(nodes, kind, content, ttl_s=deadline))
        answers = self.receipts.screen(
            ask(
                grid,
                messages,
                deadline_s=deadline,
                record=record,
                expected=expected,
                max_norm=LARGEST_NORM,
            )
        )
        phase = PhaseRecord(
            name=kind.removeprefix("query."),
            seconds=answers.seconds,
            bytes_down=answers.bytes_down,
            bytes_up=answers.bytes_up,
        )
        self._phases.append(phase)
        self._emit({"event": "phase-finished", "phase": kind, "valid": list(answers.valid)})
        return answers


def _reject_odd_noise(answers: Answers) -> Answers:
    """Leave out sites whose stated noise is no noise multiplier; one site must not end a study."""
    stated = {n: float(str(r.config[protocol.NOISE_MULTIPLIER])) for n, r in answers.valid.items()}
    odd = [node for node, noise in stated.items() if not 0 < noise <= LARGEST_NOISE]
    return replace(
        answers,
        valid={node: reply for node, reply in answers.valid.items() if node not in odd},
        rejected=dict(answers.rejected) | dict.fromkeys(odd, ProblemCode.VALUE_NOT_ALLOWED.value),
    )


def make_server_app(coordinator: Coordinator) -> ServerApp:
    """Return a ServerApp that runs the coordinator's study."""
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        coordinator.run(grid, context)

    return app
