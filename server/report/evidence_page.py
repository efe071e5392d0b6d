"""What the page shows of audits and attacks, the bad first."""

from __future__ import annotations

from typing import Any, Final

from server.report.attack_words import describe_control
from server.report.evidence import Attacks, Audit, SiteAudit
from server.report.evidence_pictures import draw_attacks, draw_audits

MAX_LANES: Final = 24


def show_audit(audit: Audit | None) -> dict[str, Any]:
    """Return the template's values about canaries; of many sites some are drawn."""
    sites = audit.sites if audit else ()
    ranked = sorted(sites, key=_weight)[:MAX_LANES]
    shown = [site for site in sites if site in ranked]
    label = "Claimed epsilon of each site beside the lower bound and the ceiling of its audit"
    return {
        "audits": shown,
        "audit_drawing": draw_audits(shown, label) if shown else None,
        "refuted": [site.site for site in sites if site.refutes],
        "not_opened": [site.site for site in sites if site.one_run is None],
    }


def show_attacks(attacks: Attacks | None) -> dict[str, Any]:
    """Return the template's values about attacks; copies are no attack but a check."""
    tried = attacks.attacks if attacks else ()
    real = attacks.real if attacks else ()
    label = "Success of each attack with its interval, beside baseline, promise and control"
    return {
        "attacks": real,
        "attack_drawing": draw_attacks(real, label) if real else None,
        "duplicates": attacks.duplicates if attacks else (),
        "beyond": [attack for attack in tried if attack.is_broken_promise],
        "winning": [attack for attack in real if attack.succeeds and attack.allowed is None],
        "foreseen": [attack for attack in real if attack.is_foreseen],
        "control_words": describe_control(attacks) if attacks else "",
    }


def _weight(site: SiteAudit) -> tuple[bool, bool, float]:
    """Sort what a reader must see to the front: refuted, then silent, then the largest bounds."""
    bound = max(site.one_run or 0.0, site.f_dp or 0.0)
    return (not site.refutes, site.one_run is not None, -bound)
