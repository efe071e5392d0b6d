"""What a promise costs: budgets, events, accounting, noise, sampling and the site's ledger.

Everything here is about one site and knows nothing of networks or models. A mechanism is described
by an event; epsilon is a fold over events; a ledger keeps them for the life of a data set. Adding
noise, drawing batches, counting and keeping books stand alone; an event, its batches and its steps
meet in the private trainer.

What trains is imported at the first use of its name, so that a plan does not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from privacy.accounting import MIN_NOISE_MULTIPLIER, AccountantName, compute_epsilon
from privacy.approvals import Approval, approve
from privacy.budget import Adjacency, Budget, Part, Unit
from privacy.calibration import EVALUATION_SHARES, SitePlan, calibrate_gaussian, make_plan
from privacy.envelope import Envelope
from privacy.errors import (
    AlreadyReleased,
    BudgetExceeded,
    LedgerBroken,
    PolicyViolation,
    StudyChanged,
)
from privacy.events import Event, GaussianEvent, SampledGaussianEvent, event_from_dict
from privacy.keys import PublicKey, SigningKey
from privacy.ledger import Ledger
from privacy.ledger_entries import LedgerEntry, LedgerHeader, State
from privacy.mechanisms import GRID, gaussian_mechanism
from privacy.policy import Approver, Policy, StudyKind
from privacy.random_stream import RandomStream
from privacy.receipts import Receipt
from privacy.replay import EventSummary, LedgerSummary, ReservationSummary, replay_ledger

if TYPE_CHECKING:
    from privacy.audits.sensitivity import SensitivityResult, measure_sensitivity
    from privacy.private_step import PrivateStep
    from privacy.randomness import Randomness, SeededRandomness, SystemRandomness
    from privacy.sampling import poisson_batches
    from privacy.trainer import PrivateTrainer

__all__ = [
    "EVALUATION_SHARES",
    "GRID",
    "MIN_NOISE_MULTIPLIER",
    "AccountantName",
    "Adjacency",
    "AlreadyReleased",
    "Approval",
    "Approver",
    "Budget",
    "BudgetExceeded",
    "Envelope",
    "Event",
    "EventSummary",
    "GaussianEvent",
    "Ledger",
    "LedgerBroken",
    "LedgerEntry",
    "LedgerHeader",
    "LedgerSummary",
    "Part",
    "Policy",
    "PolicyViolation",
    "PrivateStep",
    "PrivateTrainer",
    "PublicKey",
    "RandomStream",
    "Randomness",
    "Receipt",
    "ReservationSummary",
    "SampledGaussianEvent",
    "SeededRandomness",
    "SensitivityResult",
    "SigningKey",
    "SitePlan",
    "State",
    "StudyChanged",
    "StudyKind",
    "SystemRandomness",
    "Unit",
    "approve",
    "calibrate_gaussian",
    "compute_epsilon",
    "event_from_dict",
    "gaussian_mechanism",
    "make_plan",
    "measure_sensitivity",
    "poisson_batches",
    "replay_ledger",
]

_HOMES = {
    "PrivateStep": "privacy.private_step",
    "PrivateTrainer": "privacy.trainer",
    "Randomness": "privacy.randomness",
    "SeededRandomness": "privacy.randomness",
    "SensitivityResult": "privacy.audits.sensitivity",
    "SystemRandomness": "privacy.randomness",
    "measure_sensitivity": "privacy.audits.sensitivity",
    "poisson_batches": "privacy.sampling",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import a name that needs torch when it is first asked for."""
        if name not in _HOMES:
            raise AttributeError(f"module 'privacy' has no attribute {name!r}")
        globals()[name] = getattr(import_module(_HOMES[name]), name)
        return globals()[name]

    def __dir__() -> list[str]:
        """List the public names also before they are imported."""
        return sorted({*globals(), *__all__})
