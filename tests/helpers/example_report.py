"""A report as the census demonstration writes it; its figures are made up, its columns are real."""

from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
from example_evidence import (
    example_attacks,
    example_audit,
    example_consistency,
    example_gain,
    example_groups,
    example_target,
)

import simulations
from privacy import Policy, Receipt, SigningKey
from server.outcome import Attested
from server.report import (
    LOCAL_TRUST,
    NOT_PROMISED,
    Cost,
    Evaluation,
    Event,
    Figure,
    HoldOutSize,
    Noise,
    Phase,
    Pictures,
    Promise,
    Rejection,
    Release,
    Report,
    Round,
    Site,
    SketchNoise,
    Spending,
    Strategy,
    Totals,
    Traffic,
    Utility,
    UtilityRow,
    Version,
    build_pictures,
    build_policy,
    build_receipt,
)
from synthesis.quality import compare_tables
from synthesis.schema import load_schema

SITES = ("north", "south", "east", "west")
STUDY = "adult-4-sites-epsilon-1"


@cache
def example_report(num_rounds: int = 8) -> Report:
    schema = load_schema(Path(simulations.__file__).parent / "data" / "adult.toml")
    return Report(
        private=True,
        title="Synthetic census from four sites",
        dataset=schema.name,
        study=STUDY,
        licence="CC-BY-4.0",
        creator="Northern Statistics Office",
        created=datetime(2026, 11, 22, 18, 5, tzinfo=UTC),
        command="fedsynth simulate --demo adult --epsilon 1.0 --sites 4 --seed 0",
        software=tuple(
            Version(name=name, version=version)
            for name, version in (("fedsynth", "0.1.0"), ("opacus", "1.6.0"), ("torch", "2.13.0"))
        ),
        release=Release(rows=39_074, columns=schema.names, label=schema.label),
        promise=Promise(
            epsilon=1.0,
            delta=1e-5,
            randomness="seeded",
            trust_model=LOCAL_TRUST,
            not_promised=NOT_PROMISED,
        ),
        sites=tuple(example_site(name) for name in SITES),
        utility=example_utility(),
        refusals=(),
        sketch_noise=SketchNoise(units=39_120, pooled_std=412.3, site_std=206.15),
        gain=example_gain(),
        strategy=Strategy(name="trimmed-mean", bad_sites=1),
        consistency=example_consistency(),
        target=example_target(),
        evaluation=example_evaluation(),
        audit=example_audit(),
        attacks=example_attacks(),
        pictures=example_pictures(),
        cost=example_cost(num_rounds),
        limits=(
            "One run with one seed: another seed gives somewhat other figures.",
            "Rare combinations of values are less faithful than common ones.",
        ),
    )


def example_site(name: str) -> Site:
    return Site(
        name=name,
        budget=1.0,
        delta=1e-5,
        events=(
            Event(
                study=STUDY,
                purpose="sketch",
                mechanism="gaussian",
                noise_multiplier=4.459,
                epsilon=0.8216,
                state="done",
            ),
            Event(
                study=STUDY,
                purpose="training",
                mechanism="poisson-sampled-gaussian",
                noise_multiplier=2.317,
                sample_rate=0.0262,
                steps=240,
                epsilon=0.4971,
                state="done",
            ),
        ),
        total=Totals(pld=0.99871, rdp=1.1043, prv=1.0087),
        left=0.00129,
        history=(
            Spending(
                study=STUDY, reserved="2026-11-22T18:01:11+00:00", alone=0.99871, total=0.99871
            ),
        ),
        adversarial_share=0.3,
        ledger_head=attest(name).receipt.head,
        receipt=build_receipt(attest(name)),
        policy=build_policy(Policy(epsilon=1.0, delta=1e-5, holdout=0.1)),
    )


