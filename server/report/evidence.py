"""What was tried against a release: audits by planted records, and attacks on its rows."""

from typing import Final, Literal

from server.report.parts import SIMULATION_MARK, Count, Digest, NotNegative, Part, Share

SITE_MARK: Final = "confidential: made from real rows, not private; keep it at the site"


class SiteAudit(Part):
    """One site's canaries: made-up records that entered by fair coins, which were then guessed."""

    site: str
    """The site's public name."""
    claim: NotNegative
    """Epsilon that the audited release costs by itself, at the promised delta."""
    commitment: Digest
    """SHA-256 of the coins and a secret salt, given before the release was made."""
    canaries: Count
    """How many canaries there were."""
    guesses: Count
    """For how many of them a guess was made; fixed beforehand."""
    right: Count | None
    """How many guesses were right; None if the site did not open its coins."""
    one_run: NotNegative | None
    """Lower bound on epsilon whatever the mechanism; 0: no violation shown. None as above."""
    f_dp: NotNegative | None
    """Lower bound on epsilon of a Gaussian mechanism; 0: no violation shown. None as above."""
    ceiling: NotNegative
    """What the one-run bound would have been if every guess had been right."""
    refutes: bool
    """Whether the guesses were too good for the claim."""


class Audit(Part):
    """Audits in the study itself, by canaries that sites made up."""

    release: str
    """Purpose of the event that was audited."""
    confidence: Share
    """That each bound holds."""
    sites: tuple[SiteAudit, ...]
    """The sites that planted canaries; no site has to."""


class Attack(Part):
    """One attack on the published rows, by somebody who holds real records to try."""

    kind: Literal["membership", "attribute", "singling-out", "copies"]
    """What it tries to find out."""
    name: str
    """How it works, in a few words."""
    measure: Literal["auc", "share"]
    """What ``found`` is: an AUC, where guessing gives 0.5, or a share of tries that succeed."""
    tried: Count
    """Tries of each kind: records, or for singling out, predicates."""
    found: Share
    """Success against records that were trained on."""
    low: Share
    """Lower end of the 95 % interval of ``found``."""
    high: Share
    """Upper end of it."""
    baseline: Share
    """Guessing, for an AUC; else success against records that nothing was trained on."""
    baseline_low: Share | None = None
    """Lower end of the 95 % interval of ``baseline``, where it was measured."""
    baseline_high: Share | None = None
    """Upper end of it."""
    guessing: Share | None = None
    """Success without the published rows: an AUC of 0.5, or a guess of the commonest value. None
    where nothing can be guessed."""
    allowed: Share | None = None
    """The most success that the promised epsilon and delta allow any attack; None where that was
    not computed. An attack that succeeds by less breaks no promise."""
    control: Share | None = None
    """Success of the same attack on a table that copies its training rows: an attack that cannot
    win there is no evidence. None if it was not tried."""
    control_succeeds: bool | None = None
    """Whether it wins there, by the same rule as ``succeeds``; else its silence says nothing."""
    succeeds: bool
    """Whether the attack does better than the baseline beyond both intervals, and by more than
    chance gives any of all attacks together in ``false_alarms`` of releases."""

    @property
    def is_foreseen(self) -> bool:
        """Whether it succeeds, and is not shown to find more than the promise allows."""
        return self.succeeds and self.allowed is not None and self.low <= self.allowed

    @property
    def is_broken_promise(self) -> bool:
        """Whether it finds more than the promise allows, beyond its interval."""
        return self.succeeds and self.allowed is not None and self.low > self.allowed


class Attacks(Part):
    """Attacks that need real records; only a simulation, or a site by itself, can try them."""

    mark: Literal[
        "simulation: drawn from real rows",
        "confidential: made from real rows, not private; keep it at the site",
    ] = SIMULATION_MARK
    """Warns whoever reads this part alone."""
    false_alarms: Share = 0.05
    """Chance that any attack is said to succeed where trained-on records are like others."""
    attacks: tuple[Attack, ...]
    """One entry per attack."""
    unknown_promise: str | None = None
    """Why nobody knows what the promise allows, as a sentence; None where that was computed."""

    @property
    def real(self) -> tuple[Attack, ...]:
        """What counts as an attack: all but the copies."""
        return tuple(attack for attack in self.attacks if attack.kind != "copies")

    @property
    def duplicates(self) -> tuple[Attack, ...]:
        """The copies: a check for duplicates, which tells nothing of anybody."""
        return tuple(attack for attack in self.attacks if attack.kind == "copies")
