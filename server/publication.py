"""What a release says of itself beyond the study: licence and creator, which sites never see."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from server.report import Report
from server.study import explain_settings, read_toml

TABLE: Final = "release"


class Publication(BaseModel):
    """The ``[release]`` table of a study file; it is no setting and in no digest of the study.

    Attributes:
        licence: SPDX identifier such as ``CC-BY-4.0``, or the address of a licence.
        creator: who publishes the release, in one line.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    licence: Annotated[str | None, Field(pattern=r"^(https?://\S+|[A-Za-z0-9.+-]+)$")] = None
    creator: Annotated[str | None, Field(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")] = None

    def write_into(self, report: Report) -> Report:
        """Return the report with licence and creator."""
        return report.model_copy(update=self.model_dump())


def load_publication(path: str | Path | None) -> Publication:
    """Read the table from a study file; nothing is said where there is no file or no table.

    Raises:
        InputError: naming the setting, its value and the rule.
    """
    content: Mapping[str, Any] = {} if path is None else read_toml(path, argument="study")
    try:
        return Publication.model_validate(content.get(TABLE, {}))
    except ValidationError as error:
        source = f"{Path(path).name}, [{TABLE}]" if path is not None else ""
        raise explain_settings(error, Publication, source) from None
