"""The report: everything a reader needs to judge a release, as one frozen value."""

import json
from datetime import datetime
from typing import Final, Literal, Self

from pydantic import AwareDatetime, model_validator

from server.report.consistency import Consistency
from server.report.cost import Cost
from server.report.evaluation import Evaluation
from server.report.evidence import Attacks, Audit
from server.report.gain import Belief, Gain, list_beliefs
from server.report.images import Images
from server.report.parts import (
    Part,
    Pictures,
    Promise,
    Release,
    Site,
    Utility,
    Version,
)
from server.report.refusals import Refusal
from server.report.sketch_noise import SketchNoise
from server.report.strategy import Strategy
from server.report.target import TargetReport

FORMAT: Final = "fedsynth-report/1"
STAMP: Final = "NOT DIFFERENTIALLY PRIVATE"


class Report(Part):
    """A release, what was promised for it, how it was made and how good it is."""

    format: Literal["fedsynth-report/1"] = FORMAT
    """Version of this layout; a reader refuses what it does not know."""
    stamp: Literal["NOT DIFFERENTIALLY PRIVATE"] | None = None
    """Set exactly when `private` is false."""
    private: bool
    """Whether the release keeps a promise of differential privacy."""
    title: str
    """One line."""
    dataset: str
    """The schema's name."""
    study: str
    """Identifier of the study."""
    licence: str | None = None
    """Under which the table is published: SPDX identifier or address; None if nobody said."""
    creator: str | None = None
    """Who publishes it; None if nobody said."""
    created: AwareDatetime
    """When the report was written."""
    command: str | None = None
    """What to run to get the same release, where that is possible."""
    software: tuple[Version, ...]
    """What took part."""
    release: Release
    """The published table."""
    promise: Promise
    """What every site was promised."""
    sites: tuple[Site, ...]
    """Their ledgers."""
    refusals: tuple[Refusal, ...] | None = None
    """Sites that were asked and are not in the release; None in reports of earlier versions."""
    gain: Gain | None = None
    """What an attacker could gain at most; None without privacy and in earlier versions."""
    strategy: Strategy | None = None
    """How the sites' results became one; None in reports of earlier versions."""
    consistency: Consistency | None = None
    """How alike the sites are; None in reports of earlier versions."""
    target: TargetReport | None = None
    """How far table and sites are from a public target; None where nobody gave one."""
    never_together: tuple[tuple[str, str], ...] = ()
    """Pairs of columns that no site has both of: how they hang together was never measured."""
    utility: Utility | None = None
    """Figures against real rows; None where nobody may see all real rows."""
    sketch_noise: SketchNoise | None = None
    """How much noise the counts hold; None in reports of earlier versions."""
    evaluation: Evaluation | None = None
    """Figures from noised counts of hold-outs; None where the study had no evaluation."""
    audit: Audit | None = None
    """What canaries showed; None where no site planted any."""
    attacks: Attacks | None = None
    """What attacks with real records achieved; None where nobody tried any."""
    pictures: Pictures | None = None
    """Real beside synthetic; None where nobody may see all real rows."""
    images: Images | None = None
    """What the images look like; None for a table."""
    cost: Cost = Cost()
    """What the study took."""
    limits: tuple[str, ...] = ()
    """What a reader should not conclude, one sentence each."""

    @property
    def is_planned(self) -> bool:
        """Whether sites show what the study planned, because nobody has read their ledgers."""
        return self.private and any(site.ledger_head is None for site in self.sites)

    @property
    def is_of_images(self) -> bool:
        """Whether what is published are images and no table."""
        return self.images is not None

    @property
    def worst_epsilon(self) -> float | None:
        """The most any unit of one site is exposed to; None without privacy."""
        if not self.private or self.promise.epsilon is None:
            return None
        spent = [site.total.pld for site in self.sites if site.total is not None]
        return max([self.promise.epsilon, *spent])

    @property
    def beliefs(self) -> tuple[Belief, ...]:
        """How far beliefs can move; nothing without privacy."""
        if self.gain is not None:
            return self.gain.beliefs
        epsilon = self.worst_epsilon
        return () if epsilon is None else list_beliefs(epsilon)

    @model_validator(mode="before")
    @classmethod
    def _set_stamp(cls, fields: object) -> object:
        if isinstance(fields, dict) and fields.get("private") is False:
            return {"stamp": STAMP, **fields}
        return fields

    @model_validator(mode="after")
    def _check_stamp(self) -> Self:
        if (self.stamp is None) is not self.private:
            raise ValueError(f"stamp must be {STAMP!r} exactly when private is false")
        return self

    @model_validator(mode="after")
    def _check_promise(self) -> Self:
        if not self.private:
            return self
        if self.promise.epsilon is None or self.promise.delta is None:
            raise ValueError("promise must have epsilon and delta; or set private to false")
        silent = [site.name for site in self.sites if site.total is None or site.budget is None]
        if silent:
            raise ValueError(
                f"sites {silent} must have a total and a budget; or set private to false"
            )
        return self

    @model_validator(mode="after")
    def _check_images(self) -> Self:
        if self.images is None or not self.private or self.promise.randomness == "seeded":
            return self
        if self.images.figures is not None or self.images.shows_real:
            raise ValueError(
                "images must show no real image and hold no figures outside of a simulation; "
                "leave them out"
            )
        return self

    @model_validator(mode="after")
    def _check_created(self) -> Self:
        if self.created.utcoffset() != datetime.min - datetime.min:
            raise ValueError("created must be in UTC")
        return self


def report_to_json(report: Report) -> str:
    """Return report.json: indented, in the order of the model, ending in a newline."""
    return report.model_dump_json(indent=2) + "\n"


def report_from_json(text: str) -> Report:
    """Read report.json back.

    Raises:
        pydantic.ValidationError: if the text is no report of this format.
    """
    return Report.model_validate_json(text)


def render_json_schema() -> str:
    """Return the JSON Schema of report.json, as it is shipped beside this module."""
    content = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:fedsynth:report:1",
        **Report.model_json_schema(mode="serialization"),
    }
    return json.dumps(content, indent=2) + "\n"
