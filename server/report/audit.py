"""The audit by canaries as a part of a report."""

from server.attestation.canaries import CanaryStatement, judge_site
from server.report.evidence import Audit, SiteAudit
from server.study import Study


def build_audit(stated: CanaryStatement | None, study: Study) -> Audit | None:
    """Return what canaries showed; None where no site planted any.

    Args:
        stated: what the release holds of them.
        study: its plan is what every site ran.
    """
    if stated is None:
        return None
    events = study.make_plan().events()
    return Audit(
        release=stated.release,
        confidence=stated.confidence,
        sites=tuple(
            SiteAudit.model_validate(judge_site(site, events, study.delta)) for site in stated.sites
        ),
    )
