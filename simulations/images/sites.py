"""The sites of a simulation on images: folders that look like those of real sites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from client.founding import found_site
from privacy import Policy, Unit
from server.study import Study
from simulations.images.demos import DIGITS, IMAGE_DEMOS, load_image_demo, split_codes
from simulations.partition import partition_table
from simulations.partition_spec import PartitionKind, parse_partition
from simulations.settings import SimulationSettings
from simulations.sites import site_folder
from synthesis import InputError
from synthesis.images.reading import check_images, read_image_units
from synthesis.images.saving import save_images
from synthesis.images.schema import ImageSchema
from synthesis.kinds import load_any_schema
from synthesis.units import Codes

IMAGES_FILE = "images.npz"
LABEL = "class"
_SHOWN = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class SimulatedImages:
    """All images of a simulation, which only a simulation may hold together.

    Attributes:
        schema: the public schema.
        names: public name of each site.
        tables: training images of each site, as codes.
        test: images that nothing is trained on.
    """

    schema: ImageSchema
    names: tuple[str, ...]
    tables: tuple[Codes, ...]
    test: Codes

    @property
    def train(self) -> Codes:
        """Training images of all sites together."""
        return np.concatenate(self.tables)

    @property
    def missing(self) -> Mapping[str, tuple[str, ...]]:
        """No site lacks a column, for images have none."""
        return {}

    @property
    def num_units(self) -> int:
        """Images that take part."""
        return sum(map(len, self.tables))


def is_of_images(settings: SimulationSettings) -> bool:
    """Return whether a simulation is one on images.

    Raises:
        InputError: if its schema cannot be read.
    """
    if settings.schema_file is not None:
        return isinstance(load_any_schema(settings.schema_file), ImageSchema)
    return settings.demo in IMAGE_DEMOS


def make_image_sites(settings: SimulationSettings) -> SimulatedImages:
    """Load the images and deal them to sites.

    Raises:
        InputError: if the data, the schema or the partition cannot be used.
    """
    rng = np.random.default_rng(settings.seed)
    spec = parse_partition(settings.partition)
    if spec.kind is PartitionKind.COLUMN or spec.column is not None:
        raise InputError(
            f"partition must be iid, dirichlet, sizes:... or lacking:N for images, got "
            f"{settings.partition!r}: they have a class and no columns.",
            argument="partition",
        )
    schema, train, test = _load(settings)
    classes = pd.DataFrame({LABEL: [schema.classes[number] for number in train[:, -1]]})
    partition = partition_table(
        spec, classes, num_sites=settings.sites, alpha=settings.alpha, label=LABEL, rng=rng
    )
    return SimulatedImages(
        schema=schema,
        names=partition.names,
        tables=tuple(train[rows] for rows in partition.rows),
        test=test,
    )


def found_image_sites(
    sites: SimulatedImages, study: Study, home: Path, *, epsilons: Sequence[float], seed: int
) -> None:
    """Found one site per part: keys, policy, ledger and images, as an installed site has them."""
    several = zip(sites.names, sites.tables, epsilons, strict=True)
    for number, (name, codes, epsilon) in enumerate(several):
        folder = site_folder(home, number)
        policy = Policy(
            epsilon=epsilon,
            delta=study.delta,
            unit=Unit.RECORD,
            max_rounds=study.rounds,
            models=(study.model,),
        )
        found_site(
            folder,
            name=name,
            data=IMAGES_FILE,
            schema=sites.schema,
            policy=policy,
            simulation_seed=seed,
        )
        save_images(folder / IMAGES_FILE, codes, sites.schema)


def _load(settings: SimulationSettings) -> tuple[ImageSchema, Codes, Codes]:
    if settings.data is None or settings.schema_file is None:
        demo = load_image_demo(settings.demo or DIGITS)
        return demo.schema, demo.train, demo.test
    schema = load_any_schema(settings.schema_file)
    if not isinstance(schema, ImageSchema):
        raise InputError(
            f"schema must describe images, and {settings.schema_file} describes a table.",
            argument="schema",
        )
    if bad := check_images(settings.data, schema):
        shown = "; ".join(each.sentence().rstrip(".") for each in bad[:_SHOWN])
        more = f"; and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
        raise InputError(f"data must fit the schema: {shown}{more}.", argument="data")
    train, test = split_codes(read_image_units(settings.data, schema).codes)
    return schema, train, test
