"""The signed statement of a release, and how a reader checks it offline.

A reader needs nothing but the release and this package, and waits for neither torch nor Flower.
"""

from server.attestation.figures import REPORT_FILE
from server.attestation.folder import check_outside
from server.attestation.predicate import ENVELOPE_FILE, PREDICATE_TYPE, Predicate, Statement
from server.attestation.signing import Attestation, SiteEvents, sign_release
from server.attestation.verdict import Check, ReleaseBroken, Signer, TrustedKeys, Verdict
from server.attestation.verifying import find_altered, verify_release

__all__ = [
    "ENVELOPE_FILE",
    "PREDICATE_TYPE",
    "REPORT_FILE",
    "Attestation",
    "Check",
    "Predicate",
    "ReleaseBroken",
    "Signer",
    "SiteEvents",
    "Statement",
    "TrustedKeys",
    "Verdict",
    "check_outside",
    "find_altered",
    "sign_release",
    "verify_release",
]
