"""The names on the wire: message types, records, keys, and the table of every field.

A conversation is ``query.hello``, then ``query.sketch``, then ``train`` once per round, then
``query.evaluate`` if the study has an evaluation, ``query.open`` to sites that planted canaries,
and in the end ``query.close``. A question may be asked again word for word, and then has the same
answer. A message carries at most three kinds of records: public settings (``config``), weights of
networks (``arrays``, and ``discriminator`` up) and noisy statistics (``sketch`` and ``evaluation``
up, ``pooled-sketch`` down).

``FIELDS`` in ``strategies.fields`` lists each key with the reason it is safe;
``strategies.gate.check_outgoing`` holds a reply against that table before it leaves a site.
A site that will not take part answers ``error_reply(message, RefusalCode.BUDGET_EXCEEDED)``: a
fixed code, never a text.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from privacy import EVALUATION_SHARES

if TYPE_CHECKING:
    from flwr.app import Message

PROTOCOL_VERSION: Final = 11
MAX_EPSILON: Final = 1000.0  # that a site accepts; the arrays of accounting grow with it
MAX_STEPS: Final = 1_000_000  # of a whole study, and rows of a batch, that a site accepts
MAX_PRIVATE_STEPS: Final = 100_000  # of a whole study; accounting takes longer with more
MAX_PROXIMAL: Final = 1e6  # strength with which a site's generator is held to what it received
MAX_ROWS_DRAWN: Final = 2_000_000_000  # steps of a whole study times rows of a batch

QUERY_HELLO: Final = "query.hello"
QUERY_SKETCH: Final = "query.sketch"
QUERY_EVALUATE: Final = "query.evaluate"
QUERY_OPEN: Final = "query.open"
QUERY_CLOSE: Final = "query.close"
TRAIN: Final = "train"
MESSAGE_TYPES: Final = (
    QUERY_HELLO,
    QUERY_SKETCH,
    TRAIN,
    QUERY_EVALUATE,
    QUERY_OPEN,
    QUERY_CLOSE,
)
# Flower routes "query.hello" to the function registered with ``@app.query(HELLO_ACTION)``.
HELLO_ACTION: Final = "hello"
SKETCH_ACTION: Final = "sketch"
EVALUATE_ACTION: Final = "evaluate"
OPEN_ACTION: Final = "open"
CLOSE_ACTION: Final = "close"

# Records.
CONFIG: Final = "config"
ARRAYS: Final = "arrays"
DISCRIMINATOR: Final = "discriminator"  # of a site, where the coordinator trains the generator
SKETCH: Final = "sketch"
POOLED_SKETCH: Final = "pooled-sketch"
EVALUATION: Final = "evaluation"  # also a setting: whether the study has one

# Keys of config records.
STUDY_ID: Final = "study-id"
CONFIG_HASH: Final = "config-hash"
SCHEMA_DIGEST: Final = "schema-digest"
SOFTWARE_VERSION: Final = "software-version"
PROTOCOL: Final = "protocol-version"
ACCEPTED: Final = "accepted"
REFUSAL_CODE: Final = "refusal-code"
EPSILON: Final = "epsilon"
DELTA: Final = "delta"
SAMPLE_RATE: Final = "sample-rate"
EXPECTED_BATCH_SIZE: Final = "expected-batch-size"
ROUNDS: Final = "rounds"
DISCRIMINATOR_STEPS: Final = "discriminator-steps"
GENERATOR_STEPS: Final = "generator-steps"
ADVERSARIAL_SHARE: Final = "adversarial-share"
ALLOW_LESS_EPSILON: Final = "allow-less-epsilon"
MAX_GRAD_NORM: Final = "max-grad-norm"
PROXIMAL: Final = "proximal"
RETURNS_DISCRIMINATOR: Final = "returns-discriminator"
TELLS_SITES_APART: Final = "tells-sites-apart"
SERVER_ROUND: Final = "server-round"
POOLED_NOISE_STD: Final = "pooled-noise-std"
NOISE_MULTIPLIER: Final = "noise-multiplier"
PLAN_EPSILON: Final = "plan-epsilon"
MODEL: Final = "model"
PUBLIC_KEY: Final = "public-key"
RECEIPT: Final = "receipt"
HELD_RECEIPT: Final = "held-receipt"
UNIT: Final = "unit"
UNIT_COUNT: Final = "unit-count"
MISSING_COLUMNS: Final = "missing-columns"
POLICY_EPSILON: Final = "policy-max-epsilon-per-study"
POLICY_NOISE: Final = "policy-smallest-noise-multiplier"
POLICY_ROUNDS: Final = "policy-max-rounds"
CANARIES: Final = "canaries"
CANARY_COMMITMENT: Final = "canary-commitment"
CANARY_SALT: Final = "canary-salt"
CANARY_COINS: Final = "canary-coins"
ENDING: Final = "ending"
FINISHED: Final = "finished"  # an ending: there is a release
GIVEN_UP: Final = "given-up"  # an ending: the study will not go on
NOISE_OF: Final = {  # by purpose of the release, which is also the key of its counts in EVALUATION
    purpose: f"noise-{purpose}" for purpose in EVALUATION_SHARES
}

# Keys of array records.
STATISTICS: Final = "statistics"  # of SKETCH and POOLED_SKETCH: the flat vector of noisy sums
ANY_NAME: Final = "*"  # of ARRAYS and DISCRIMINATOR: the layer names of the public architecture


class RefusalCode(StrEnum):
    """Everything a site may say about why it does not take part; the list is the whole channel."""

    NONE = "none"
    SCHEMA_MISMATCH = "schema-mismatch"
    VERSION_MISMATCH = "version-mismatch"
    MALFORMED = "malformed"
    UNKNOWN_MESSAGE = "unknown-message"
    POLICY_EXPIRES = "policy-expires"
    POLICY_STUDY_KINDS = "policy-study-kinds"
    POLICY_HOLDOUT = "policy-holdout"
    POLICY_MODELS = "policy-models"
    POLICY_MAX_ROUNDS = "policy-max-rounds"
    POLICY_SMALLEST_NOISE_MULTIPLIER = "policy-smallest-noise-multiplier"
    POLICY_MAX_EPSILON_PER_STUDY = "policy-max-epsilon-per-study"
    POLICY_MAY_BE_TOLD_APART = "policy-may-be-told-apart"
    POLICY_MAY_SEND_DISCRIMINATOR = "policy-may-send-discriminator"
    BUDGET_EXCEEDED = "budget-exceeded"
    STUDY_CHANGED = "study-changed"
    ALREADY_RELEASED = "already-released"
    LEDGER_BROKEN = "ledger-broken"
    NOT_JOINED = "not-joined"
    UNKNOWN_BUNDLE = "unknown-bundle"
    TOO_LARGE = "too-large"
    LOCAL_FAILURE = "local-failure"


# Flower's own error codes are 0 to 8; a refusal of ours uses a number far from them.
REFUSAL_ERROR: Final = 1001


def error_reply(message: Message, code: RefusalCode = RefusalCode.LOCAL_FAILURE) -> Message:
    """Answer ``message`` with a fixed code and nothing else.

    Flower would send the text of an exception to the coordinator word for word; a site that
    catches everything and answers with this function sends one of these words instead.
    """
    from flwr.app import Error, Message  # a plan needs the names alone

    return Message(Error(code=REFUSAL_ERROR, reason=code.value), reply_to=message)
