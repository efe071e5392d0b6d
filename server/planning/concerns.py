"""What speaks against a study as it is planned, in sentences; each names a way out.

The rules need public facts only. What is hopeless is said before budget is spent; it is not
forbidden, because who knows the data may have reasons.
"""

from __future__ import annotations

from collections.abc import Iterator

from privacy import SitePlan
from server.planning.circumstances import Circumstances
from server.planning.cost import UnitCosts
from server.planning.expectation import STRONG_SIGNAL
from server.planning.images import find_own_image_concern
from server.planning.noise import SketchNoise, compute_noise, find_worthwhile
from server.planning.split import weigh_rounds
from server.study import Study
from strategies.wire_field import MOST_ELEMENTS
from synthesis.images.schema import ImageSchema
from synthesis.kinds import VAE, AnySchema
from synthesis.layout import PAIR_SCALE

HOPELESS_SIGNAL = 1.0
"""Below this the noise of a table's total is larger than the whole study."""
MANY_BLOCKS = 200
MOSTLY_NOISE = 0.5
FEW_STEPS = 30
_FACTOR = 3
_BETTER_ALONE = "The sketch alone (rounds = 0 and adversarial_share = 0) is likely better."


def find_concerns(
    study: Study,
    plan: SitePlan,
    circumstances: Circumstances,
    noise: SketchNoise,
    costs: UnitCosts,
) -> tuple[str, ...]:
    """Return every concern as a sentence or two, the gravest first."""
    return (
        *_about_epsilon(study, circumstances, noise),
        *_about_sites(study, circumstances, noise),
        *_about_delta(study, circumstances),
        *_about_schema(circumstances, noise),
        *_about_rounds(study, plan, circumstances, costs),
        *_about_fit(study),
        *_about_nominal_rows(study, circumstances),
    )


def find_own_concern(study: Study, plan: SitePlan, schema: AnySchema, units: int) -> str | None:
    """Return why a site should not take part, or None. For the site's own screen only.

    Args:
        study: the settings; other sites are taken to have its ``nominal_rows``.
        plan: what the site would spend.
        schema: the public schema.
        units: rows, persons or images that the site trains on; private.
    """
    if isinstance(schema, ImageSchema):
        return find_own_image_concern(study, plan, schema, units)
    if units < 1:
        return None
    where = Circumstances(schema=schema, units=(units,), basis="the site's own")
    noise = compute_noise(plan, where)
    if noise.signal >= HOPELESS_SIGNAL or units >= study.nominal_rows / 2:
        return None
    return (
        f"This site's sketch would be all noise: {noise.site_std:,.0f} {where.noun} in each count, "
        f"for {units:,} {where.noun} of this site in all, where the study counts on "
        f"{study.nominal_rows:,}. It would spend budget and add nothing. Only this screen says so."
    )


def _about_epsilon(study: Study, circumstances: Circumstances, noise: SketchNoise) -> Iterator[str]:
    noun, total = circumstances.noun, circumstances.total_units
    if noise.signal >= STRONG_SIGNAL:
        return
    spread = total / noise.signal
    facts = (
        f"noise moves the total of a table of counts by {spread:,.0f} {noun}, and all sites "
        f"together have {total:,}"
    )
    factor = STRONG_SIGNAL / noise.signal
    times = f"{factor:,.0f}" if factor >= 10 else f"{factor:.1f}"
    way_out = (
        f"A useful study needs about {times} times as many {noun}, that much less noise by a "
        "larger epsilon, or fewer columns or coarser bins."
    )
    word = "hopeless" if noise.signal < HOPELESS_SIGNAL else "too small for much"
    yield f"epsilon {study.epsilon:g} is {word} here: {facts}. {way_out}"


