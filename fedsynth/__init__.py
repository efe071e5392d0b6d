"""The front door: the public Python API and the command line, and nothing else.

Users import only this package. It stays thin: what it offers is made in the other packages, which
are imported at the first use of a name, so that ``fedsynth --help`` does not wait for torch.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING

from fedsynth.shadows import check_root_packages

if TYPE_CHECKING:
    from fedsynth.api import ImageSimulationResult, SimulationResult, simulate
    from fedsynth.attacks import Attacks, attack_rows
    from fedsynth.audits import Rehearsal, StepAudit, audit_step, rehearse
    from fedsynth.sampling import sample, sample_batches, write_sample
    from fedsynth.study_audit import StudyAudit, audit_study
    from privacy.errors import BudgetExceeded
    from strategies.errors import StudyFailed
    from synthesis.errors import InputError
    from synthesis.mixing import Mixing

# First of all, so that a foreign `client.py` in the way is named instead of failing later.
check_root_packages()
# Threads that spin while they wait take minutes for seconds where cores are shared; read by torch.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__all__ = [
    "Attacks",
    "BudgetExceeded",
    "ImageSimulationResult",
    "InputError",
    "Mixing",
    "Rehearsal",
    "SimulationResult",
    "StepAudit",
    "StudyAudit",
    "StudyFailed",
    "attack_rows",
    "audit_step",
    "audit_study",
    "rehearse",
    "sample",
    "sample_batches",
    "simulate",
    "write_sample",
]

_HOMES = {
    "Attacks": "fedsynth.attacks",
    "BudgetExceeded": "privacy.errors",
    "ImageSimulationResult": "fedsynth.api",
    "InputError": "synthesis.errors",
    "Mixing": "synthesis.mixing",
    "Rehearsal": "fedsynth.audits",
    "SimulationResult": "fedsynth.api",
    "StepAudit": "fedsynth.audits",
    "StudyAudit": "fedsynth.study_audit",
    "StudyFailed": "strategies.errors",
    "attack_rows": "fedsynth.attacks",
    "audit_step": "fedsynth.audits",
    "audit_study": "fedsynth.study_audit",
    "rehearse": "fedsynth.audits",
    "sample": "fedsynth.sampling",
    "sample_batches": "fedsynth.sampling",
    "simulate": "fedsynth.api",
    "write_sample": "fedsynth.sampling",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import a public name when it is first asked for."""
        if name not in _HOMES:
            raise AttributeError(f"module 'fedsynth' has no attribute {name!r}")
        globals()[name] = getattr(import_module(_HOMES[name]), name)
        return globals()[name]

    def __dir__() -> list[str]:
        """List the public names also before they are imported."""
        return sorted({*globals(), *__all__})
