"""What the coordinator asks of the kind of data of a study."""

from __future__ import annotations

from server.study import Study
from synthesis import InputError
from synthesis.images.schema import ImageSchema
from synthesis.images.sketch import CONSTANT, DIAGONAL, ImageLayout
from synthesis.kinds import AnySchema, model_of
from synthesis.layout import PAIR_SCALE, SketchLayout

MDGAN = "mdgan"


def check_kind(study: Study, schema: AnySchema) -> None:
    """Raise InputError unless a study can be run on data of this schema."""
    model = model_of(schema)
    if study.model != model:
        raise InputError(
            f"model must be {model!r} for the schema {schema.name!r}, got {study.model!r}; correct "
            "it in the study.",
            argument="model",
        )
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


def layout_of(schema: AnySchema) -> SketchLayout | ImageLayout:
    """Return where the numbers of a sketch lie."""
    if isinstance(schema, ImageSchema):
        return ImageLayout.from_schema(schema)
    return SketchLayout.from_schema(schema)


def unit_scale(layout: SketchLayout | ImageLayout) -> float:
    """Return what one unit adds to a number of the sketch that counts units."""
    return DIAGONAL * CONSTANT**2 if isinstance(layout, ImageLayout) else float(PAIR_SCALE)
