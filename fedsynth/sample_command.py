"""``fedsynth sample``: more rows from a release, into a new file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fedsynth.new_file import check_new_file
from synthesis.model_files import load_generator
from synthesis.sampling import sample_table
from synthesis.tables import FORMATS, write_table


def write_sample(release: Path, rows: int, *, out: Path, where: Sequence[str], seed: int) -> None:
    """Draw rows from the generator in a release folder and write them to ``out``.

    Raises:
        InputError: if something given cannot be used; then nothing is written.
    """
    check_new_file(out, endings=FORMATS)
    generator, schema = load_generator(release)
    write_table(sample_table(generator, schema, rows, seed=seed, where=where), out)