def attest(name: str) -> Attested:
    """What a coordinator holds of a site whose ledger has nine entries."""
    opened, head, seed = (sha256(f"{name} {use}".encode()) for use in ("first", "last", "key"))
    key = SigningKey.from_seed(seed.digest())
    receipt = Receipt.sign(key, ledger=opened.hexdigest(), entries=9, head=head.hexdigest())
    return Attested(public_key=key.public, receipt=receipt)


def example_utility() -> Utility:
    keys = (
        *("kind", "boosting_auc", "boosting_accuracy", "boosting_f1", "logistic_auc"),
        *("one_way", "two_way", "two_sample_auc"),
    )
    rows = (
        ("real", 0.9281, 0.8742, 0.7120, 0.9064, 0.0, 0.0, 0.5012),
        ("floor", None, None, None, None, 0.0049, 0.0193, 0.4987),
        ("independent", 0.5031, 0.7607, 0.0, 0.5120, 0.0061, 0.0803, 0.9987),
        ("sketch", 0.8951, 0.8441, 0.6391, 0.8893, 0.0109, 0.0334, 0.7611),
        ("final", 0.8986, 0.8457, 0.6412, 0.8917, 0.0098, 0.0311, 0.7644),
    )
    return Utility(
        train_rows=39_074,
        test_rows=9_768,
        rows=tuple(UtilityRow.model_validate(dict(zip(keys, row, strict=True))) for row in rows),
        groups=example_groups(),
    )


def example_evaluation() -> Evaluation:
    figures = (
        ("one_way", 0.021, 0.0, 0.048, 0.012),
        ("two_way", 0.041, 0.0, 0.112, 0.022),
        ("auc", 0.894, 0.842, 0.946, 0.901),
    )
    keys = ("kind", "value", "low", "high", "exact")
    return Evaluation(
        asked=4,
        answered=3,
        rejected=(Rejection(site="east", reason="no-reply"),),
        synthetic_rows=39_120,
        units=HoldOutSize(value=2_954, low=2_871, high=3_037),
        figures=tuple(Figure.model_validate(dict(zip(keys, f, strict=True))) for f in figures),
        noise=(
            Noise(purpose="evaluation-one-way", noise_std=46.6),
            Noise(purpose="evaluation-two-way", noise_std=80.7),
            Noise(purpose="evaluation-scores", noise_std=12.9),
        ),
    )


def example_pictures() -> Pictures:
    data = Path(simulations.__file__).parent / "data"
    real = pd.read_parquet(data / "adult.parquet")
    rng = np.random.default_rng(0)
    synthetic = real.iloc[rng.integers(0, len(real), 20_000)].reset_index(drop=True)
    for name in ("age", "capital-loss", "occupation", "race"):
        cells = synthetic[name].to_numpy(dtype=object)
        part = np.flatnonzero(rng.random(len(cells)) < 0.25)
        cells[part] = cells[rng.permutation(part)]
        synthetic[name] = cells
    synthetic = synthetic[(synthetic["age"] > 21) | (rng.random(len(synthetic)) < 0.7)]
    return build_pictures(compare_tables(load_schema(data / "adult.toml"), real, synthetic))


def example_cost(num_rounds: int) -> Cost:
    rounds = [
        Round(
            number=number,
            seconds=3.1 + 0.2 * (number % 3),
            asked=4,
            valid=4,
            bytes_down=10_412_000,
            bytes_up=10_398_112,
        )
        for number in range(1, num_rounds + 1)
    ]
    lost = (Rejection(site="east", reason="no-reply"),)
    rounds[1] = rounds[1].model_copy(update={"valid": 3, "rejected": lost})
    return Cost(
        phases=(
            Phase(name="hello", seconds=0.21),
            Phase(name="sketch", seconds=4.6),
            Phase(name="pre-training of the generator", seconds=151.2),
            Phase(name="adversarial rounds", seconds=27.4),
            Phase(name="sampling and report", seconds=11.9),
        ),
        rounds=tuple(rounds),
        traffic=tuple(
            Traffic(site=name, bytes_down=20_911_872, bytes_up=21_702_400) for name in SITES
        ),
    )
