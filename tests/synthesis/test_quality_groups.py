"""Quality within groups: who is looked at is public, and no group is worse off unseen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

import simulations
from synthesis.quality import choose_group_columns, marginal_distance, predict, score, score_groups
from synthesis.quality.groups import FEWEST_ROWS, GroupQuality
from synthesis.schema import Boolean, Categorical, Integer, Schema, load_schema

SCHEMA = Schema(
    name="clinic",
    columns=(
        Categorical(name="region", categories=tuple("abcdefg")),  # more than six: too fine
        Categorical(name="ward", categories=("x", "y", "z")),
        Categorical(name="sex", categories=("f", "m"), missing=True),
        Categorical(name="shift", categories=("late", "early")),
        Integer(name="age", minimum=0, maximum=99),
        Boolean(name="ill", true="yes", false="no"),
    ),
    label="ill",
)


def table(seed: int, num_rows: int = 1_200) -> pd.DataFrame:
    """Age decides for women and nothing does for men; ward z is rare."""
    rng = np.random.default_rng(seed)
    age, sex = rng.integers(0, 100, num_rows), rng.choice(np.array(["f", "m"]), num_rows)
    drawn = rng.integers(0, 100, num_rows)
    return pd.DataFrame(
        {
            "region": rng.choice(np.array(list("abcdefg")), num_rows),
            "ward": rng.choice(np.array(["x", "y", "z"]), num_rows, p=[0.5, 0.485, 0.015]),
            "sex": np.where(rng.random(num_rows) < 0.02, None, sex.astype(object)),
            "shift": rng.choice(np.array(["late", "early"]), num_rows),
            "age": age,
            "ill": np.where(np.where(sex == "f", age, drawn) > 50, "yes", "no"),
        }
    )


def groups_of(synthetic: pd.DataFrame) -> dict[tuple[str, str], GroupQuality]:
    train, test = table(1), table(2)
    found = score_groups(
        SCHEMA,
        synthetic,
        train,
        test,
        boosting=predict(SCHEMA, synthetic, test, "boosting"),
        real_boosting=predict(SCHEMA, train, test, "boosting"),
    )
    return {(group.column, group.level): group for group in found}


def test_the_columns_follow_from_the_schema_alone() -> None:
    assert choose_group_columns(SCHEMA) == ("sex", "shift")
    census = load_schema(f"{simulations.__path__[0]}/data/adult.toml")
    assert choose_group_columns(census) == ("gender", "race")
    only_label = Schema(
        name="bare",
        columns=(
            Categorical(name="kind", categories=("a", "b")),
            Integer(name="age", minimum=0, maximum=9),
        ),
        label="kind",
    )
    assert choose_group_columns(only_label) == ()


def test_a_group_that_cannot_be_predicted_shows_beside_one_that_can() -> None:
    found = groups_of(table(3))
    women, men = found["sex", "f"], found["sex", "m"]
    assert women.auc is not None and men.auc is not None
    assert women.auc > 0.95 and abs(men.auc - 0.5) < 0.1
    assert women.real_auc is not None and women.real_auc > 0.95
    assert set(found) == {("sex", "f"), ("sex", "m"), ("shift", "late"), ("shift", "early")}


def test_a_group_is_scored_on_its_own_rows_by_the_one_model() -> None:
    synthetic, test = table(3), table(2)
    predictions = predict(SCHEMA, synthetic, test, "boosting")
    rows = (test["sex"] == "f").to_numpy()
    alone = roc_auc_score(test["ill"][rows] == "yes", predictions.probabilities[rows, 1])
    assert predictions.score(rows).auc == pytest.approx(alone)
    assert groups_of(synthetic)["sex", "f"].auc == pytest.approx(alone)
    known = score(SCHEMA, synthetic, table(1), test, boosting=predictions)
    assert known == score(SCHEMA, synthetic, table(1), test)


def test_distances_are_those_within_the_group() -> None:
    synthetic = table(3)
    spoiled = synthetic.assign(age=synthetic["age"].where(synthetic["sex"] != "m", 7))
    honest, found = groups_of(synthetic), groups_of(spoiled)
    for level, is_worse in (("f", False), ("m", True)):
        before, after = honest["sex", level].two_way, found["sex", level].two_way
        assert before is not None and after is not None
        assert (after > before + 0.05) is is_worse


def test_real_rows_say_what_chance_makes_of_a_distance() -> None:
    """It is the same whatever the synthetic rows are like."""
    for (column, level), group in groups_of(table(3).assign(age=7)).items():
        train, test = (rows[rows[column] == level] for rows in (table(1), table(2)))
        assert group.real_two_way == marginal_distance(SCHEMA, test, train, 2)


def test_small_groups_are_named_and_left_out_and_absent_ones_have_no_distance() -> None:
    rare = table(1).assign(sex="f"), table(2)
    rare[1].loc[FEWEST_ROWS - 10 :, "sex"] = "f"
    predictions = predict(SCHEMA, rare[0], rare[1], "boosting")
    found = score_groups(
        SCHEMA, rare[0], rare[0], rare[1], boosting=predictions, real_boosting=predictions
    )
    men = next(group for group in found if group.level == "m")
    assert 0 < men.test_rows < FEWEST_ROWS
    assert (men.auc, men.real_auc, men.two_way, men.real_two_way) == (None,) * 4
    no_men = groups_of(table(3).assign(sex="f"))["sex", "m"]
    assert no_men.two_way is None and no_men.auc is not None and no_men.real_two_way is not None
