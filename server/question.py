"""The public settings of a study as they travel to every site."""

from __future__ import annotations

from importlib.metadata import version

from flwr.app import ConfigRecord, ConfigRecordValues

from server.kinds import tells_sites_apart
from server.study import Study
from strategies import protocol
from strategies.rules import RULES, MdGan
from synthesis.kinds import AnySchema


def settings_of(study: Study) -> ConfigRecord:
    """Return the settings that every question repeats."""
    is_central = RULES[study.strategy] is MdGan  # the coordinator takes the generator's steps
    settings: dict[str, ConfigRecordValues] = {
        protocol.STUDY_ID: study.name,
        protocol.CONFIG_HASH: study.digest(),
        protocol.MODEL: study.model,
        protocol.EPSILON: study.epsilon,
        protocol.DELTA: study.delta,
        protocol.SAMPLE_RATE: study.sample_rate,
        protocol.EXPECTED_BATCH_SIZE: study.expected_batch_size,
        protocol.ROUNDS: study.rounds,
        protocol.DISCRIMINATOR_STEPS: study.discriminator_steps,
        protocol.GENERATOR_STEPS: 0 if is_central else study.generator_steps,
        protocol.ADVERSARIAL_SHARE: study.adversarial_share,
        protocol.MAX_GRAD_NORM: study.max_grad_norm,
        protocol.PROXIMAL: study.proximal,
        protocol.RETURNS_DISCRIMINATOR: is_central,
        protocol.TELLS_SITES_APART: tells_sites_apart(study),
        protocol.EVALUATION: study.evaluation,
        protocol.ALLOW_LESS_EPSILON: study.allow_less_epsilon,
    }
    return ConfigRecord(settings)


def hello_of(study: Study, schema: AnySchema) -> ConfigRecord:
    """Return the settings of the first question, by which a site decides whether to take part."""
    settings = settings_of(study)
    settings[protocol.SCHEMA_DIGEST] = schema.digest()
    settings[protocol.SOFTWARE_VERSION] = version("fedsynth")
    settings[protocol.PROTOCOL] = protocol.PROTOCOL_VERSION
    return settings
