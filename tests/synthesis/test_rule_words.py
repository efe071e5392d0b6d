"""What a file breaks is said in words of such files: a class of sentences, not one by one."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from synthesis.rule_words import say_finding, say_place

Positive = Annotated[float, Field(gt=0)]


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    shares: Annotated[dict[str, float], Field(min_length=1)]


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")
    rows: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    share: Annotated[float, Field(le=0.95)] = 0.1
    epsilons: tuple[Positive, ...] = ()
    columns: Annotated[tuple[str, ...], Field(min_length=2, max_length=2)] = ("a", "b")
    names: Annotated[list[str], Field(min_length=1)] = ["a"]
    is_private: bool = True
    day: date = date(2026, 1, 1)
    path: Path = Path()
    kind: Literal["one", "two"] = "one"
    inner: tuple[Inner, ...] = ()

    @field_validator("names")
    @classmethod
    def _check_names(cls, names: list[str]) -> list[str]:
        if "x" in names:
            raise ValueError("no name may be x")
        return names


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rows": 0}, "rows must be at least 1"),
        ({"rows": 2_000_000}, "rows must be at most 1,000,000"),
        ({"rows": 1.5}, "rows must be a valid integer"),
        ({"rows": "many"}, "rows must be a valid integer"),
        ({"share": "much"}, "share must be a valid number"),
        ({"share": 2}, "share must be at most 0.95"),
        ({"epsilons": [1, 0]}, "epsilons, number 2 must be greater than 0"),
        ({"columns": ["a"]}, "columns must have at least 2 entries, and has 1"),
        ({"columns": ["a", "b", "c"]}, "columns must have at most 2 entries, and has 3"),
        ({"names": []}, "names must have at least 1 entry, and has none"),
        ({"names": ["x"]}, "names: no name may be x"),
        ({"names": [1]}, 'names, number 1 must be text in quotes, such as "0"'),
        ({"inner": [{"shares": {}}]}, "inner, number 1, shares must have at least 1 entry, and"),
        ({"inner": [{}]}, "inner, number 1, shares is required; add it"),
        ({"inner": [1]}, "inner, number 1 must be a table of settings"),
        ({"is_private": "perhaps"}, "is_private must be true or false"),
        ({"is_private": []}, "is_private must be true or false"),
        ({"day": "soon"}, "day must be a valid date or datetime"),
        ({"path": 3}, "path must be a path in quotes"),
        ({"kind": "three"}, "kind must be 'one' or 'two'"),
        ({"colour": 1}, "colour is not a known setting"),
        (3, "must be a table of settings"),
    ],
)
def test_a_finding_is_a_sentence_without_words_of_the_library(given: Any, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(given)
    found = say_finding(caught.value.errors()[0])
    assert found.startswith(said)
    for word in ("Input", "parse", "Tuple", "List", "Dictionary", "validation", "pydantic", "Path"):
        assert word not in found


def test_a_place_is_told_from_the_outside_in() -> None:
    assert say_place(()) == ""
    assert say_place(("sites", 2, "name")) == "sites, number 3, name"
