"""Which wishes can be understood and go together."""

from __future__ import annotations

from typing import Any

import pytest

from synthesis.errors import InputError
from synthesis.mixing import Mixing


@pytest.mark.parametrize(
    ("wishes", "said"),
    [
        ({"parity": "sex"}, "parity must name two columns, such as \"sex,income\", got 'sex'"),
        ({"parity": "a,b,c"}, "parity must name two columns"),
        ({"parity": "a,"}, "parity must name two columns"),
        ({"interpolate": "gan"}, "interpolate must be mixup, smote or latent, got 'gan'"),
        ({"strength": 0.5}, "strength 0.5 is how far interpolate goes, and nothing is"),
        ({"interpolate": "mixup", "strength": 0}, "strength must be above 0 and at most 1, got 0"),
        ({"interpolate": "latent", "strength": 1.5}, "at most 1, got 1.5"),
        ({"interpolate": "latent", "strength": float("nan")}, "at most 1, got nan"),
        ({"interpolate": "mixup", "match": "t.toml"}, "interpolate mixup would undo match"),
        ({"interpolate": "smote", "parity": "a,b"}, "interpolate smote would undo parity"),
        ({"schedule": "s.toml", "balance": "a"}, "schedule goes without balance"),
        ({"mix": "north"}, "mix: write sites with their shares, such as"),
        ({"mix": "north=some"}, "got 'north=some'"),
        ({"mix": "=1"}, "got '=1'"),
        ({"mix": ""}, "got ''"),
        ({"mix": "a=0.5,a=0.5"}, "mix: the site 'a' is there twice"),
        ({"mix": "a=0.7,b=0.2"}, "must add to 1, and these add to 0.9"),
        ({"mix": {"a": 1.5, "b": -0.5}}, "the share of 'a' must be from 0 to 1, got 1.5"),
        ({"mix": {"a": float("nan")}}, "the share of 'a' must be from 0 to 1, got nan"),
        ({"mix": {}}, "must add to 1, and these add to 0"),
        ({"schedule": "s.toml", "mix": "a=1"}, "schedule goes without mix"),
        ({"schedule": "s.toml", "match": "t.toml"}, "schedule goes without match"),
    ],
)
def test_wishes_that_make_no_sense(wishes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        Mixing(**wishes)
    assert said in str(caught.value)
    assert str(caught.value).endswith(".")


def test_wishes_that_go_together() -> None:
    assert not Mixing().is_asked
    assert Mixing(parity=" sex , income ").pair == ("sex", "income")
    assert Mixing(parity=("a,b", "c")).pair == ("a,b", "c")
    assert Mixing(match={}, balance="a", parity="b,c", interpolate="latent", strength=0.1).is_asked
    assert Mixing(balance="a", interpolate="smote").is_asked
