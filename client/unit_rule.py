"""One rule for the life of a data set: who is a unit, and on which side of the hold-out it lies.

Training and hold-out never share a unit, so a unit pays for one of them only. That holds as long as
every study divides the units in the same way: with another share or key, or with records coded by
another schema, a unit could be trained on in one study and evaluated on in the next, and would pay
for both.
"""

from __future__ import annotations

import hashlib
import json

from client.site import Site
from synthesis import InputError

UNITS = "units"


def check_same_units(site: Site) -> str:
    """Return the digest of the site's rule, which goes into the ledger with each reservation.

    Raises:
        InputError: if a study in the ledger followed another rule.
    """
    digest = _describe(site)
    known = {entry.details[UNITS] for entry in site.ledger.entries() if UNITS in entry.details}
    if known - {digest}:
        raise InputError(
            "units must be told apart and held out as in earlier studies of this ledger: the same "
            "person column, holdout and split key and, for a hold-out of records, the same schema "
            "and missing columns; "
            "put them back, for a unit in both parts would pay twice.",
            argument="holdout",
        )
    return digest


def _describe(site: Site) -> str:
    unit, share = site.schema.unit, site.config.policy.holdout
    rule: list[object] = [unit.kind, unit.person_column, share]
    if share > 0:
        # The digest goes into the ledger: it tells keys apart and does not give them away.
        rule.append(hashlib.sha256(b"split key" + site.split_key).hexdigest())
        if unit.kind == "record":  # a record's side follows from its codes
            rule.append(site.schema.digest())
            if site.missing:
                rule.append(list(site.missing))
    return hashlib.sha256(json.dumps(rule).encode()).hexdigest()
