"""The parts of a report: plain frozen values, each readable on its own in report.json."""

from datetime import date
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from privacy.budget import Adjacency, Unit

SIMULATION_MARK: Final = "simulation: drawn from real rows"

Share = Annotated[float, Field(ge=0, le=1 + 1e-9)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Part(BaseModel):
    """What all parts share: frozen, no unknown fields, finite numbers."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )


class Release(Part):
    """The published table."""

    rows: Count
    """Synthetic rows."""
    columns: tuple[str, ...]
    """Column names, in order."""
    label: str
    """The column whose classes the study was conditioned on."""


class Promise(Part):
    """What every site was promised."""

    epsilon: NotNegative | None
    """The bound asked for, at every site; None without privacy."""
    delta: Share | None
    """The failure probability; None without privacy."""
    unit: Unit = Unit.RECORD
    """Whom one neighbouring change adds or removes."""
    adjacency: Adjacency = Adjacency.ADD_OR_REMOVE_ONE
    """When two tables count as neighbours."""
    accountant: Literal["pld", "rdp", "prv"] = "pld"
    """How the reported epsilon is computed from the events."""
    randomness: Literal["seeded", "system"]
    """Where noise came from: a seed (simulation only) or the operating system."""
    trust_model: str
    """Who sees what, in words."""
    not_promised: tuple[str, ...]
    """What the promise does not cover, one sentence each."""


class Event(Part):
    """One entry of a site's ledger."""

    study: str
    """The study that asked for it."""
    purpose: str
    """What it was for."""
    mechanism: Literal["gaussian", "poisson-sampled-gaussian"]
    """How noise was added."""
    noise_multiplier: NotNegative
    """Noise standard deviation divided by the L2 sensitivity."""
    sample_rate: Share | None = None
    """Probability that a unit enters a step, where steps sample."""
    steps: Count | None = None
    """Number of noisy steps, where there are several."""
    epsilon: NotNegative
    """What this event would cost if it were alone; such numbers do not add up to the total."""
    state: Literal["reserved", "running", "done", "failed"] | None = None
    """What became of it, where the ledger was read; whatever it is, it counts in full."""


class Totals(Part):
    """All events of a site together, by three accountants."""

    pld: NotNegative
    """Privacy loss distribution: the reported value."""
    rdp: NotNegative | None = None
    """Renyi accountant: looser, the stop rule and a cross-check."""
    prv: NotNegative | None = None
    """Opacus' privacy random variable accountant: a third opinion."""


class Policy(Part):
    """What a site's policy in force allows; a looser one takes an approver's signature."""

    epsilon: NotNegative
    """The most that all studies in the life of the data set may cost one unit together."""
    epsilon_per_study: NotNegative
    """The most one study may cost."""
    unit: Unit
    """Whom it protects, fixed for life."""
    holdout: Share
    """Share of units that nothing is trained on, fixed for life."""
    expires: date | None = None
    """Last day (UTC) on which a study may be reserved."""


class HeldReceipt(Part):
    """The last signed receipt of a site's ledger, as the coordinator holds it."""

    public_key: Digest
    """The key that signed it: Ed25519, hexadecimal."""
    fingerprint: str
    """A short form of the key, to read out and compare."""
    entries: Annotated[int, Field(ge=1)]
    """How many entries the ledger had."""
    head: Digest
    """SHA-256 of the last of them."""
    text: str
    """The whole receipt in one line, with which a copy of the ledger can be checked."""


class Spending(Part):
    """What a site's ledger had spent after one study, whatever became of the study."""

    study: str
    """The study."""
    reserved: str
    """When it was written into the ledger: UTC, ISO 8601."""
    alone: NotNegative
    """Epsilon of this study by itself."""
    total: NotNegative
    """Epsilon of everything in the ledger up to it, by PLD."""


class Site(Part):
    """One site: its ledger, or the study's plan for it where nobody has read the ledger."""

    name: str
    """The site's public name."""
    budget: NotNegative | None
    """The most its ledger allows in the whole life of the data set, or where the ledger was not
    read, what the study may cost; None without privacy."""
    delta: Share | None
    """The failure probability of that budget."""
    events: tuple[Event, ...] = ()
    """Everything that was reserved, whether or not it ran to its end."""
    total: Totals | None
    """What all events together cost; None without privacy."""
    left: NotNegative | None
    """What the ledger still allows; None where it was not read."""
    history: tuple[Spending, ...] = ()
    """The studies in the ledger, oldest first; of very many the last ones. Empty if not read."""
    adversarial_share: Share | None = None
    """Part of this study's budget, counted as 1 / noise squared, for the adversarial rounds."""
    ledger_head: str | None = None
    """SHA-256 of the ledger's last entry, where the ledger was read."""
    receipt: HeldReceipt | None = None
    """What the coordinator holds of the ledger; None where none was given."""
    policy: Policy | None = None
    """What the site allows, where its ledger was read."""
    missing_columns: tuple[str, ...] = ()
    """Columns that it declared that it does not have."""


class UtilityRow(Part):
    """How good one table is; a figure that was not measured is None."""

    kind: Literal["real", "floor", "independent", "sketch", "final"]
    """Real training rows, real rows against real rows, independent noisy columns, the sketch
    alone, or the release after the adversarial rounds."""
    boosting_auc: Share | None = None
    """Gradient boosting trained on this table, tested on real test rows."""
    boosting_accuracy: Share | None = None
    """The same, share of right predictions."""
    boosting_f1: Share | None = None
    """The same, F1."""
    logistic_auc: Share | None = None
    """Logistic regression trained on this table, tested on real test rows."""
    one_way: Share | None = None
    """Mean distance of the columns to real training rows, 0 is best."""
    two_way: Share | None = None
    """Mean distance of the pairs of columns, 0 is best."""
    two_sample_auc: Share | None = None
    """How well trees tell this table from real training rows, 0.5 is best."""


class Group(Part):
    """How good the release is for real rows with one value of a column."""

    column: str
    """The column; which ones are looked at follows from the public schema."""
    level: str
    """The value."""
    test_rows: Count
    """Real test rows with this value; a group with too few has no other figure."""
    auc: Share | None = None
    """Gradient boosting trained on the whole release, tested on these test rows."""
    real_auc: Share | None = None
    """The same trained on all real training rows."""
    two_way: Share | None = None
    """Mean distance of pairs of columns to real training rows, among rows with this value."""
    real_two_way: Share | None = None
    """The same of the real test rows: what chance makes of it; None in earlier versions."""


class Utility(Part):
    """Figures measured on real rows without noise; only a simulation has them."""

    mark: Literal["simulation: drawn from real rows"] = SIMULATION_MARK
    """Warns whoever reads this part alone."""
    train_rows: Count
    """Real rows of all sites together."""
    test_rows: Count
    """Real rows that nothing was trained on."""
    rows: tuple[UtilityRow, ...]
    """One entry per table compared."""
    groups: tuple[Group, ...] = ()
    """The release within groups of up to two columns; empty where no column has few values."""


class ColumnPicture(Part):
    """One column, real beside synthetic, as shares of rows."""

    name: str
    """The column."""
    labels: tuple[str, ...]
    """One text per cell: point masses, then levels or bins, then missing."""
    real: tuple[Share, ...]
    """Share of real rows per cell."""
    synthetic: tuple[Share, ...]
    """Share of synthetic rows per cell."""
    distance: Share
    """Total variation distance between the two."""
    is_numeric: bool
    """Whether cells are bins of numbers or dates."""
    is_ordered: bool
    """Whether the order of cells means something."""
    num_point_masses: Count = 0
    """How many leading cells are single exact values."""
    has_missing: bool = False
    """Whether the last cell counts missing values."""


class Pictures(Part):
    """What the pictures show; only a simulation has them."""

    mark: Literal["simulation: drawn from real rows"] = SIMULATION_MARK
    """Warns whoever reads this part alone."""
    columns: tuple[ColumnPicture, ...]
    """One entry per column."""
    pairwise: tuple[tuple[Share, ...], ...]
    """Distances of all pairs of columns; of the columns themselves on the diagonal."""


class Version(Part):
    """One piece of software that took part."""

    name: str
    """Its name."""
    version: str
    """Its version."""
