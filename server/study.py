"""The study: what the coordinator asks of all sites, in one public file.

Numbers here are declared, never measured. ``nominal_rows`` is a public order of magnitude from
which sampling rates and batch sizes follow; the true row counts stay at the sites.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticUndefined

from privacy import Budget, SitePlan, make_plan
from privacy.calibration import MIN_SHARE
from privacy.checks import MAX_CLIP, MIN_CLIP
from privacy.policy import MIXTURE
from server.image_defaults import image_defaults
from strategies.protocol import (
    MAX_EPSILON,
    MAX_PRIVATE_STEPS,
    MAX_PROXIMAL,
    MAX_ROWS_DRAWN,
    MAX_STEPS,
)
from strategies.rules import RuleSettings, check_rule, usual_settings
from synthesis import InputError
from synthesis.kinds import IMAGES
from synthesis.rule_words import say_place, say_rule

LOWEST_DELTA = 1e-10
AUTO = "auto"
"""In a file: the planner is to choose this number. A study that travels never holds it."""


class Study(BaseModel):
    """The public settings of a study.

    Attributes:
        name: identifier, unique in the life of every site's ledger.
        epsilon: what each site may spend on this study, > 0.
        delta: failure probability, in (1e-10, 1).
        model: generator family: ``mixture`` for tables, a mixture of products behind one network,
            ``images``, or for both ``vae``, an autoencoder that the rounds train privately.
        adversarial_share: part of the budget, counted as 1 / noise squared, for the adversarial
            rounds; 0 is the sketch alone and must be asked for.
        rounds: adversarial rounds.
        discriminator_steps: private steps per site and round.
        generator_steps: generator steps per site and round; free.
        sample_rate: probability that a unit enters a discriminator step.
        nominal_rows: declared order of magnitude of a site's units (rows, or persons).
        max_grad_norm: clip of one record's gradient.
        fit_steps: steps of the coordinator's fit to the pooled sketch; free.
        minimum_sites: fewest sites with which a round counts.
        deadline_s: longest wait for the sites in one phase or round.
        seed: of the public randomness (initial weights, sampling); not of any noise.
        wire_format: what one weight of a generator is on the wire: ``float16``, ``float32`` or
            ``int8`` (8 bits with a scale for every block; sites answer with what they changed).
        strategy: rule by which the sites' results become one (``strategies.rules.RULES``).
        server_learning_rate: how far a step of ``fedavgm`` (1 when left out), ``fedadam`` or
            ``fedyogi`` (0.01) goes.
        server_momentum: how much of its last step such a rule keeps (0.9).
        bad_sites: how many sites may answer whatever they like; for robust rules, at least 1.
        max_site_groups: groups of sites at most that have members of their own in the generator,
            where their sketches differ beyond noise; 1 describes all sites together.
        proximal: how strongly each site's generator is held to the one that it received, >= 0 (mu
            of FedProx, Li et al. 2020); free.
        evaluation: whether sites release noised counts of their hold-out at the end; a unit is
            in the hold-out or in training, so this costs nobody more than epsilon.
        allow_less_epsilon: whether a site whose policy allows a study less than epsilon takes part
            for as much as it allows, instead of not at all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: Annotated[str, Field(pattern=r"^[\w.+:-]{1,100}$")] = "study"
    epsilon: Annotated[float, Field(gt=0, le=MAX_EPSILON)] = 1.0
    delta: Annotated[float, Field(gt=LOWEST_DELTA, lt=1)] = 1e-5
    model: Literal["mixture", "images", "vae"] = MIXTURE
    adversarial_share: Annotated[float, Field(ge=0, le=0.95)] = 0.1
    rounds: Annotated[int, Field(ge=0, le=10_000)] = 5
    discriminator_steps: Annotated[int, Field(ge=1, le=10_000)] = 12
    generator_steps: Annotated[int, Field(ge=0, le=10_000)] = 40
    sample_rate: Annotated[float, Field(gt=0, le=1)] = 0.1
    nominal_rows: Annotated[int, Field(ge=1)] = 10_000
    max_grad_norm: Annotated[float, Field(ge=MIN_CLIP, le=MAX_CLIP)] = 1.0
    fit_steps: Annotated[int, Field(ge=1, le=1_000_000)] = 1500
    minimum_sites: Annotated[int, Field(ge=2)] = 2
    deadline_s: Annotated[float, Field(gt=0)] = 3600.0
    seed: Annotated[int, Field(ge=0)] = 0
    wire_format: Literal["float32", "float16", "int8"] = "float16"
    strategy: str = "fedavg"
    server_learning_rate: Annotated[float, Field(gt=0, le=1000)] = Field(
        default_factory=lambda: 1.0
    )
    server_momentum: Annotated[float, Field(ge=0, lt=1)] = Field(default_factory=lambda: 0.0)
    bad_sites: Annotated[int, Field(ge=0)] = 0
    max_site_groups: Annotated[int, Field(ge=1, le=16)] = 16
    proximal: Annotated[float, Field(ge=0, le=MAX_PROXIMAL)] = 0.0
    evaluation: bool = False
    allow_less_epsilon: bool = False

    @model_validator(mode="before")
    @classmethod
    def _fill_in_strategy(cls, content: object) -> object:
        """Give the strategy its usual settings where they were left out."""
        if not isinstance(content, dict):
            return content
        return dict(usual_settings(str(content.get("strategy", "fedavg")))) | content

    @model_validator(mode="after")
    def _check_rounds(self) -> Study:
        if (self.rounds == 0) != (self.adversarial_share == 0):
            raise ValueError(
                "rounds and adversarial_share must both be 0 (the sketch alone) or both be above 0"
            )
        if 0 < self.adversarial_share < MIN_SHARE:
            raise ValueError(
                f"adversarial_share must be 0 or at least {MIN_SHARE}, got {self.adversarial_share}"
            )
        if self.rounds * max(self.discriminator_steps, self.generator_steps) > MAX_STEPS:
            raise ValueError(
                f"rounds times steps must be at most {MAX_STEPS:,}, which is what a site accepts; "
                "lower rounds, discriminator_steps or generator_steps"
            )
        if self.expected_batch_size > MAX_STEPS:
            raise ValueError(
                f"sample_rate times nominal_rows must be at most {MAX_STEPS:,}, which is what a "
                "site accepts; lower sample_rate"
            )
        return self

    @model_validator(mode="after")
    def _check_work(self) -> Study:
        if self.rounds * self.discriminator_steps > MAX_PRIVATE_STEPS:
            raise ValueError(
                f"rounds times discriminator_steps must be at most {MAX_PRIVATE_STEPS:,}, which is "
                "what a site accepts; lower one of them"
            )
        steps = self.rounds * (self.discriminator_steps + self.generator_steps)
        if steps * self.expected_batch_size > MAX_ROWS_DRAWN:
            raise ValueError(
                f"steps times the expected batch size must be at most {MAX_ROWS_DRAWN:,} in all "
                "rounds, which is what a site accepts; lower rounds, steps or sample_rate"
            )
        return self

    @model_validator(mode="after")
    def _check_strategy(self) -> Study:
        check_rule(self.strategy, self.rule_settings, minimum_sites=self.minimum_sites)
        return self

    @property
    def rule_settings(self) -> RuleSettings:
        """The parameters of the strategy as one value."""
        return RuleSettings(
            server_learning_rate=self.server_learning_rate,
            server_momentum=self.server_momentum,
            bad_sites=self.bad_sites,
        )

    @property
    def expected_batch_size(self) -> int:
        """Declared batch size of a discriminator step, at least 1."""
        return max(1, round(self.sample_rate * self.nominal_rows))

    @property
    def budget(self) -> Budget:
        """Epsilon and delta as one value."""
        return Budget(epsilon=self.epsilon, delta=self.delta)

    def make_plan(self, epsilon: float | None = None) -> SitePlan:
        """Return what a site would spend; each site computes it by itself.

        Args:
            epsilon: of the site, where it spends less than the study asks for.
        """
        return make_plan(
            self.budget if epsilon is None else replace(self.budget, epsilon=epsilon),
            sample_rate=self.sample_rate,
            steps=self.rounds * self.discriminator_steps,
            adversarial_share=self.adversarial_share,
            evaluation=self.evaluation,
        )

    def digest(self) -> str:
        """Return a SHA-256 of all settings, kept in every site's ledger."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()


def parse_study(content: dict[str, Any], *, source: str = "") -> Study:
    """Build a study from plain values; ``source`` is what messages call their file, if any.

    What a study on images does not name follows :func:`server.image_defaults.image_defaults`.

    Raises:
        InputError: naming the setting, its value and the rule.
    """
    usual = image_defaults(content) if content.get("model") == IMAGES else {}
    try:
        return Study.model_validate({**usual, **content})
    except ValidationError as error:
        raise explain_settings(error, Study, source) from None


def load_study(path: str | Path) -> Study:
    """Read a study file (TOML).

    Raises:
        InputError: if the file is missing, is no TOML, or has a setting that it must not.
    """
    content = read_toml(path, argument="study")
    for table in ("simulation", "release"):
        content.pop(table, None)
    name = Path(path).name
    if content.get("adversarial_share") == AUTO:
        raise InputError(
            f"{name}: adversarial_share must be a number before sites see the study, got "
            f"{AUTO!r}; 'fedsynth plan' chooses it: write its number here.",
            argument="adversarial_share",
        )
    return parse_study(content, source=name)


def read_toml(path: str | Path, *, argument: str) -> dict[str, Any]:
    """Read a TOML file as plain values.

    Raises:
        InputError: if it is missing or not TOML.
    """
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise InputError(
            f"{argument} must be a TOML file, and there is none at {path}; check the path.",
            argument=argument,
        ) from None
    except PermissionError:
        raise InputError(
            f"{argument} file {path} may not be read; check its permissions.", argument=argument
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"{argument} file {path} is not valid TOML: {error}; correct it there.",
            argument=argument,
        ) from None


def explain_settings(
    error: ValidationError, model: type[BaseModel], source: str = ""
) -> InputError:
    """Turn pydantic's findings into sentences: the setting, the rule, the value, the way out."""
    filled_in = _FILLED_IN if model is Study else frozenset()
    defaults = {
        field.alias or name: None if name in filled_in else field.default
        for name, field in model.model_fields.items()
    }
    findings = error.errors()
    sentences = [_explain(detail, defaults) for detail in findings]
    text = f"{source}: " if source else ""
    where = findings[0]["loc"]
    argument = str(where[0]) if where else "settings"
    return InputError(f"{text}{'; and '.join(sentences)}.", argument=argument)


_FILLED_IN = frozenset(
    {
        *("name", "model", "adversarial_share", "rounds", "discriminator_steps", "generator_steps"),
        *("sample_rate", "nominal_rows", "max_grad_norm", "fit_steps", "seed"),
    }
)
"""Settings that the planner, a simulation or the kind of data fills in, each in its way."""


def _explain(detail: ErrorDetails, defaults: Mapping[str, object]) -> str:
    name = say_place(detail["loc"]) or "settings"
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    if detail["type"] == "extra_forbidden":
        close = get_close_matches(name, defaults, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(defaults)}"
        return f"{name} is not a known setting; remove it or check its spelling ({hint})"
    default = defaults.get(name)
    way_out = "correct it or leave it out"
    if default is not PydanticUndefined and default not in (None, ()):
        way_out += f" for the default {default}"
    return f"{name} {say_rule(detail)}, got {detail['input']!r}; {way_out}"
