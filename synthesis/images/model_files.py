"""A generator of images on disk: weights as safetensors, architecture and schema as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from synthesis.errors import InputError
from synthesis.images.generator import ImageGenerator, ImageGeneratorSettings
from synthesis.images.schema import ImageSchema
from synthesis.kinds.schemas import parse_any_schema
from synthesis.model_files import DESCRIPTION_FILE, WEIGHTS_FILE
from synthesis.model_files import IMAGE_FORMAT as FORMAT


def save_image_generator(folder: Path, generator: ImageGenerator, schema: ImageSchema) -> None:
    """Write the generator's two files into an existing folder."""
    weights = {name: value.contiguous() for name, value in generator.state_dict().items()}
    (folder / WEIGHTS_FILE).write_bytes(save(weights))
    description = {
        "format": FORMAT,
        "architecture": {"hidden": generator.settings.hidden},
        "schema": schema.model_dump(mode="json"),
    }
    text = json.dumps(description, indent=2, ensure_ascii=False) + "\n"
    (folder / DESCRIPTION_FILE).write_text(text, encoding="utf-8")


def is_of_images(folder: Path) -> bool:
    """Return whether a release says that it is of images; one that cannot be read does not."""
    try:
        description = json.loads((folder / DESCRIPTION_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(description, dict) and description.get("format") == FORMAT


def load_image_generator(folder: Path) -> tuple[ImageGenerator, ImageSchema]:
    """Read a generator and its schema back.

    Raises:
        InputError: if a file is missing, broken, or of another format.
    """
    try:
        description = json.loads((folder / DESCRIPTION_FILE).read_text("utf-8"))
        schema = parse_any_schema(dict(description["schema"]), source=DESCRIPTION_FILE)
        if description["format"] != FORMAT or not isinstance(schema, ImageSchema):
            raise ValueError("it is of another format")
        settings = ImageGeneratorSettings.for_schema(
            schema, hidden=int(description["architecture"]["hidden"])
        )
        generator = ImageGenerator(settings, rng=torch.Generator())
        generator.load_state_dict(load_file(folder / WEIGHTS_FILE))
        generator.check_shares()
        if not all(bool(torch.isfinite(value).all()) for value in generator.state_dict().values()):
            raise ValueError("a weight is not finite")
    except InputError:
        raise
    except (
        *(OSError, KeyError, TypeError, ValueError, OverflowError, RuntimeError),
        SafetensorError,
    ) as error:
        raise InputError(
            f"the generator in {folder} cannot be read ({type(error).__name__}): its two files are "
            "missing, damaged or do not belong together; copy them again.",
            argument="dir",
        ) from None
    return generator, schema
