"""Cleaning, the split and the encoder: nothing is fitted to test rows."""

import numpy as np
import pandas as pd
import pytest
from mlsteps.errors import UserError
from mlsteps.modeling.encoding import EncodedFold, TrainingRows
from mlsteps.preparation import Column, DateParts, TextTopics, cut_folds, prepare, take_test
from mlsteps.preparation.features import make_features
from mlsteps.preparation.rows import find_eligible
from mlsteps.preparation.schema import ALIKE, EQUAL, GROUP, KEY, read_schema
from mlsteps.problem.eligible import DATE, newest_rows
from mlsteps.problem.keys import row_keys
from mlsteps.problem.project import Project
from project import edit, load, part, run_in
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import KFold
from sklearn.preprocessing import TargetEncoder

PROBLEM_TYPES = ["classification", "regression"]
ALL = 200


@pytest.fixture
def raw():
    """Rows with a date, a group and a target that can be a class or a number."""
    generator = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "x": generator.normal(size=ALL),
            "who": np.repeat([f"p{k}" for k in range(ALL // 5)], 5),
            "day": pd.date_range("2026-01-01", periods=ALL).astype(str)[::-1],
            "y": generator.integers(0, 2, ALL),
        }
    )


@pytest.fixture
def encoders(problem_type):
    """The encoders that a project owns."""
    return part(problem_type, "preparation.encoder")


def split(raw, definition):
    rows = find_eligible(raw, definition)[0]
    return rows, take_test(rows, definition, np.ones(len(rows), bool))


SAYS_SO = {"an id": {"columns": {"id": ["id"]}}, "drop": {"preparation": {"repetitions": "drop"}}}


@pytest.mark.parametrize("what", SAYS_SO)
def test_repeated_rows_and_rows_without_target_are_left_out_and_counted(raw, define, what):
    raw = raw.assign(id=np.arange(ALL))
    raw.loc[3, "y"] = None
    twice = pd.concat([raw, raw.head(3)], ignore_index=True)
    rows, losses = find_eligible(twice, define(**SAYS_SO[what]))
    assert list(losses.values()) == [3, 1, 0]
    assert len(rows) == ALL - 1


@pytest.fixture
def people():
    """People who differ, and of whom few columns are known, so that many rows are equal."""
    generator = np.random.default_rng(0)
    age, plan = generator.integers(18, 70, 2000), generator.choice(["basic", "plus"], 2000)
    return pd.DataFrame({"age": age, "plan": plan, "y": (generator.random(2000) < 0.1).astype(int)})


def test_equal_rows_without_an_id_are_kept_and_counted(people, define):
    rows, losses = find_eligible(people, define())
    assert len(rows) == len(people)
    assert list(losses.values()) == [0, 0, people.duplicated().sum()]
    assert rows[KEY].is_unique
    unnamed = people.assign(id=None)  # nor does an id that is missing say anything
    assert len(find_eligible(unnamed, define(columns={"id": ["id"]}))[0]) == len(people)


def test_equal_rows_are_drawn_together_where_equal_inputs_have_equal_targets(people, raw, define):
    """As of repetitions; of different people, of whom the same is known, they often differ."""
    assert EQUAL not in find_eligible(people, define())[0]
    for one in (raw, raw.assign(y=raw["x"])):
        twice = pd.concat([one, one], ignore_index=True)
        rows, _ = find_eligible(twice, define())
        assert (rows[EQUAL].value_counts() == 2).all()
        assert EQUAL not in find_eligible(twice, define(preparation={"repetitions": "keep"}))[0]


def test_prepare_says_that_equal_rows_are_kept_and_what_to_set(people, define, tmp_path):
    def summary(**preparation):
        project = Project(tmp_path, define(preparation=preparation))
        return prepare(project, people.copy(), take_test, lambda rows: rows)

    assert summary().endswith(
        ', equal rows kept (set [preparation] repetitions: "drop" if they came twice, "keep" if '
        f"not): {people.duplicated().sum():,}"
    )
    assert "equal rows" not in summary(repetitions="keep")
    assert "repeated rows left out" in summary(repetitions="drop")


@pytest.mark.parametrize("how", ["auto", "drop"])
def test_equal_inputs_are_on_one_side_of_every_split(people, define, how):
    definition = define(preparation={"repetitions": how})
    rows, test = split(people, definition)
    inputs = people.loc[rows.index, "plan"] + people.loc[rows.index, "age"].astype(str)
    assert not set(inputs[test]) & set(inputs[~test])
    assert test.mean() == pytest.approx(0.2, abs=0.05)
    train, known = rows[~test], inputs[~test].to_numpy()
    scored = []
    for inside, outside in cut_folds(train, definition):
        assert not set(known[inside]) & set(known[outside])
        assert len(inside) + len(outside) == len(train)
        scored += list(outside)
    assert sorted(scored) == list(range(len(train)))


def test_a_rare_class_is_on_both_sides_though_rows_are_equal(people, define):
    rare = people.assign(y=(people["age"] == 18) * 1)
    rows, test = split(rare.assign(plan=np.arange(2000) // 4), define())
    shares = [rare.loc[rows.index[side], "y"].mean() for side in (test, ~test)]
    assert shares[0] == pytest.approx(shares[1], rel=0.3)


def test_equal_rows_that_are_said_to_differ_are_split_like_any_others(people, define):
    definition = define(preparation={"repetitions": "keep"})
    rows, test = split(people, definition)
    assert test.sum() == 400
    assert people[test].merge(people[~test], on=["age", "plan"]).any(axis=None)
    known = rows[KEY].isin(rows.loc[~test, KEY]).to_numpy()
    assert known.tolist() == (~test).tolist(), "each row is known by itself"


def test_the_equals_of_a_row_that_a_champion_knows_are_not_tested(people, define):
    rows = find_eligible(people, define())[0]
    may_test = np.arange(len(rows)) % 50 > 0
    test = take_test(rows, define(), may_test)
    assert test.any()
    assert not set(rows.loc[test, ALIKE]) & set(rows.loc[~may_test, ALIKE])


def test_the_split_is_the_same_where_no_row_repeats(raw, define):
    auto, keep = (define(preparation={"repetitions": how}) for how in ("auto", "keep"))
    assert split(raw, auto)[1].tolist() == split(raw, keep)[1].tolist()
    assert list(split(raw, auto)[0]) == list(split(raw, keep)[0])


def test_dated_rows_are_split_by_date_and_the_newest_are_tested(raw, define):
    definition = define(columns={"date": "day"})
    rows, test = split(raw, definition)
    assert rows.loc[test, DATE].min() > rows.loc[~test, DATE].max()
    assert test.mean() == pytest.approx(0.2, abs=0.01)


def test_folds_of_dated_rows_are_tested_on_what_came_later(raw, define):
    definition = define(columns={"date": "day"})
    rows = find_eligible(raw, definition)[0].sort_values(DATE)
    for inside, outside in cut_folds(rows, definition):
        assert rows[DATE].iloc[inside].max() < rows[DATE].iloc[outside].min()


def test_a_group_is_never_on_both_sides(raw, define):
    definition = define(columns={"group": "who"})
    rows, test = split(raw, definition)
    assert not set(rows.loc[test, GROUP]) & set(rows.loc[~test, GROUP])
    for inside, outside in cut_folds(rows, definition):
        assert not set(rows[GROUP].iloc[inside]) & set(rows[GROUP].iloc[outside])


def test_the_split_can_be_random_though_there_is_a_date(raw, define):
    definition = define(columns={"date": "day"}, split={"by": "random"})
    rows, test = split(raw, definition)
    assert rows.loc[test, DATE].min() < rows.loc[~test, DATE].max()


def test_rows_that_a_champion_was_trained_on_are_not_tested(raw, define):
    definition = define(split={"by": "random"})
    rows, test = split(raw, definition)
    trained_on = set(rows.loc[~test, KEY])
    more = pd.concat([raw, raw.assign(x=raw["x"] + 10)], ignore_index=True)
    rows = find_eligible(more, definition)[0]
    again = take_test(rows, definition, ~rows[KEY].isin(trained_on).to_numpy())
    assert again.any()
    assert not trained_on & set(rows.loc[again, KEY])


def test_a_group_of_which_a_champion_knows_a_row_is_not_tested(raw, define):
    definition = define(columns={"group": "who"})
    rows = find_eligible(raw, definition)[0]
    may_test = np.arange(ALL) % 40 > 4  # of every eighth group it knows all rows
    may_test[[5, 11]] = False  # and of two groups one
    test = take_test(rows, definition, may_test)
    known = set(rows.loc[~may_test, GROUP])
    assert not set(rows.loc[test, GROUP]) & (known | set(rows.loc[~test, GROUP]))


def test_new_rows_are_for_training_as_well_as_for_the_test(raw, define):
    definition = define(split={"by": "random"})
    rows, test = split(raw, definition)
    more = pd.concat([raw, raw.head(50).assign(x=99.0)], ignore_index=True)
    more, _ = find_eligible(more, definition)
    known = more[KEY].isin(rows.loc[~test, KEY]).to_numpy()
    again = take_test(more, definition, ~known)
    assert again.sum() == round(0.2 * len(more))
    assert (~known & ~again).any()


@pytest.mark.parametrize(
    ("columns", "expected"), [({}, range(150, 200)), ({"date": "day"}, range(50))]
)
def test_older_rows_can_be_left_out(raw, define, columns, expected):
    definition = define(columns=columns, split={"newest_rows": 50})
    assert list(newest_rows(find_eligible(raw, definition)[0], definition).index) == list(expected)


def test_rows_of_one_date_are_in_one_fold(raw, define):
    definition = define(columns={"date": "day"})
    raw["day"] = [f"2026-{1 + k // 20:02d}-01" for k in range(ALL)]
    rows = find_eligible(raw, definition)[0]
    for inside, outside in cut_folds(rows, definition):
        assert rows[DATE].iloc[inside].max() < rows[DATE].iloc[outside].min()


def test_a_last_date_with_many_rows_is_tested_whole(raw, define):
    raw["day"] = np.where(np.arange(ALL) < 120, "2026-01-01", "2026-02-01")
    _, test = split(raw, define(columns={"date": "day"}))
    assert test.sum() == 80


@pytest.mark.parametrize("role", ["date", "group"])
def test_a_date_or_group_that_is_missing_is_refused(raw, define, role):
    name = {"date": "day", "group": "who"}[role]
    raw.loc[3, name] = None
    with pytest.raises(UserError, match=rf'{role} "{name}" is missing in 1 row'):
        find_eligible(raw, define(columns={role: name}))


def test_keys_tell_all_ids_and_codes_apart():
    ids = pd.DataFrame({"id": 912_345_678_901_234_560 + np.arange(400)})
    assert row_keys(ids).is_unique
    assert row_keys(ids.astype("str")).tolist() == row_keys(ids).tolist()
    assert row_keys(pd.DataFrame({"code": ["0123", "123", "00123"]})).is_unique


def test_a_row_keeps_its_key_whatever_becomes_of_the_file():
    rows = pd.DataFrame({"n": [1, 2], "t": ["a", "3"], "when": ["2026-01-01", None]})
    keys = row_keys(rows)
    assert keys.is_unique
    changed = rows.assign(n=[1.0, 2.0], t=["a", 3], new=[None, None])
    assert row_keys(changed[changed.columns[::-1]]).tolist() == keys.tolist()
    assert not row_keys(rows.rename(columns={"n": "m"})).isin(keys).any()


def test_names_of_columns_cannot_clash_with_those_of_the_project(raw, define):
    clashing = raw.rename(columns={"x": KEY.strip(), "who": GROUP.strip()})
    assert KEY.strip() != KEY
    eligible = find_eligible(clashing, define())[0]
    assert eligible[KEY].tolist() == row_keys(clashing).tolist()


@pytest.mark.parametrize("rows", [1, 2])
def test_too_few_rows_to_split_are_refused(raw, define, rows):
    with pytest.raises(UserError, match="add rows"):
        split(raw.head(rows), define(split={"by": "random"}))


def test_what_is_not_known_at_prediction_time_is_no_feature(project):
    schema = read_schema(project.prepared / "schema.json")
    left_out = set(project.definition.not_inputs())
    assert left_out <= set(schema.ignored)
    assert not left_out & {column.name for column in schema.features}


def test_the_encoder_takes_missing_rare_and_unseen_values(encoders, define):
    features = [
        Column(name="n", kind="number"),
        Column(name="c", kind="category"),
        Column(name="d", kind="date"),
        Column(name="t", kind="text"),
    ]
    train = pd.DataFrame(
        {
            "n": [1.0, 2.0, np.nan, 3.0] * 25,
            "c": pd.Series(["a"] * 60 + ["b"] * 39 + ["rare"], dtype="str"),
            "d": pd.to_datetime(["2026-01-31", None, "2026-03-01", "2027-01-01"] * 25),
            "t": pd.Series(["good red wine", None, "stale beer", "red beer"] * 25, dtype="str"),
        }
    )
    encoder = encoders.one_hot(features, define(preparation={"rare_share": 0.02})).fit(train)
    new = train.head(2).assign(c=pd.Series(["never seen", None], dtype="str"), n=[np.nan, 1e9])
    encoded = encoder.transform(new)
    assert np.isfinite(encoded).all()
    rare = encoder.transform(train.tail(1).assign(**new.drop(columns="c").iloc[0]))
    assert encoded[0] == pytest.approx(rare[0])  # unseen is treated as rare


def test_ordinal_labels_are_one_column_and_rare_ones_share_their_number(encoders, define):
    features = [Column(name="c", kind="category")]
    labels = ["a"] * 50 + ["b"] * 46 + ["rare", "rarer", None, None]
    train = pd.DataFrame({"c": pd.Series(labels, dtype="str")})
    encoder = encoders.ordinal(features, define(preparation={"rare_share": 0.02})).fit(train)
    new = pd.DataFrame({"c": pd.Series(["a", "b", "rare", "rarer", None, "new"], dtype="str")})
    codes = encoder.transform(new)[:, 0]
    assert codes[2] == codes[3]
    assert len(set(codes[:3])) == 3
    assert np.isnan(codes[4:]).all()  # for trees, a label that is not known is missing


@pytest.mark.parametrize("kind", ["one_hot", "ordinal"])
def test_many_categories_are_one_column_of_what_the_target_is_beside_them(
    encoders, define, problem_type, kind
):
    random, names = np.random.default_rng(0), [f"street {k}" for k in range(60)]
    share = dict(zip(names, random.uniform(0.1, 0.9, 60), strict=True))
    train = pd.DataFrame({"street": pd.Series(random.choice(names, 6000), dtype="str")})
    sold = random.random(6000) < train["street"].map(share)
    target = sold.astype(float) if problem_type == "regression" else np.where(sold, "yes", "no")
    features = [Column(name="street", kind="category", categories=names)]
    encoder = getattr(encoders, kind)(features, define(preparation={"scaling": "none"}))
    fitted_to = encoder.fit_transform(train, target)
    streets = pd.DataFrame({"street": pd.Series([*names, "a new one", None], dtype="str")})
    encoded = encoder.transform(streets)
    assert encoded.shape == (62, 1)
    assert encoded[:60, 0] == pytest.approx(list(share.values()), abs=0.2)
    assert encoded[60:, 0] == pytest.approx(sold.mean(), abs=0.01)
    assert not np.array_equal(fitted_to, encoder.transform(train))  # no row has its own target


@pytest.mark.parametrize("scaling", ["standard", "auto", "min-max", "none"])
def test_scaling_and_clipping_are_fitted_to_training_rows_only(encoders, define, scaling):
    features = [Column(name="n", kind="number")]
    train = pd.DataFrame({"n": np.arange(101.0)})
    definition = define(preparation={"scaling": scaling, "clip_share": 0.1})
    encoder = encoders.one_hot(features, definition).fit(train)
    low, high, beyond = encoder.transform(pd.DataFrame({"n": [10.0, 90.0, 1e6]}))[:, 0]
    assert beyond == high
    assert (low, high) == pytest.approx(
        {"min-max": (0, 1), "none": (10, 90)}.get(scaling, (-40 / 27.6, 40 / 27.6)),
        abs=0.2,
    )


def test_columns_of_one_unit_are_known_by_their_limits_and_not_scaled_apart(encoders, define):
    random = np.random.default_rng(0)
    grey = pd.DataFrame(random.integers(0, 17, size=(500, 5)).astype(float))
    grey[3] = np.where(grey.index < 20, grey[3] / 4, 0.0)  # a pixel that hardly varies
    grey.columns = [f"pixel {k}" for k in range(5)]
    rows = grey.assign(age=random.normal(40, 9, 500))
    columns = [Column(name=name, kind="number") for name in rows]
    auto, standard = (
        encoders.one_hot(columns, define(preparation={"scaling": name}))
        for name in ("auto", "standard")
    )
    said = "5 of 6 columns of numbers have one unit, as 4 reach from 0 to 16: they are not scaled"
    with pytest.warns(UserWarning, match=said):
        spread = auto.fit_transform(rows).std(axis=0)
    assert spread / rows.std(ddof=0).to_numpy() == pytest.approx(
        [spread[0] / grey.std(ddof=0).iloc[0]] * 5 + [1 / rows["age"].std(ddof=0)]
    )
    assert (spread[:5] ** 2).mean() == pytest.approx(1)
    others = rows.assign(**{"pixel 0": grey["pixel 0"] * 2, "pixel 1": grey["pixel 1"] + 1})
    assert auto.fit_transform(others) == pytest.approx(standard.fit_transform(others))


def test_yes_and_no_in_several_columns_are_no_unit(encoders, define):
    rows = pd.DataFrame(np.random.default_rng(0).random((200, 4)) < [0.01, 0.1, 0.5, 0.5])
    rows = rows.astype(float).set_axis([*"abcd"], axis=1)
    columns = [Column(name=name, kind="number") for name in rows]
    auto = encoders.one_hot(columns, define(preparation={"scaling": "auto"}))
    assert auto.fit_transform(rows).std(axis=0) == pytest.approx(np.ones(4))


def test_a_test_set_can_be_taken_by_a_rule_of_ones_own(raw, define, tmp_path):
    def take_north(rows, definition, may_test):
        return may_test & (rows["region"] == "north").to_numpy()

    raw["region"] = np.where(np.arange(ALL) % 4 == 0, "north", "south")
    project = Project(tmp_path, define())
    summary = prepare(project, raw, take_north, lambda rows: rows)
    assert summary == "150 training rows, 50 test rows, 4 features"
    regions = {
        name: set(pd.read_parquet(project.prepared / f"{name}.parquet")["region"])
        for name in ("train", "test")
    }
    assert regions == {"train": {"south"}, "test": {"north"}}


@pytest.mark.parametrize("rule", [lambda n: np.zeros(n, bool), np.arange, lambda n: [True]])
def test_a_rule_that_takes_no_rows_is_refused(raw, define, rule, tmp_path):
    project = Project(tmp_path, define())
    with pytest.raises(UserError, match=r"take_test in preparation/split\.py must return"):
        prepare(project, raw, lambda rows, *_: rule(len(rows)), lambda rows: rows)


def test_add_features_must_keep_the_rows():
    with pytest.raises(UserError, match="must return a DataFrame with the rows it was given"):
        make_features(pd.DataFrame({"x": [1.0, 2.0]}), lambda rows: rows.head(1))


def test_a_mistake_in_add_features_keeps_its_traceback(own, add_features):
    add_features(lambda rows: rows.assign(new=rows["no such column"]))
    failed = run_in(own.root, "prepare", "--force")
    assert isinstance(failed.exception, KeyError)


def test_infinite_features_are_refused(own, add_features):
    add_features(lambda rows: rows.assign(new=np.inf))
    failed = run_in(own.root, "prepare", "--force")
    assert failed.exit_code == 2
    assert 'makes infinite values in "new"; a division by zero?' in failed.output


def test_a_feature_can_take_the_name_of_an_input_and_hold_other_values(own, add_features):
    texts = [c.name for c in load(own).schema.inputs if c.kind == "category"]

    def lengths(rows):
        rows[texts[0]] = rows[texts[0]].str.len() + 0.5  # in place, as many are used to
        return rows

    add_features(lengths)
    assert run_in(own.root, "run", "--force").exit_code == 0
    model = load(own)
    kinds = {column.name: column.kind for column in model.schema.features}
    assert kinds[texts[0]] == "number"
    given = {column.name: column for column in model.schema.inputs}
    assert given[texts[0]].kind == "category"
    assert given[texts[0]].example in given[texts[0]].categories


def test_features_of_ones_own_reach_the_model(own, add_features):
    add_features(lambda rows: rows.assign(gaps=rows.isna().sum(axis="columns").astype(float)))
    done = run_in(own.root, "run", "--force")
    assert done.exit_code == 0, done.output
    schema = read_schema(own.prepared / "schema.json")
    assert "gaps" in {column.name for column in schema.features}
    assert "gaps" not in {column.name for column in schema.inputs}


def test_a_column_that_says_nothing_is_still_a_column():
    words = pd.DataFrame({"t": pd.Series(["a b", "c d"], dtype="str")})
    assert TextTopics().fit_transform(words).shape == (2, 1)
    dates = pd.DataFrame({"d": pd.to_datetime(["2026-01-31", "2026-01-31"])})
    assert DateParts().fit_transform(dates).shape == (2, 1)


def test_a_transformer_may_look_at_the_target_and_is_cross_fitted(project):
    definition, schema = project.definition, read_schema(project.prepared / "schema.json")
    names = [column.name for column in schema.features if column.kind == "category"]

    def build(*_):
        return ColumnTransformer([("mean", TargetEncoder(cv=KFold(3)), names)])

    rows = TrainingRows(project.prepared / "train.parquet", schema, definition)
    everything = np.arange(len(rows))
    whole = EncodedFold(rows, build, everything, everything)
    numbers, target = whole.training
    features = rows.features(everything)
    assert np.array_equal(numbers, build().fit_transform(features, target))
    assert np.array_equal(whole.numbers, whole.encoder.transform(features))
    assert not np.allclose(numbers, whole.numbers)


def test_folds_may_be_what_a_splitter_yields(own, problem_type, monkeypatch):
    folds = KFold(3, shuffle=True, random_state=0)
    monkeypatch.setattr(
        part(problem_type, "pipeline"), "cut_folds", lambda train, _: folds.split(train)
    )
    edit(own, models={"candidates": ["tree"]})
    trained = run_in(own.root, "train", "--force")
    assert trained.exit_code == 0, trained.output
