from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from schema_strategies import schemas

from synthesis import InputError
from synthesis.schema import (
    DRAFT_WARNING,
    Boolean,
    Categorical,
    Continuous,
    Datetime,
    Integer,
    Ordinal,
    Schema,
    UnitOfPrivacy,
    dump_schema,
    load_schema,
)

GOOD = """
name = "ward"
label = "outcome"

[[columns]]
name = "age"
kind = "integer"
minimum = 0
maximum = 120

[[columns]]
name = "outcome"
kind = "boolean"
"""


def load_text(tmp_path: Path, text: str) -> Schema:
    path = tmp_path / "schema.toml"
    path.write_text(text, encoding="utf-8")
    return load_schema(path)


@settings(max_examples=60, deadline=None)
@given(schemas())
def test_written_schemas_read_back_equal(tmp_path_factory, schema):
    folder = tmp_path_factory.mktemp("schema")
    again = load_text(folder, dump_schema(schema))
    assert again == schema
    assert again.digest() == schema.digest()
    assert again.sizes == schema.sizes


def test_all_settings_survive_writing(tmp_path):
    schema = Schema(
        name="all",
        label="o",
        ignore=("name", "ward id"),
        unit=UnitOfPrivacy(kind="person", person_column="person"),
        columns=(
            Ordinal(name="o", categories=("low", "höher \"quoted\"")),
            Boolean(name="b", true="1", false="0", missing=True),
            Categorical(name="c", categories=("only",), missing=True),
            Integer(
                name="i", minimum=0, maximum=9000, resolution=10, bins=9, transform="log",
                point_masses=(0, 9000), missing=True,
            ),
            Continuous(name="x", minimum=-0.5, maximum=0.5, decimals=2, point_masses=(0.0,)),
            Datetime(
                name="d", minimum=datetime(2020, 1, 1, 5), maximum=datetime(2020, 1, 2, 5),
                resolution="hour",
            ),
        ),
    )  # fmt: skip
    text = dump_schema(schema)
    assert text.startswith("# ")
    assert load_text(tmp_path, text) == schema


def test_toml_dates_are_accepted_as_bounds(tmp_path):
    text = GOOD + '[[columns]]\nname = "day"\nkind = "datetime"\nminimum = 2020-01-01\n'
    schema = load_text(tmp_path, text + "maximum = 2020-03-01\n")
    assert schema.column("day").size == 61


def test_digest_is_pinned_and_leaves_out_what_a_site_ignores(tmp_path):
    schema = load_text(tmp_path, GOOD)
    assert schema.digest() == ("960389e43755e24ee8f12166331023e4dfccc9eaa322b8fd9080b84d447ce926")
    assert load_text(tmp_path, 'ignore = ["name"]\n' + GOOD).digest() == schema.digest()


@pytest.mark.parametrize(
    "change",
    [
        ("maximum = 120", "maximum = 110"),
        ('name = "ward"', 'name = "room"'),
        ('kind = "boolean"', 'kind = "boolean"\ntrue = "yes"'),
        ("maximum = 120", "maximum = 120\nmissing = true"),
        ("[[columns]]", '[unit]\nkind = "person"\nperson_column = "id"\n[[columns]]'),
    ],
)
def test_digest_changes_with_everything_that_is_synthesised(tmp_path, change):
    digest = load_text(tmp_path, GOOD).digest()
    assert load_text(tmp_path, GOOD.replace(*change, 1)).digest() != digest


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("maximum = 120", "maximun = 120", "column 'age', maximun is not a known setting"),
        ("maximum = 120", "", "column 'age', maximum is required; add it"),
        ("maximum = 120", "maximum = 120.5", "column 'age', maximum: "),
        ("maximum = 120", "maximum = -1", "column 'age': minimum must not be above maximum"),
        ("maximum = 120", "maximum = 1200", "column 'age': there are 1,201 different values"),
        ('kind = "integer"', "", "column 'age' needs a kind: categorical, ordinal"),
        ('kind = "integer"', 'kind = "whole"', "column 'age' has the kind 'whole', which is not"),
        ('name = "age"', "", "column number 1, name is required"),
        ('name = "age"', 'name = " age"', "must not be blank, or begin or end with a space"),
        ('name = "age"', 'name = "outcome"', "'outcome' is declared twice"),
        ('kind = "boolean"', 'kind = "categorical"\ncategories = [0, 1]', "must be text in quotes"),
        ('kind = "boolean"', 'kind = "ordinal"\ncategories = ["a", "a"]', "listed twice"),
        ('kind = "boolean"', 'kind = "ordinal"\ncategories = ["a"]', "two different values"),
        ('kind = "boolean"', 'kind = "boolean"\nmissing = true', "must not have missing values"),
        ('label = "outcome"', 'label = "age"', "label 'age' must be categorical, ordinal or boo"),
        ('label = "outcome"', 'label = "sex"', "label 'sex' is not among the columns"),
        ('label = "outcome"', "", "label is required"),
        ('label = "outcome"', 'label = "outcome"\nlable = 1', "lable is not a known setting"),
        ('label = "outcome"', 'label = "outcome"\nignore = ["age"]', "keep one of the two"),
        ('label = "outcome"', 'label = "outcome"\nunit = {kind = "person"}', "person_column"),
        (
            'label = "outcome"',
            'label = "outcome"\nunit = {person_column = "x"}',
            "use kind = 'person'",
        ),
        ('name = "ward"', 'name = "ward', "is not valid TOML"),
    ],
)
def test_every_mistake_in_a_file_is_named_with_its_place(tmp_path, old, new, sentence):
    with pytest.raises(InputError) as caught:
        load_text(tmp_path, GOOD.replace(old, new, 1))
    message = str(caught.value)
    assert sentence in message
    assert "schema.toml" in message
    assert "pydantic" not in message and "Value error" not in message
    assert caught.value.argument == "schema"


