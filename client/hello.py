"""The first answer of a site: what it has, what it allows, and whether it will take part.

Everything is decided from public facts, the policy and the ledger; no record is read, unless the
policy says that the number of units is public knowledge.
"""

from __future__ import annotations

from collections.abc import Mapping

from flwr.app import ConfigRecordValues

from client.refusals import refusal_of
from client.reserving import check_study
from client.settings import StudyRequest
from client.site import Site
from client.site_config import name_positions
from client.version import software_version
from privacy import Part
from strategies import protocol
from strategies.protocol import RefusalCode


def answer_hello(
    site: Site, request: StudyRequest, asked: Mapping[str, object]
) -> dict[str, ConfigRecordValues]:
    """Return the settings of a site's answer to hello."""
    code = _find_refusal(site, request, asked)
    policy = site.ledger.policy
    answer: dict[str, ConfigRecordValues] = {
        protocol.SCHEMA_DIGEST: site.schema.digest(),
        protocol.SOFTWARE_VERSION: software_version(),
        protocol.PUBLIC_KEY: site.public_key.hex,
        protocol.ACCEPTED: code is RefusalCode.NONE,
        protocol.REFUSAL_CODE: code.value,
        protocol.UNIT: policy.unit.value,
        protocol.POLICY_EPSILON: policy.study_limit,
        protocol.POLICY_NOISE: policy.smallest_noise_multiplier,
        protocol.POLICY_ROUNDS: policy.max_rounds,
    }
    if site.missing:
        answer[protocol.MISSING_COLUMNS] = name_positions(site.missing)
    if policy.row_count_public:
        answer[protocol.UNIT_COUNT] = _training_units(site)
    return answer


def _training_units(site: Site) -> int:
    """Return how many units training may expect, from the number of all and the public share.

    How many there are in fact is not public: it would tell on which side of the split a unit lies.
    """
    number = sum(site.read_units(part).n_units for part in Part)
    return round(number * (1 - site.config.policy.holdout))


def _find_refusal(site: Site, request: StudyRequest, asked: Mapping[str, object]) -> RefusalCode:
    if asked[protocol.PROTOCOL] != protocol.PROTOCOL_VERSION:
        return RefusalCode.VERSION_MISMATCH
    if asked[protocol.SCHEMA_DIGEST] != site.schema.digest():
        return RefusalCode.SCHEMA_MISMATCH
    try:
        check_study(site, request)
    except (ValueError, RuntimeError) as error:
        return refusal_of(error)
    return RefusalCode.NONE
