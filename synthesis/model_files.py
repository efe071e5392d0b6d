"""A generator on disk: weights as safetensors, architecture and schema as JSON; no pickle."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from synthesis.architecture import GeneratorSettings, SiteGroup
from synthesis.errors import InputError
from synthesis.generator import Generator
from synthesis.schema import Schema, parse_schema

FORMAT = "fedsynth-generator/3"
IMAGE_FORMAT = "fedsynth-image-generator/4"
_ONE_GROUP = "fedsynth-generator/2"
"""The format before there were groups of sites, which is read as one group."""
WEIGHTS_FILE = "generator.safetensors"
DESCRIPTION_FILE = "generator.json"


def save_generator(folder: Path, generator: Generator, schema: Schema) -> None:
    """Write the generator's two files into an existing folder."""
    weights = {name: value.contiguous() for name, value in generator.state_dict().items()}
    # Not save_file: it reports a full disk as a defect of the file.
    (folder / WEIGHTS_FILE).write_bytes(save(weights))
    description = {
        "format": FORMAT,
        "architecture": generator.settings.to_dict(),
        "groups": [asdict(group) for group in generator.settings.groups],
        "schema": schema.model_dump(mode="json"),
    }
    text = json.dumps(description, indent=2, ensure_ascii=False) + "\n"
    (folder / DESCRIPTION_FILE).write_text(text, encoding="utf-8")


def load_generator(folder: str | Path) -> tuple[Generator, Schema]:
    """Read a generator and its schema back.

    Raises:
        InputError: if a file is missing, broken, or of another format.
    """
    path = Path(folder)
    for name in (DESCRIPTION_FILE, WEIGHTS_FILE):
        if not (path / name).is_file():
            raise InputError(
                f"release folder must hold {name}, and {folder} does not; "
                "give the folder that simulate wrote.",
                argument="dir",
            )
    try:
        description: dict[str, Any] = json.loads((path / DESCRIPTION_FILE).read_text("utf-8"))
        if description["format"] == IMAGE_FORMAT:
            raise InputError(
                f"the generator in {folder} draws images and no table; draw them with 'fedsynth "
                "sample DIR --rows N --out FILE.npz'.",
                argument="dir",
            )
        if description["format"] not in (FORMAT, _ONE_GROUP):
            raise InputError(
                f"{DESCRIPTION_FILE} must be of format {FORMAT}, it is "
                f"{description['format']!r}; use the version of fedsynth that wrote it.",
                argument="dir",
            )
        schema = parse_schema(description["schema"], source=DESCRIPTION_FILE)
        settings = GeneratorSettings.for_schema(
            schema,
            groups=[
                SiteGroup(share=float(each["share"]), sites=tuple(map(str, each["sites"])))
                for each in description.get("groups", ())
            ],
            **description["architecture"],
        )
        generator = Generator(settings, rng=torch.Generator())
        generator.load_state_dict(load_file(path / WEIGHTS_FILE))
        if not all(bool(torch.isfinite(weight).all()) for weight in generator.parameters()):
            raise ValueError("a weight is not finite")
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise InputError(
            f"the generator in {folder} cannot be read ({type(error).__name__}): its two files are "
            "damaged or do not belong together; copy them again.",
            argument="dir",
        ) from None
    return generator, schema
