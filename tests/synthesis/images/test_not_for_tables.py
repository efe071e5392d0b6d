"""What takes a table says so of images, in one sentence with the way out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from synthesis import InputError
from synthesis.images.generator import ImageGenerator, ImageGeneratorSettings
from synthesis.images.model_files import save_image_generator
from synthesis.images.schema import ImageSchema
from synthesis.kinds import dump_any_schema
from synthesis.model_files import load_generator
from synthesis.schema import load_schema

SCHEMA = ImageSchema(name="small", height=8, width=8, classes=("a", "b"))


def test_a_schema_of_images_is_called_by_its_name_where_a_table_is_taken(tmp_path: Path) -> None:
    (tmp_path / "images.toml").write_text(dump_any_schema(SCHEMA))
    with pytest.raises(InputError, match="describes images, and this takes a table"):
        load_schema(tmp_path / "images.toml")


def test_a_generator_of_images_is_not_taken_for_one_of_another_version(tmp_path: Path) -> None:
    settings = ImageGeneratorSettings.for_schema(SCHEMA)
    save_image_generator(tmp_path, ImageGenerator(settings, rng=torch.Generator()), SCHEMA)
    with pytest.raises(InputError, match="draws images and no table"):
        load_generator(tmp_path)
