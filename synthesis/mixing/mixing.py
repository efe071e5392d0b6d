"""What can be asked of the composition of rows, and which wishes go together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthesis.errors import InputError
from synthesis.mixing.interpolation import LATENT, METHODS
from synthesis.mixing.site_shares import SiteShares, check_site_shares, parse_site_shares


@dataclass(frozen=True, kw_only=True, eq=False)
class Mixing:
    """Wishes about the composition of synthetic rows; all of them are free post-processing.

    Attributes:
        mix: shares of the sites: ``"SITE=SHARE,SITE=SHARE"``, or a mapping.
        match: target marginals: a TOML file, or what one would hold.
        balance: a column whose levels are to have equal shares.
        parity: ``"GROUP,OUTCOME"``, two columns that are to be independent; or the two names.
        interpolate: ``"mixup"``, ``"smote"`` or ``"latent"``: rows between generated rows of one
            class, or between latent codes.
        strength: the longest way to the other row or code, in (0, 1]; 1 if left out.
        schedule: a TOML file of periods, each with rows and wishes of its own.

    Raises:
        InputError: if a wish cannot be understood, or two do not go together.
    """

    mix: str | SiteShares | None = None
    match: str | Path | Mapping[str, Any] | None = None
    balance: str | None = None
    parity: str | tuple[str, str] | None = None
    interpolate: str | None = None
    strength: float | None = None
    schedule: str | Path | None = None

    def __post_init__(self) -> None:
        if self.mix is not None:
            check_site_shares(self.site_shares)
        if self.parity is not None and len(self.pair or ()) != 2:
            raise InputError(
                f'parity must name two columns, such as "sex,income", got {self.parity!r}.',
                argument="parity",
            )
        if self.interpolate not in (None, *METHODS):
            raise InputError(
                f"interpolate must be {', '.join(METHODS[:-1])} or {METHODS[-1]}, got "
                f"{self.interpolate!r}.",
                argument="interpolate",
            )
        self._check_strength()
        self._check_together()

    @property
    def pair(self) -> tuple[str, str] | None:
        """Group and outcome of parity."""
        if self.parity is None:
            return None
        names = self.parity.split(",") if isinstance(self.parity, str) else self.parity
        found = tuple(name.strip() for name in names)
        return found if len(found) == 2 and all(found) else None

    @property
    def site_shares(self) -> SiteShares:
        """Shares of the sites that are named; none if nothing is asked of them."""
        return parse_site_shares(self.mix) if isinstance(self.mix, str) else self.mix or {}

    @property
    def is_asked(self) -> bool:
        """Whether anything is asked for."""
        wishes = (self.mix, self.match, self.balance, self.parity, self.interpolate, self.schedule)
        return any(wish is not None for wish in wishes)

    def _check_strength(self) -> None:
        if self.strength is None:
            return
        if self.interpolate is None:
            raise InputError(
                f"strength {self.strength:g} is how far interpolate goes, and nothing is "
                "interpolated; name a method with interpolate or leave strength out.",
                argument="strength",
            )
        if not 0 < self.strength <= 1:
            raise InputError(
                f"strength must be above 0 and at most 1, got {self.strength:g}.",
                argument="strength",
            )

    def _check_together(self) -> None:
        if self.interpolate not in (None, LATENT):
            for wish in ("match", "parity"):
                if getattr(self, wish) is not None:
                    raise InputError(
                        f"interpolate {self.interpolate} would undo {wish}: rows between rows have "
                        "other shares than these; leave one of them out, or interpolate latent.",
                        argument="interpolate",
                    )
        if self.schedule is not None:
            for wish in ("mix", "match", "balance", "parity", "interpolate"):
                if getattr(self, wish) is not None:
                    raise InputError(
                        f"schedule goes without {wish}: every period says in the file what it is "
                        f"to have; put {wish} there or leave schedule out.",
                        argument="schedule",
                    )
