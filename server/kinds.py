"""What the coordinator asks of the kind of data of a study."""

from __future__ import annotations

from server.study import Study
from strategies.rules import RULES, HeldRule, Similarity
from synthesis import InputError
from synthesis.images.schema import ImageSchema
from synthesis.images.sketch import CONSTANT, DIAGONAL, ImageLayout
from synthesis.kinds import IMAGES, VAE, AnySchema, model_of, models_of
from synthesis.layout import PAIR_SCALE, SketchLayout

MDGAN = "mdgan"


def check_kind(study: Study, schema: AnySchema) -> None:
    """Raise InputError unless a study can be run on data of this schema."""
    if study.model not in models_of(schema):
        raise InputError(
            f"model must be {model_of(schema)!r} or {VAE!r} for the schema {schema.name!r}, got "
            f"{study.model!r}; correct it in the study.",
            argument="model",
        )
    if study.model == VAE:
        _check_vae(study)
    if study.strategy == MDGAN and isinstance(schema, ImageSchema):
        raise InputError(
            f"strategy must be another than {MDGAN} in a study on images: their generator is not "
            "trained at the coordinator; use fedavg.",
            argument="strategy",
        )
    if study.evaluation and isinstance(schema, ImageSchema):
        raise InputError(
            "evaluation must be false in a study on images: its counts are of columns; leave it "
            "out.",
            argument="evaluation",
        )


def _check_vae(study: Study) -> None:
    if study.rounds == 0:
        raise InputError(
            f"rounds must be at least 1 with model {VAE!r}, got 0: it is trained in rounds; the "
            "sketch alone is what the other models begin with.",
            argument="rounds",
        )
    if study.strategy == MDGAN:
        raise InputError(
            f"strategy must be another than {MDGAN} with model {VAE!r}: an autoencoder has no "
            "discriminator; use fedavg.",
            argument="strategy",
        )


def most_groups(study: Study) -> int:
    """Return how many groups of sites a study describes apart; autoencoders take all together."""
    return 1 if study.model == VAE else study.max_site_groups


def tells_sites_apart(study: Study) -> bool:
    """Return whether generator or report may describe a site apart from the others.

    Groups have members of their own, and the report then compares sites. So does it where the
    strategy discounts or names those unlike the others.
    """
    is_grouped = study.max_site_groups > 1 and study.model != IMAGES
    return is_grouped or issubclass(RULES[study.strategy], Similarity | HeldRule)


def layout_of(schema: AnySchema) -> SketchLayout | ImageLayout:
    """Return where the numbers of a sketch lie."""
    if isinstance(schema, ImageSchema):
        return ImageLayout.from_schema(schema)
    return SketchLayout.from_schema(schema)


def unit_scale(layout: SketchLayout | ImageLayout) -> float:
    """Return what one unit adds to a number of the sketch that counts units."""
    return DIAGONAL * CONSTANT**2 if isinstance(layout, ImageLayout) else float(PAIR_SCALE)
