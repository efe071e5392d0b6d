"""A data site on disk: one folder with its configuration, its keys, its ledger and its state.

``site.toml`` names the data, the schema and the policy that holds for the life of the data set.
Nothing a coordinator sends can change this file.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from client.data_source import dataset_of
from client.patience import read_patiently
from client.reading import read_any_units
from client.site_config import SITE_FILE, SiteConfig, find_positions, parse_config
from privacy import (
    Ledger,
    Part,
    PolicyViolation,
    PublicKey,
    Receipt,
    SigningKey,
)
from privacy.secret_files import read_secret
from synthesis import InputError
from synthesis.durable_file import replace_file
from synthesis.kinds import AnySchema, load_any_schema

if TYPE_CHECKING:
    from privacy import Randomness
    from synthesis.units import Units

KEY_FILE = "keys/site.pem"
SPLIT_KEY_FILE = "keys/split.key"
RECEIPT_FILE = "keys/last.receipt"


@dataclass(frozen=True, kw_only=True)
class Site:
    """One data site: its folder and what it has decided.

    Attributes:
        folder: where everything of the site lies.
        config: the content of ``site.toml``.
        is_simulated: whether whoever opened it runs a simulation; only then may noise be seeded.
        patience_s: longest wait for data that are out of reach.
        receipt_file: where the last receipt is kept, from the folder.
    """

    folder: Path
    config: SiteConfig
    is_simulated: bool = False
    patience_s: float = 0.0
    receipt_file: str = RECEIPT_FILE

    @cached_property
    def schema(self) -> AnySchema:
        """The public schema the site has approved."""
        return load_any_schema(self.folder / self.config.schema_file)

    @cached_property
    def missing(self) -> tuple[int, ...]:
        """Positions of the schema's columns that the site lacks by its public declaration.

        Raises:
            InputError: if a name is not of the schema or is the label's, or nothing is left.
        """
        return find_positions(self.schema, self.config.missing_columns)

    @cached_property
    def key(self) -> SigningKey:
        """The key with which the site signs its ledger.

        Raises:
            InputError: if it cannot be read.
        """
        try:
            return SigningKey.load(self.folder / KEY_FILE)
        except ValueError as error:
            raise InputError(f"{error}; restore it from a backup.", argument="key") from None

    @property
    def public_key(self) -> PublicKey:
        """The public half of the site's key."""
        return self.key.public

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger of the site's data set, with the policy of ``site.toml`` in force.

        A policy that was tightened in the file is put into the ledger here.

        Raises:
            InputError: if there is no ledger, if the policy in the file is looser than the one in
                force, or if the schema is for another unit.
            LedgerBroken: if the ledger was altered, signed with another key, or is older than the
                last receipt this site gave.
        """
        path = self.folder / self.config.ledger
        if not path.is_file():
            raise InputError(
                f"the site's ledger must be at {path}, and it is not: without it nobody knows what "
                "was spent. Restore the latest copy; a data set gets one ledger in its life.",
                argument="ledger",
            )
        ledger = Ledger.open(path, key=self.key)
        if (receipt := self.last_receipt) is not None:
            ledger.check_receipt(receipt)  # reads the file again, which may have grown meanwhile
        if (dataset := dataset_of(self.config.data)) != ledger.header.dataset:
            raise InputError(
                f"data in {SITE_FILE} must be the data set the ledger was opened for, "
                f"{ledger.header.dataset!r}, got {dataset!r}: what was spent belongs to one "
                "table. Put it back, or found a new site for another table.",
                argument="data",
            )
        if ledger.header.unit != self.schema.unit.kind:
            raise InputError(
                f"unit of privacy must be the one the ledger was opened with "
                f"({ledger.header.unit.value}), for it holds for the life of the data set, and the "
                f"schema declares {self.schema.unit.kind}; use a schema for that unit.",
                argument="schema",
            )
        try:
            ledger.change_policy(self.config.policy)
        except PolicyViolation as error:
            raise InputError(
                f"policy in {SITE_FILE} allows more than the one in force ({error.rule}): "
                f"{error.reason}. Have it approved with 'fedsynth site policy approve', or put it "
                "back.",
                argument="policy",
            ) from None
        except ValueError as error:
            raise InputError(f"policy in {SITE_FILE}: {error}.", argument="policy") from None
        return ledger

    @property
    def last_receipt(self) -> Receipt | None:
        """The last receipt this site gave, kept beside its key and not beside its ledger.

        Raises:
            InputError: if it cannot be read.
        """
        path = self.folder / self.receipt_file
        try:
            return Receipt.from_text(path.read_text(encoding="ascii"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            raise InputError(
                f"{path} must hold the last receipt this site gave, and it cannot be read; restore "
                "it, or remove it if you know that the ledger is the latest.",
                argument="receipt",
            ) from None

    def give_receipt(self) -> Receipt:
        """Return a receipt over the ledger as it is now, after keeping a copy of it.

        With it the site finds out by itself when its ledger was put back, whoever else forgets.
        """
        receipt = self.ledger.receipt()
        replace_file(self.folder / self.receipt_file, f"{receipt.to_text()}\n".encode("ascii"))
        return receipt

    @property
    def randomness(self) -> Randomness:
        """Operating-system entropy, or a seed in a simulation.

        Raises:
            InputError: if there is a seed and this is no simulation.
        """
        from privacy import SeededRandomness, SystemRandomness  # they wait for torch

        if self.config.simulation_seed is None:
            return SystemRandomness()
        if not self.is_simulated:
            raise InputError(
                f"simulation_seed must not stand in {SITE_FILE} of a deployed site, for whoever "
                "knows the seed can subtract the noise; remove it.",
                argument="simulation_seed",
            )
        return SeededRandomness(self.config.simulation_seed)

    @property
    def split_key(self) -> bytes:
        """The secret by which units fall on their side of the hold-out.

        Raises:
            InputError: if it cannot be read.
        """
        path = self.folder / SPLIT_KEY_FILE
        try:
            content = read_secret(path)
        except ValueError as error:
            raise InputError(
                f"{error}; restore it from a backup if it is lost, for another key would mix "
                "training and hold-out units.",
                argument="split key",
            ) from None
        try:
            key = bytes.fromhex(content.decode("ascii").strip())
        except ValueError:
            key = b""
        if len(key) != 32:
            raise InputError(
                f"{path} must hold the 64 hexadecimal digits it was made with; restore it from a "
                "backup.",
                argument="split key",
            )
        return key

    def read_units(self, part: Part) -> Units:
        """Read and encode one part of the private table, by records or by persons.

        Call it only after the ledger holds the reservation. Every record is read by itself: one
        that breaks the schema does not take part, and changes neither how others are read nor
        whether an answer leaves. Which part a unit is in depends on that unit alone.

        Raises:
            InputError: if the data are absent, unreadable or lack a column.
            SourceUnavailable: if they stay out of reach for longer than the site's patience.
        """
        units = read_patiently(self._read_all_units, self.patience_s)
        training, held_out = units.split(self.split_key, self.config.policy.holdout)
        return training if part is Part.TRAINING else held_out

    def _read_all_units(self) -> Units:
        return read_any_units(self.config.data, self.folder, self.schema, self.missing)


def load_site(folder: str | Path, *, is_simulated: bool = False) -> Site:
    """Read a site's folder.

    Raises:
        InputError: if ``site.toml`` is missing or says something it must not.
    """
    path = Path(folder) / SITE_FILE
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"site folder must hold {SITE_FILE}, and {folder} does not; make one with "
            "'fedsynth site init'.",
            argument="site",
        ) from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.", argument="site") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} is not valid TOML: {error}.", argument="site") from None
    return Site(folder=Path(folder), config=parse_config(content), is_simulated=is_simulated)