def test_several_mistakes_are_listed_together(tmp_path):
    text = GOOD.replace("minimum = 0\nmaximum = 120", "")
    with pytest.raises(InputError, match=r"\(1\) column 'age', minimum .* \(2\) column 'age', max"):
        load_text(tmp_path, text)


def test_labels_have_at_most_32_levels(tmp_path):
    levels = ", ".join(f'"{i}"' for i in range(33))
    text = GOOD.replace('kind = "boolean"', f'kind = "categorical"\ncategories = [{levels}]')
    with pytest.raises(InputError, match="2 to 32 levels, it has 33"):
        load_text(tmp_path, text)


def test_absent_file_folder_and_wrong_encoding_are_one_sentence_each(tmp_path):
    with pytest.raises(InputError, match="does not exist; check the path"):
        load_schema(tmp_path / "none.toml")
    with pytest.raises(InputError, match="does not exist; check the path"):
        load_schema(tmp_path)
    (tmp_path / "latin.toml").write_bytes('name = "ä"'.encode("latin-1"))
    with pytest.raises(InputError, match="not valid TOML"):
        load_schema(tmp_path / "latin.toml")


def test_empty_and_column_less_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="name is required"):
        load_text(tmp_path, "")
    with pytest.raises(InputError, match="columns needs at least 2 entries"):
        load_text(tmp_path, 'name = "x"\nlabel = "y"\ncolumns = []')
    with pytest.raises(InputError, match="columns must be a list in square brackets"):
        load_text(tmp_path, 'name = "x"\nlabel = "y"\ncolumns = 3')
    with pytest.raises(InputError, match="column number 1 must be a table of settings"):
        load_text(tmp_path, 'name = "x"\nlabel = "y"\ncolumns = [1, 2]')


def test_drafts_say_in_their_file_that_private_rows_were_read(tmp_path):
    schema = load_text(tmp_path, GOOD)
    draft = dump_schema(schema, is_draft=True)
    assert DRAFT_WARNING == (
        "This draft was made by reading private rows: its categories and bounds are theirs. It "
        "must not leave this place before a person has checked every line, replaced what only the "
        "rows could tell by public knowledge, and approved it."
    )
    comments = " ".join(line.strip("# ") for line in draft.splitlines() if line.startswith("#"))
    assert DRAFT_WARNING in comments
    assert load_text(tmp_path, draft) == schema


def test_schemas_are_frozen_and_look_columns_up_by_name(tmp_path):
    schema = load_text(tmp_path, GOOD)
    assert schema.names == ("age", "outcome")
    assert schema.sizes == (121, 2)
    assert (schema.label_index, schema.label_levels) == (1, ("false", "true"))
    with pytest.raises(KeyError, match="no column 'sex'; it has age, outcome"):
        schema.column("sex")
    with pytest.raises(ValueError, match="frozen"):
        schema.name = "other"


def test_levels_that_are_the_same_number_are_refused() -> None:
    with pytest.raises(ValueError, match="same number"):
        Categorical(name="code", categories=("1", "1.0", "x"))
    Categorical(name="code", categories=("7", "007", "1E1", "10"))  # codes are words


def levels(name: str, count: int) -> Categorical:
    return Categorical(name=name, categories=tuple(f"l{i}" for i in range(count)))


def test_a_column_may_have_thousands_of_levels_and_a_schema_so_many_codes() -> None:
    label = Boolean(name="label")
    Schema(name="s", columns=(levels("icd", 5000), label), label="label")
    with pytest.raises(ValueError, match="at most 10,000 levels, got 10,001; group rare ones"):
        levels("icd", 10_001)
    with pytest.raises(ValueError, match="at most 16,384 codes, got 19,002, of which 'a' has 9,5"):
        Schema(name="s", columns=(levels("a", 9500), levels("b", 9500), label), label="label")


def test_a_schema_may_have_a_thousand_columns() -> None:
    columns = tuple(Boolean(name=f"c{i}") for i in range(1000))
    assert len(Schema(name="s", columns=columns, label="c0").names) == 1000
    more = (*columns, Boolean(name="label"))
    with pytest.raises(ValueError, match="at most 1,000 columns, got 1,001; put those"):
        Schema(name="s", columns=more, label="label")
