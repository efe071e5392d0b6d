import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from synthesis.errors import InputError
from synthesis.quality import score, train_and_test, two_sample_auc
from synthesis.quality.prediction import _scores
from synthesis.schema import Boolean, Categorical, Integer, Schema

BINARY = Schema(
    name="binary",
    columns=(
        Categorical(name="ward", categories=("a", "b"), missing=True),
        Integer(name="age", minimum=0, maximum=99, missing=True),
        Boolean(name="ill", true="yes", false="no"),
    ),
    label="ill",
)
THREE = Schema(
    name="three",
    columns=(
        Integer(name="age", minimum=0, maximum=99),
        Categorical(name="stage", categories=("i", "ii", "iii")),
    ),
    label="stage",
)
MODELS = ["boosting", "logistic"]


def binary_table(seed: int, num_rows: int) -> pd.DataFrame:
    """Age decides, ward does not; some cells are empty."""
    rng = np.random.default_rng(seed)
    age = rng.integers(0, 100, num_rows).astype(float)
    ill = np.where(age + rng.normal(0, 10, num_rows) > 50, "yes", "no")
    age[rng.random(num_rows) < 0.05] = np.nan
    ward = rng.choice(np.array(["a", "b", None], dtype=object), num_rows)
    return pd.DataFrame({"ward": ward, "age": age, "ill": ill})


def staged_table(num_rows: int) -> pd.DataFrame:
    age = np.arange(num_rows) % 99
    stage = np.array(["i", "ii", "iii"], dtype=object)[age // 33]
    return pd.DataFrame({"age": age, "stage": stage})


@pytest.mark.parametrize("model", MODELS)
def test_a_model_learns_what_is_there_and_cannot_foretell_shuffled_labels(model: str) -> None:
    train, test = binary_table(0, 400), binary_table(1, 400)
    shuffled = test.assign(ill=np.random.default_rng(2).permutation(test["ill"]))
    honest, blind = (train_and_test(BINARY, train, table, model) for table in (test, shuffled))
    assert honest.auc is not None and blind.auc is not None
    assert honest.auc > 0.9 and honest.accuracy > 0.85 and honest.f1 > 0.85
    assert abs(blind.auc - 0.5) < 0.1


@pytest.mark.parametrize("model", MODELS)
def test_one_class_in_train_gives_the_constant_prediction(model: str) -> None:
    test = binary_table(1, 100)
    scores = train_and_test(BINARY, binary_table(0, 50).assign(ill="no"), test, model)
    assert (scores.auc, scores.f1) == (0.5, 0.0)
    assert scores.accuracy == pytest.approx((test["ill"] == "no").mean())


@pytest.mark.parametrize("model", MODELS)
def test_one_class_in_test_has_no_area(model: str) -> None:
    test = binary_table(1, 100).assign(ill="yes")
    assert train_and_test(BINARY, binary_table(0, 50), test, model).auc is None


@pytest.mark.parametrize("model", MODELS)
def test_several_classes_are_scored_one_against_the_rest(model: str) -> None:
    train, test = staged_table(297), staged_table(99)
    scores = train_and_test(THREE, train, test, model)
    assert scores.auc is not None and scores.auc > 0.8
    without_first = train[train["stage"] != "i"]
    partial = train_and_test(THREE, without_first, test, model)
    assert partial.accuracy <= 2 / 3 + 1e-9 and partial.f1 <= 2 / 3 + 1e-9


def test_area_over_classes_is_the_macro_average_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    truth, probabilities = rng.integers(0, 4, 60), rng.dirichlet(np.ones(4), 60)
    expected = roc_auc_score(truth, probabilities, multi_class="ovr", average="macro")
    assert _scores(truth, probabilities).auc == pytest.approx(expected)


@pytest.mark.parametrize("num_rows", [1, 2, 3, 7])
def test_tiny_tables_are_scored_without_a_crash(num_rows: int) -> None:
    tiny = binary_table(0, num_rows)
    quality = score(BINARY, tiny, binary_table(1, 30), binary_table(2, 30))
    assert 0 <= quality.two_way <= 1
    assert (quality.two_sample is None) == (num_rows < 2)


def test_a_column_without_any_value_is_scored() -> None:
    empty = binary_table(0, 40).assign(age=np.nan, ward=None)
    quality = score(BINARY, empty, binary_table(1, 40), binary_table(2, 40))
    assert quality.boosting.auc == pytest.approx(0.5, abs=0.2)
    assert quality.two_sample is not None and quality.two_sample > 0.7


def test_a_lone_row_of_a_class_does_not_stop_early_stopping_tables() -> None:
    many = staged_table(10_500)
    many = many[(many["stage"] != "iii") | (np.arange(len(many)) == 98)]
    many = pd.concat([many, many, many[many["stage"] != "iii"]])
    many = many[(many["stage"] != "iii") | ~many.duplicated()]
    assert len(many) > 10_000 and (many["stage"] == "iii").sum() == 1
    assert train_and_test(THREE, many, staged_table(99), "boosting").accuracy > 0.5


def test_the_same_table_is_not_told_apart_and_another_is() -> None:
    a, b = binary_table(0, 300), binary_table(1, 300)
    same, other = two_sample_auc(BINARY, a, b), two_sample_auc(BINARY, a.assign(age=3), b)
    assert same is not None and other is not None
    assert abs(same - 0.5) < 0.1 and other > 0.95
    assert same == two_sample_auc(BINARY, a, b)


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(InputError, match="'boosting' or 'logistic', got 'forest'"):
        train_and_test(BINARY, binary_table(0, 9), binary_table(0, 9), "forest")
