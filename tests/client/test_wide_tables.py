"""The widest table that a schema can declare passes every limit between coordinator and site."""

from __future__ import annotations

import pytest
import torch

from client.incoming import build_generator
from client.refusals import MalformedRequest
from strategies.parcels import MOST_BYTES
from synthesis.architecture import GeneratorSettings
from synthesis.generator import Generator
from synthesis.layout import SketchLayout
from synthesis.schema import Categorical, Integer, Schema
from synthesis.schema.columns import MAX_LEVELS
from synthesis.schema.schema import MAX_LABEL_LEVELS, MAX_WIDTH


def make_widest() -> Schema:
    """A label with all levels it may have, the longest list, and about 64 levels for the rest."""
    sizes = [MAX_LABEL_LEVELS, MAX_LEVELS]
    sizes += [64] * ((MAX_WIDTH - sum(sizes)) // 64 - 1)
    sizes.append(MAX_WIDTH - sum(sizes))
    columns = tuple(
        Categorical(name=f"c{i}", categories=tuple(f"l{level}" for level in range(size)))
        for i, size in enumerate(sizes)
    )
    return Schema(name="widest", columns=columns, label="c0")


def test_the_widest_table_fits_a_message_and_a_site() -> None:
    schema = make_widest()
    assert sum(schema.sizes) == MAX_WIDTH
    layout = SketchLayout.from_schema(schema)
    generator = Generator(
        GeneratorSettings.for_schema(schema), rng=torch.Generator().manual_seed(0)
    )
    weights = generator.state_dict()
    question = layout.dimension + sum(weight.numel() for weight in weights.values())
    assert 4 * question < MOST_BYTES / 2
    assert build_generator(weights, schema).settings == generator.settings


def test_many_classes_and_many_columns_share_their_bases() -> None:
    """Memory of a generator must not grow with classes times columns."""
    columns = tuple(Integer(name=f"n{i}", minimum=0, maximum=63) for i in range(100))
    label = Categorical(name="label", categories=tuple(f"l{level}" for level in range(20)))
    few = Schema(name="few", columns=(*columns[:5], label), label="label")
    many = Schema(name="many", columns=(*columns, label), label="label")
    assert all(form.is_given_label for form in GeneratorSettings.for_schema(few).forms[:5])
    settings = GeneratorSettings.for_schema(many)
    assert sum(settings.base_sizes) == sum(many.sizes)


def test_a_network_larger_than_what_came_is_never_built() -> None:
    """A few long latent codes would ask for a first layer of gigabytes."""
    schema = Schema(
        name="two",
        columns=tuple(Categorical(name=name, categories=("a", "b")) for name in ("x", "y")),
        label="y",
    )
    generator = Generator(GeneratorSettings.for_schema(schema), rng=torch.Generator())
    weights = dict(generator.state_dict()) | {"anchors": torch.zeros(8, 1, 1 << 20)}
    with pytest.raises(MalformedRequest, match="those of one network"):
        build_generator(weights, schema)
