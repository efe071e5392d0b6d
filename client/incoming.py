"""What comes from the coordinator as numbers: weights, whose shapes tell a public architecture.

Nothing is believed: neither that an array is what its label says, nor that it is small.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from flwr.app import Array, Message
from numpy.typing import NDArray
from torch import Tensor

from client.refusals import MalformedRequest
from strategies.fields import fields_of
from strategies.wire_field import Direction
from strategies.wire_format import is_one_format, unpack
from synthesis.architecture import GeneratorSettings
from synthesis.evaluation import EvaluationLayout, ScoreNetwork
from synthesis.generator import Generator
from synthesis.images.generator import MOST_HIDDEN, ImageGenerator, ImageGeneratorSettings
from synthesis.images.schema import ImageSchema
from synthesis.kinds import AnySchema
from synthesis.kinds.vae import AnyVae, VaeKind
from synthesis.vae.images import VAE_HIDDEN

_WIDEST = 4096
_MOST_PROBABILITIES = 50_000_000
_HEADER_BYTES = 1024
_GENERATOR = {"anchors", "network.0.bias"}
_REFINING_BIAS = "refine.0.bias"
_SCORE_BIAS = "layers.0.bias"


def read_arrays(message: Message, record: str) -> dict[str, Tensor]:
    """Return the arrays of one record of a message as tensors of their own, weights in float32.

    Args:
        message: from the coordinator; its form is known to be the listed one.
        record: name of the record; without it nothing is returned.

    Raises:
        MalformedRequest: if an array is not what its label says, or a value is not finite or
            beyond the bounds of the table.
    """
    kind = message.metadata.message_type
    largest = min(f.high for f in fields_of(kind, Direction.DOWN) if f.record == record)
    if record not in message.content:
        return {}
    arrays = message.content.array_records[record]
    read = {name: _read(array) for name, array in arrays.items()}
    try:
        values = unpack(read)
    except ValueError as error:
        raise MalformedRequest(f"weights from the coordinator cannot be read: {error}") from None
    # The answer has one format, and is held against the question when all is spent.
    if not is_one_format(arrays):
        raise MalformedRequest("weights from the coordinator must all be in one format.")
    for each in values.values():
        if each.size and not np.abs(each).max() <= largest:  # also refuses what is not a number
            raise MalformedRequest(
                f"values from the coordinator must be at most {largest:g} in size."
            )
    return {name: torch.from_numpy(each) for name, each in values.items()}


def _read(array: Array) -> NDArray[Any]:
    shape, dtype = tuple(array.shape), np.dtype(array.dtype)
    if not 0 <= len(array.data) - dtype.itemsize * math.prod(shape) <= _HEADER_BYTES:
        raise MalformedRequest("an array from the coordinator is larger or smaller than its shape.")
    try:
        values = np.array(array.numpy())
    except (ValueError, TypeError, EOFError, OSError) as error:
        raise MalformedRequest(f"an array from the coordinator cannot be read: {error}") from None
    if values.dtype != dtype or values.shape != shape:
        raise MalformedRequest("an array from the coordinator must have the stated form.")
    return values


def build_generator(weights: Mapping[str, Tensor], schema: AnySchema) -> Generator | ImageGenerator:
    """Build the generator that the weights are of.

    Args:
        weights: as they came.
        schema: of the site.

    Raises:
        MalformedRequest: if a weight is missing, or the shapes fit no generator for this schema.
    """
    if isinstance(schema, ImageSchema):
        return _build_image_generator(weights, schema)
    if not weights.keys() >= _GENERATOR or weights["anchors"].ndim != 3:
        raise MalformedRequest("weights from the coordinator must be those of a generator.")
    num_members, num_anchors, latent_dim = weights["anchors"].shape
    hidden = (0, *weights["network.0.bias"].shape)[-1]
    if min(num_members, num_anchors, latent_dim) < 1:
        raise MalformedRequest("the generator must have some members and latent codes.")
    _check_width(hidden)
    try:
        settings = GeneratorSettings.for_schema(
            schema,
            num_members=num_members,
            num_anchors=num_anchors,
            latent_dim=latent_dim,
            hidden=hidden,
        )
    except ValueError as error:
        raise MalformedRequest(f"the generator cannot be as it is told: {error}") from None
    _check_size(weights, least=settings.num_weights)
    if settings.num_parts * max(hidden, sum(settings.base_sizes)) > _MOST_PROBABILITIES:
        raise MalformedRequest("the generator must have fewer latent codes than these.")
    generator = Generator(settings, rng=torch.Generator().manual_seed(0))
    _load(generator, weights)
    return generator


def _build_image_generator(weights: Mapping[str, Tensor], schema: ImageSchema) -> ImageGenerator:
    bias = weights.get(_REFINING_BIAS)
    if bias is None or bias.ndim != 1 or not 1 <= len(bias) <= MOST_HIDDEN:
        raise MalformedRequest(
            f"the generator must have 1 to {MOST_HIDDEN} channels in its second stage."
        )
    settings = ImageGeneratorSettings.for_schema(schema, hidden=len(bias))
    generator = ImageGenerator(settings, rng=torch.Generator().manual_seed(0))
    _load(generator, weights)
    try:
        generator.check_shares()
    except ValueError as error:
        raise MalformedRequest(f"the generator cannot draw: {error}") from None
    return generator


def build_autoencoder(weights: Mapping[str, Tensor], schema: AnySchema) -> AnyVae:
    """Build the autoencoder that the weights are of.

    Raises:
        MalformedRequest: if a weight is missing, or the shapes fit none for this schema.
    """
    hidden = VAE_HIDDEN
    if isinstance(schema, ImageSchema):
        hidden = _build_image_generator(_without_encoder(weights), schema).settings.hidden
    vae = VaeKind(schema).make(torch.Generator().manual_seed(0), hidden=hidden)
    _load(vae, weights)
    return vae


def _without_encoder(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: each for name, each in weights.items() if not name.startswith("encoder.")}


def build_score_network(weights: Mapping[str, Tensor], layout: EvaluationLayout) -> ScoreNetwork:
    """Build the score network that the weights are of.

    Raises:
        MalformedRequest: if a weight is missing, or the shapes fit no network for this schema.
    """
    bias = weights.get(_SCORE_BIAS)
    if bias is None or bias.ndim != 1:
        raise MalformedRequest("weights from the coordinator must be those of a score network.")
    width = sum(layout.sizes) - layout.sizes[layout.label_index]
    _check_width(len(bias))
    _check_size(weights, least=len(bias) * width)
    network = ScoreNetwork(layout, hidden=len(bias), rng=torch.Generator().manual_seed(0))
    _load(network, weights)
    return network


def _check_width(hidden: int) -> None:
    if not 1 <= hidden <= _WIDEST:
        raise MalformedRequest(f"hidden layers must be 1 to {_WIDEST} wide.")


def _check_size(weights: Mapping[str, Tensor], *, least: int) -> None:
    """Refuse a network larger than the weights that came: building it would fill memory."""
    if sum(weight.numel() for weight in weights.values()) < least:
        raise MalformedRequest("weights from the coordinator must be those of one network.")


def _load(network: torch.nn.Module, weights: Mapping[str, Tensor]) -> None:
    try:
        network.load_state_dict(dict(weights))
    except RuntimeError as error:
        raise MalformedRequest(f"weights must fit the schema: {error}") from None