def _about_sites(study: Study, circumstances: Circumstances, noise: SketchNoise) -> Iterator[str]:
    units, noun = circumstances.units, circumstances.noun
    if study.minimum_sites > len(units):
        yield (
            f"minimum_sites is {study.minimum_sites} and there are {len(units)} sites: the study "
            "would end before it begins. Lower it, or find more sites."
        )
    keep = find_worthwhile(units)
    least = sorted(units, reverse=True)[keep - 1]
    lost = [
        (number, n)
        for number, (n, signal) in enumerate(zip(units, noise.site_signals, strict=True), 1)
        if n < least and signal < HOPELESS_SIGNAL
    ]
    if not lost:
        return
    named = ", ".join(f"{number} ({n:,} {noun})" for number, n in lost)
    several = len(lost) > 1
    kept = len(units) - len(lost)
    without = sum(units) - sum(n for _, n in lost)
    signal = noise.signal * without / sum(units) * (len(units) / kept) ** 0.5
    yield (
        f"{'Sites' if several else 'Site'} {named} would spend budget for nothing: "
        f"{'their sketches are' if several else 'its sketch is'} all noise and "
        f"{'make' if several else 'makes'} the sum worse. Signal over noise is "
        f"{noise.signal:.2f} with {'them' if several else 'it'} and {signal:.2f} without. Let "
        f"{'them' if several else 'it'} join a larger site, or stay out."
    )


def _about_delta(study: Study, circumstances: Circumstances) -> Iterator[str]:
    total, noun = circumstances.total_units, circumstances.noun
    if study.delta >= 1 / total:
        yield (
            f"delta {study.delta:g} is not below 1/{noun} = {1 / total:.2g}: it would allow a "
            f"{noun[:-1]} to be published outright. Lower delta."
        )


def _about_schema(circumstances: Circumstances, noise: SketchNoise) -> Iterator[str]:
    if noise.cells > MOST_ELEMENTS:
        yield (
            f"The sketch has {noise.cells:,} counts, and a message holds at most "
            f"{MOST_ELEMENTS:,}: the study cannot run. Use fewer columns or fewer levels."
        )
    if noise.blocks > MANY_BLOCKS:
        columns = len(circumstances.schema.columns)
        yield (
            f"The schema is wide: {columns} columns make {noise.blocks:,} tables that share one "
            f"budget, so every count has {circumstances.layout.sensitivity / PAIR_SCALE:.0f} times "
            "the noise of a single table. Leaving out columns that nobody needs makes all others "
            "more exact."
        )


def _about_rounds(
    study: Study, plan: SitePlan, circumstances: Circumstances, costs: UnitCosts
) -> Iterator[str]:
    if plan.training_noise_multiplier is None:
        return
    share = f"{study.adversarial_share:.0%} of the budget"
    if plan.steps < FEW_STEPS:
        yield (
            f"The rounds have {plan.steps} discriminator steps in all, and take {share}: too few "
            f"to learn from. Use at least {FEW_STEPS}, or the sketch alone (rounds = 0 and "
            "adversarial_share = 0)."
        )
    weights = costs.discriminator_size(sum(circumstances.layout.sizes))
    noise = plan.training_noise_multiplier * (plan.steps * weights) ** 0.5
    signal = plan.steps * study.sample_rate * max(circumstances.units)
    if signal / (signal + noise) < MOSTLY_NOISE:
        yield (
            f"Discriminators would be mostly noise: even at the largest site their gradients add "
            f"up to {signal / (signal + noise):.0%} of what they are moved by, for {share}. "
            f"{_BETTER_ALONE}"
        )
        return
    outlook = weigh_rounds(study.budget, circumstances.units_per_site, circumstances.layout)
    if not outlook.do_rounds_pay and study.model != VAE:
        yield (
            f"The rounds take {share} and are likely to bring less than that: a site's own sketch "
            f"would have a signal of {outlook.site_signal:,.1f} with the whole budget, and on "
            f"public tables rounds pay from {outlook.rounds_pay_from:g} on. {_BETTER_ALONE}"
        )


def _about_fit(study: Study) -> Iterator[str]:
    usual = Study.model_fields["fit_steps"].default
    if study.fit_steps < usual // 2:
        yield (
            f"fit_steps is {study.fit_steps:,}, and what is expected was measured with {usual:,}: "
            "quality will be lower. Steps of the fit cost no budget."
        )


def _about_nominal_rows(study: Study, circumstances: Circumstances) -> Iterator[str]:
    if not study.rounds:
        return
    mean, noun = circumstances.total_units / circumstances.num_sites, circumstances.noun
    ratio = study.nominal_rows / mean
    if not 1 / _FACTOR <= ratio <= _FACTOR:
        yield (
            f"nominal_rows is {study.nominal_rows:,}, and sites have {mean:,.0f} {noun} on "
            "average: batches are declared for another size than they have. Set nominal_rows to "
            f"about {mean:,.0f}."
        )
