"""The ServerApp: hello, sketch, fit, adversarial rounds, evaluation, audit; a list of calls.

The coordinator sees only what is already private. It learns no row count, unless a site says that
its own is public: sites weigh in by the size that their noisy sketches suggest.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from functools import partial

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from privacy import SeededRandomness
from server import lacking
from server.acceptance import check_acceptance, find_least_noise
from server.canaries import CanaryAuditor
from server.central_steps import make_central_steps
from server.checkpoint import Checkpoint
from server.conversation import Conversation, OnEvent
from server.evaluating import Evaluator
from server.fitting import fit_once
from server.fitting_images import fit_images_once
from server.kinds import check_kind, layout_of, most_groups, tells_sites_apart, unit_scale
from server.outcome import AnyGenerator, Attested, Evaluation, StudyOutcome
from server.pooling import (
    Missing,
    SketchGroup,
    epsilon_of,
    find_comparison,
    find_differing,
    find_groups,
    hold_study,
    make_pool,
    noise_of,
    pooled_of,
    to_record,
    weigh_sites,
)
from server.public_target import PublicTarget
from server.question import hello_of, settings_of
from server.round_images import RoundImages
from server.round_models import finish_rounds, start_rounds
from server.rounds import Rounds
from server.study import Study
from strategies import protocol
from strategies.aggregation import PooledSketch
from strategies.arrays import ArraySpec
from strategies.collect import Answers, wait_for_nodes
from strategies.federated_generator import FederatedGenerator
from strategies.protocol import QUERY_HELLO, QUERY_SKETCH, SKETCH, STATISTICS
from strategies.receipts import ReceiptBook
from strategies.robust_sketch import LEVEL
from strategies.rules import make_rule
from strategies.validation import Reply
from synthesis.generator import Generator
from synthesis.images.schema import ImageSchema
from synthesis.kinds import AnySchema
from synthesis.layout import SketchLayout
from synthesis.schema import Schema

Groups = Sequence[SketchGroup]
LONGEST_GOODBYE_S = 15.0
"""Longest wait until all sites have heard that the study is over."""


class Coordinator:
    """Runs one study over a grid and keeps its outcome.

    Args:
        study: the public settings.
        schema: the public schema.
        num_sites: sites to wait for while there is time; the study's minimum is enough.
        on_event: called with a small dict of plain values as the study goes on.
        receipts: what is held of the sites' ledgers from earlier studies.
        checkpoint: what an earlier life of the coordinator kept of this study.
        target: public shares that the outcome is held to, if any.
    """

    def __init__(
        self,
        study: Study,
        schema: AnySchema,
        *,
        num_sites: int,
        on_event: OnEvent | None = None,
        receipts: ReceiptBook | None = None,
        checkpoint: Checkpoint | None = None,
        target: PublicTarget | None = None,
    ) -> None:
        self.study = study
        self.schema = schema
        self.num_sites = num_sites
        self.outcome: StudyOutcome | None = None
        self.receipts = receipts or ReceiptBook()
        check_kind(study, schema)
        self._layout = layout_of(schema)
        self._target = target
        self._rule = make_rule(study.strategy, study.rule_settings)
        self._emit = on_event or (lambda event: None)
        self._checkpoint = checkpoint or Checkpoint()
        self._conversation = Conversation(
            deadline_s=study.deadline_s,
            receipts=self.receipts,
            checkpoint=self._checkpoint,
            on_event=self._emit,
        )
        self._rounds = Rounds(
            study,
            self._rule,
            receipts=self.receipts,
            checkpoint=self._checkpoint,
            on_event=self._emit,
        )
        self._auditor = CanaryAuditor(study, schema, self._conversation, self.receipts)

    def run(self, grid: Grid, context: Context | None = None) -> StudyOutcome:
        """Run the whole study, or what is left of it.

        Raises:
            InputError: if the checkpoint is of another study.
            StudyFailed: if too few sites take part; the sentence says which and why.
        """
        if self._checkpoint.open(self.study.name, f"{self.study.digest()}:{self.schema.digest()}"):
            self.receipts.expect_repeats()
        hello = self._say_hello(grid)
        missing = lacking.read_missing(hello)
        sketches = self._collect_sketches(grid, list(hello), missing)
        pooled = pooled_of(sketches)
        noise_std = pooled.noise_variance**0.5 * self._layout.sensitivity
        groups = find_groups(sketches)
        fitted, rows = self._fit(pooled, groups)
        weights = weigh_sites(hello, sketches, self._rule)
        epsilons = {node: epsilon_of(reply) for node, reply in sketches.valid.items()}
        strategy = self._rounds.make_strategy(
            weights,
            to_record(pooled) if isinstance(self._layout, SketchLayout) else None,
            lambda: make_central_steps(self.study, self._layout, fitted, pooled, epsilons),
        )
        images = RoundImages(self.study, self.schema, fitted)
        generator = self._run_rounds(grid, strategy, fitted, noise_std, images)
        evaluation = self._evaluate(grid, list(sketches.valid), generator, rows)
        canaries = self._auditor.open_coins(grid, sketches, fitted, missing)
        self._close(grid, list(hello))
        self.outcome = StudyOutcome(
            generator=generator,
            sketch_generator=fitted,
            nodes=tuple(sketches.valid),
            noise_multipliers={n: noise_of(reply) for n, reply in sketches.valid.items()},
            epsilons=epsilons,
            estimated_rows=rows,
            sketch_noise_std=noise_std / unit_scale(self._layout),
            site_noise_std=lacking.find_site_noise(self._layout, sketches, missing),
            missing=lacking.name_missing(missing, self.schema),
            apart=lacking.name_apart(self._layout, pooled, self.schema),
            phases=tuple(self._conversation.phases),
            rounds=strategy.rounds,
            round_images=images.drawn,
            evaluation=evaluation,
            left_out=dict(self._conversation.left_out),
            canaries=canaries,
            differing=find_differing(sketches),
            groups=tuple(group.nodes for group in groups),
            comparison=find_comparison(sketches) if tells_sites_apart(self.study) else None,
            target=hold_study(self._layout, self._target, sketches, rows),
            weights=weights,
            receipts=self._attest(hello),
        )
        return self.outcome

    def _attest(self, nodes: Container[int]) -> dict[int, Attested]:
        return {
            node: Attested(public_key=key, receipt=receipt)
            for node, key in self.receipts.keys.items()
            if node in nodes and (receipt := self.receipts.of(node)) is not None
        }

    def _say_hello(self, grid: Grid) -> Mapping[int, Reply]:
        def accept(answers: Answers) -> Answers:
            check_acceptance(answers, self.study, self.receipts.keys)
            answers.require(self.study.minimum_sites, "an answer")
            lacking.check_missing(answers.valid, self.study, self.schema, self._rule)
            return answers

        return self._conversation.ask(
            grid,
            lambda: wait_for_nodes(
                grid, self.study.minimum_sites, self.study.deadline_s, expected=self.num_sites
            ),
            QUERY_HELLO,
            hello_of(self.study, self.schema),
            accept=accept,
        ).valid

    def _collect_sketches(self, grid: Grid, nodes: list[int], missing: Missing) -> Answers:
        pool = make_pool(
            self._layout,
            partial(self._auditor.find_contributions, missing=missing),
            self._rule,
            least_noise=find_least_noise(self.study),
            most_groups=most_groups(self.study),
            rng=SeededRandomness(self.study.seed).numpy("pool"),
            missing=missing,
            target=self._target if tells_sites_apart(self.study) else None,
        )

        def accept(answers: Answers) -> Answers:
            answers.require(self.study.minimum_sites, "a sketch")
            lacking.check_told(list(answers.valid), missing, self.schema)
            sealed = pool.seal(answers)
            if len(groups := find_groups(sealed)) > 1:
                nodes = [node for group in groups for node in group.nodes]
                sizes = [len(group.nodes) for group in groups]
                self._emit({"event": "site-groups", "nodes": nodes, "sizes": sizes})
            if differing := find_differing(sealed):
                self._emit({"event": "sites-differ", "nodes": list(differing), "level": LEVEL})
            return sealed

        expected = ArraySpec(shape=(self._layout.dimension,), dtypes=("float32",))
        return self._conversation.ask(
            grid,
            lambda: nodes,
            QUERY_SKETCH,
            settings_of(self.study),
            accept=accept,
            record=SKETCH,
            expected={STATISTICS: expected},
            take=pool.take,
        )

    def _fit(self, pooled: PooledSketch, groups: Groups) -> tuple[AnyGenerator, float]:
        """Return the generator of the sketches, and how many units these suggest."""
        generator, phase, rows = (
            fit_images_once(self.study, self.schema, pooled, self._checkpoint, self._emit)
            if isinstance(self.schema, ImageSchema)
            else fit_once(self.study, self.schema, pooled, groups, self._checkpoint, self._emit)
        )
        self._conversation.phases.append(phase)
        return generator, rows

    def _run_rounds(
        self,
        grid: Grid,
        strategy: FederatedGenerator,
        fitted: AnyGenerator,
        noise_std: float,
        images: RoundImages,
    ) -> AnyGenerator:
        if self.study.rounds == 0:
            return fitted
        begun = start_rounds(self.study, self.schema, fitted)
        trained = self._rounds.run(grid, strategy, begun, noise_std, images)
        return finish_rounds(self.study, self.schema, trained, fitted)

    def _evaluate(
        self, grid: Grid, nodes: list[int], generator: AnyGenerator, rows: float
    ) -> Evaluation | None:
        """Measure the generator on the hold-outs; too few answers do not undo the generator."""
        if not self.study.evaluation:
            return None
        assert isinstance(self.schema, Schema) and isinstance(generator, Generator)
        evaluator = Evaluator(self.study, self.schema, generator, estimated_rows=rows)
        answers = self._conversation.ask(
            grid,
            lambda: nodes,
            protocol.QUERY_EVALUATE,
            settings_of(self.study),
            weights=evaluator.weights,
            record=protocol.EVALUATION,
            expected=evaluator.expected,
        )
        return evaluator.conclude(answers)

    def _close(self, grid: Grid, nodes: list[int], ending: str = protocol.FINISHED) -> list[int]:
        settings = settings_of(self.study)
        settings[protocol.ENDING] = ending
        return self._conversation.close(grid, nodes, settings, longest_s=LONGEST_GOODBYE_S)

    def give_up(self, grid: Grid) -> list[int]:
        """Tell the sites that a study will not go on; return who has heard it."""
        self._checkpoint.open(self.study.name, f"{self.study.digest()}:{self.schema.digest()}")
        found = self._checkpoint.find_answers(QUERY_HELLO)
        if found is None:
            return []
        self.receipts.remember(found[1])
        return self._close(grid, list(found[0].valid), protocol.GIVEN_UP)


def make_server_app(coordinator: Coordinator) -> ServerApp:
    """Return a ServerApp that runs the coordinator's study."""
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        coordinator.run(grid, context)

    return app
