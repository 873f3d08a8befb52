"""What is wrong with a definition is said in a sentence; a definition can be suggested."""

import numpy as np
import pandas as pd
import pytest
import tomlkit

from {{ cookiecutter.package_name }}.errors import UserError
from {{ cookiecutter.package_name }}.problem import (
    NEEDS_TARGET,
    TARGET_KIND,
    TYPE,
)
from {{ cookiecutter.package_name }}.problem.check import check
from {{ cookiecutter.package_name }}.problem.check import define as define_step
from {{ cookiecutter.package_name }}.problem.definition import check_definition
from {{ cookiecutter.package_name }}.problem.project import Project
from {{ cookiecutter.package_name }}.problem.rewrite import write_suggestion
from {{ cookiecutter.package_name }}.problem.suggest import suggest

N = 400
CLASSES = TARGET_KIND == "category"


UNPREDICTABLE = [
    ("joined", "holds dates, but a target is a label or a number"),
    ("country", "has 1 different values"),
    ("income" if CLASSES else "plan", r"`copier update --data problem_type=\w+`"),
]


@pytest.fixture
def frame():
    """Rows as people have them: codes, dates, gaps, strays, repetitions and a column that leaks."""
    random = np.random.default_rng(0)
    plan = random.choice(["basic", "plus", "pro"], N)
    score = (plan == "pro") + random.normal(size=N)
    y = np.where(score > 0.8, "yes", "no") if CLASSES else np.exp(score).round(3)
    after = np.where(score > 0.8, "2026-05-05", None) if CLASSES else np.exp(score) * 1.19
    age = random.integers(18, 90, N).astype(str)
    return pd.DataFrame(
        {
            "customer_id": np.arange(1000, 1000 + N),
            "joined": pd.date_range("2025-01-01", periods=N).strftime("%d/%m/%Y"),
            "born": pd.Timestamp("1960-01-01") + pd.to_timedelta(random.integers(0, 9999, N), "D"),
            "age": np.where(random.random(N) < 0.05, "unknown", age),
            "visits": np.where(random.random(N) < 0.05, "60+", age),
            "zip": random.choice(["01067", "10115"], N),
            "plan": plan,
            "plan code": pd.Series(plan).map({"basic": "B", "plus": "L", "pro": "P"}),
            "country": "DE",
            "fax": np.where(random.random(N) < 0.9, None, "yes"),
            "income": np.where(random.random(N) < 0.1, np.nan, random.lognormal(10, 1, N)),
            "after": after,
            "y": y,
        }
    ).infer_objects()


def test_the_problem_is_said_in_plain_words(define, frame, tmp_path):
    columns = {"id": ["customer_id"], "date": "joined", "unknown_at_prediction": ["after"]}
    text = define_step(Project(tmp_path, define(columns=columns)), frame)
    first, split, *others = text.splitlines()
    assert "10 columns" in first
    assert "400 rows" in first
    assert split == 'Test on the newest 20% of the rows by "joined" (2025-01-01 to 2026-02-04).'
    assert others[-1] == 'Not known at prediction time, so not used: "after".'
    card = (tmp_path / "reports/cards/1-define.html").read_text(encoding="utf-8")
    assert "unknown at prediction" in card


