"""Audits of what fedsynth ships, and of a study before it runs, on rows that are nobody's.

`audit_step` tries whether one record moves any release by more than is charged; `rehearse` plants
canaries and tries to find them in what a site would release.
"""

from simulations.audits.claims import AuditedClaim, Rehearsal
from simulations.audits.rehearsal import rehearse
from simulations.audits.step import Measured, StepAudit, audit_step

__all__ = [
    "AuditedClaim",
    "Measured",
    "Rehearsal",
    "StepAudit",
    "audit_step",
    "rehearse",
]