WRONG = {
    "target": ({"problem": {"target": "Y "}}, r'"Y ", a column .* did you mean "y"\?'),
    "drop": ({"columns": {"drop": ["plam"]}}, r'drop names "plam", .* did you mean "plan"\?'),
    "date": ({"columns": {"date": "plan"}}, r"\[columns\] date: .* must be a date"),
    "group": ({"columns": {"group": "zip"}}, r'group "zip" has 2 groups; more than .* = 5'),
    "kind": ({"columns": {"kinds": {"plan": "number"}}}, r"kinds\]: .* must be a number"),
    "slices": ({"evaluation": {"slices": ["x"]}}, r'slices names "x"'),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_the_data_is_named(define, frame, case):
    changes, expected = WRONG[case]
    with pytest.raises(UserError, match=expected):
        check(define(**changes), frame)


SPOILED = {
    "no inputs": (lambda f: f[["y"]], "No column is left to learn from"),
    "one row": (lambda f: f.head(1), "The data has 1 row"),
    "fewer rows than folds": (lambda f: f.head(4), "The data has 4 rows"),
    "names twice": (lambda f: pd.concat([f, f[["age"]]], axis=1), 'more than one column "age"'),
    "infinite": (lambda f: f.assign(income=np.inf), r'"income" has .*inf.* a finite number'),
    "late stray": (
        lambda f: pd.concat([f] * 30, ignore_index=True).assign(
            visits=lambda g: np.where(g.index == 11_000, "many", "1")
        ),
        r"\"visits\" has 'many' in row 11,001, but must be a number; .* add \"many\" to \[data\]",
    ),
}


@pytest.mark.parametrize("case", SPOILED)
def test_data_that_cannot_answer_is_refused(define, frame, case):
    spoil, expected = SPOILED[case]
    with pytest.raises(UserError, match=expected):
        check(define(), spoil(frame))


def test_columns_are_sorted_out_with_reasons(frame):
    found = suggest(frame, "y")
    assert found.problem["type"][0] == TYPE
    assert list(found.id) == ["customer_id"]
    assert found.date == ("joined", "the only date that every row has")
    assert found.drop == {
        "country": 'is "DE" in every row',
        "plan code": 'says one to one the same as "plan"',
    }
    if NEEDS_TARGET:
        assert list(found.unknown_at_prediction) == ["after"]
        assert "predicts the target alone" in found.unknown_at_prediction["after"]
    assert list(found.missing) == ["unknown"]
    assert {name: told.kind for name, told in found.kinds.items() if name != "after"} == {
        "joined": "date",
        "born": "date",
        "age": "number",
        "visits": "category",
        "zip": "category",
        "plan": "category",
        "fax": "category",
        "income": "number",
    }
    assert "mostly missing" in found.kinds["fax"].reason
    assert '"60+"' in found.kinds["visits"].reason


def test_a_text_that_is_a_label_elsewhere_does_not_become_missing(frame):
    frame["home"] = np.where(frame.index % 3, "own", "unknown")
    found = suggest(frame, "y")
    assert found.missing == {}
    assert found.kinds["age"].kind == "category"
    assert 'a label of "home"' in found.kinds["age"].reason


def test_things_with_several_rows_become_the_group(frame):
    frame["patient_id"] = [f"p{n % 150}" for n in range(N)]
    assert suggest(frame, "y").group[0] == "patient_id"


@pytest.mark.parametrize(("name", "group"), [("patientId", "patientId"), ("malic_acid", "")])
def test_a_name_that_only_ends_like_id_is_no_group(frame, name, group):
    frame[name] = np.arange(N) % 150 + 0.5
    assert suggest(frame, "y").group[0] == group


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("Y", 'has no column "Y"'),
        *([] if not NEEDS_TARGET else UNPREDICTABLE),
    ],
)
def test_a_target_that_cannot_be_predicted_here_is_refused(frame, target, expected):
    with pytest.raises(UserError, match=expected):
        suggest(frame, target)


@pytest.fixture
def file(define, tmp_path):
    """A project.toml with comments."""
    document = tomlkit.item(define().model_dump())
    document["problem"].add(tomlkit.comment("Mine."))
    document["search"]["folds"] = 3
    path = tmp_path / "project.toml"
    path.write_text(tomlkit.dumps(document), encoding="utf-8")
    return path


def test_a_suggestion_is_written_with_reasons_and_the_rest_stays(file, frame):
    before = file.read_text(encoding="utf-8")
    frame['a "strange"\nname'] = range(N, 0, -1)
    checked = write_suggestion(file, suggest(frame, "y"), str(file.parent / "in" / "my.csv"))
    assert "400 rows" in checked.sentences[0]
    text = file.read_text(encoding="utf-8")
    assert "# Mine." in text
    assert '"country", # is "DE" in every row' in text
    assert file.with_name("project.toml.bak").read_text(encoding="utf-8") == before
    definition = check_definition(tomlkit.parse(text).unwrap())
    assert definition.data.path == "in/my.csv"
    assert definition.data.missing == ["unknown"]
    assert definition.search.folds == 3
    assert definition.columns.kinds['a "strange"\nname'] == "number"


def test_a_suggestion_that_does_not_hold_leaves_the_file_alone(file, frame):
    before = file.read_bytes()
    with pytest.raises(UserError):
        write_suggestion(file, suggest(frame.head(4), "y"), "my.csv")
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]
