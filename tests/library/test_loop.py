"""The loop: a challenger has to be better, and a champion that is not goes."""

import json
import shutil
from dataclasses import replace

import pandas as pd
import pytest
from filelock import FileLock
from mlsteps.improvement import Comparison, Reason, monitor
from mlsteps.improvement.improve import retrain_reasons
from mlsteps.modeling import store
from mlsteps.problem.project import open_project
from project import edit, log, part, run_in


def flip(project):
    """Turn the target of the source upside down, as a mistake in an import might."""
    path, target = project.root / "rows.csv", project.definition.problem.target
    shutil.copy(path, project.root / "good.csv")
    rows = pd.read_csv(path)
    values = rows[target]
    if project.definition.problem.type == "regression":
        rows[target] = values.max() + values.min() - values
    else:
        labels = sorted(values.dropna().unique())
        rows[target] = values.map(dict(zip(labels, labels[1:] + labels[:1], strict=True)))
    rows.to_csv(path, index=False)


@pytest.fixture(scope="module")
def misled_once(project, tmp_path_factory):
    """A project whose champion learnt from a target upside down, after a good one."""
    root = tmp_path_factory.mktemp("misled") / "project"
    shutil.copytree(project.root, root, ignore=shutil.ignore_patterns("*.db*"))
    misled = open_project(root)
    flip(misled)
    done = run_in(root, "run")
    assert done.exit_code == 0, done.output
    return misled


@pytest.fixture
def misled(misled_once, tmp_path):
    """A copy of it that a test may change."""
    shutil.copytree(misled_once.root, tmp_path / "misled")
    return open_project(tmp_path / "misled")


def test_improve_says_when_nothing_is_new(own):
    champion = store.champion(own.models)
    done = run_in(own.root, "improve")
    assert done.exit_code == 0, done.output
    assert "nothing new to learn" in done.output
    assert store.champion(own.models) == champion


@pytest.mark.parametrize("how", ["auto", "keep"])
def test_rows_that_are_equal_are_not_new_to_a_champion(own, how):
    rows = pd.read_csv(own.root / "rows.csv")
    pd.concat([rows, rows.head(300)]).to_csv(own.root / "rows.csv", index=False)
    edit(own, preparation={"repetitions": how})
    done = run_in(own.root, "run")
    assert done.exit_code == 0, done.output
    assert "nothing new to learn" in run_in(own.root, "improve").output


def test_improve_trains_on_the_true_labels_that_came_back(own, new_rows):
    target = new_rows[own.definition.problem.target]
    raw = (own.raw / "data.parquet").read_bytes()
    champion = store.champion(own.models)
    log(own, new_rows, target)
    done = run_in(own.root, "improve")
    assert done.exit_code == 0, done.output
    challenger = store.newest_version(own.models)
    assert challenger != champion
    assert "of the challenger is" in done.output
    assert (own.raw / "data.parquet").read_bytes() == raw
    learnt = pd.read_parquet(own.raw / "labelled.parquet")
    assert set(learnt[" version"]) == {champion}
    assert learnt[" prediction"].is_unique
    tested = pd.read_parquet(own.prepared / "test.parquet")[" key"]
    assert not tested.isin(store.training_keys(own.models, champion)).any()
    promoted = "promoted" in done.output.splitlines()[-2]
    assert store.champion(own.models) == (challenger if promoted else champion)


def test_a_challenger_that_is_not_better_by_the_margin_is_not_promoted(own, new_rows):
    champion = store.champion(own.models)
    edit(own, improvement={"margin": 1e12})
    log(own, new_rows, new_rows[own.definition.problem.target])
    done = run_in(own.root, "improve")
    assert done.exit_code == 0, done.output
    assert "the champion stays" in done.output
    assert store.champion(own.models) == champion
    assert "nothing new to learn" in run_in(own.root, "improve").output  # it is not compared again
    assert [line["event"] for line in store.read_history(own.models)] == [
        "promoted",
        "kept",
        "waited",
    ]


def test_a_policy_waits_until_its_reason_has_come_about(own, new_rows):
    edit(own, improvement={"retrain": ["drift", "decay", "schedule", "labels"], "new_labels": 9999})
    log(own, new_rows, new_rows[own.definition.problem.target])
    before = store.versions(own.models)
    done = run_in(own.root, "improve")
    assert done.exit_code == 0, done.output
    for against in ("no drift was seen", "have not risen", "7 are needed", "9,999 are needed"):
        assert against in done.output
    assert store.versions(own.models) == before


def owned(project, name):
    return part(project.definition.problem.type, name)


def monitored(project):
    policy = owned(project, "improvement.policy").POLICY
    return monitor(project, {}, owned(project, "modeling.predictor").load_model, policy)


def test_a_policy_has_a_reason_when_it_has_come_about(own, new_rows):
    name, target = new_rows.select_dtypes("number").columns[0], own.definition.problem.target
    moved = new_rows.assign(**{name: new_rows[name] + 3 * new_rows[name].std()})
    log(own, moved, new_rows[target])
    found = monitored(own)
    policy = owned(own, "improvement.policy").POLICY

    def reasons(**settings):
        changed = edit(own, improvement=settings)
        return " ".join(r.text for r in retrain_reasons(changed, found, policy) if r.holds)

    assert f'"{name}" has drifted' in reasons(retrain=["drift"])
    assert "predictions came since" in reasons(retrain=["labels"], new_labels=50)
    assert "days old" in reasons(retrain=["schedule"], every_days=1e-9)
    assert not reasons(retrain=[])
    edit(own, models={"candidates": own.definition.models.candidates[:1]})
    assert "candidates has changed" in reasons(retrain=[])


def test_a_reason_of_ones_own_can_be_named_and_an_unknown_one_is_said(own, monkeypatch):
    policy = owned(own, "improvement.policy")
    mine = {"complaints": Reason(holds=False, text="2 complaints came")}
    changed = replace(policy.POLICY, reasons_to_retrain=lambda situation, settings: mine)
    monkeypatch.setattr(policy, "POLICY", changed)
    edit(own, improvement={"retrain": ["complaints"]})
    assert "no reason to retrain: 2 complaints came" in run_in(own.root, "improve").output
    edit(own, improvement={"retrain": ["drfit"]})
    done = run_in(own.root, "improve")
    assert done.exit_code == 2
    assert '[improvement] retrain has "drfit"; improvement/policy.py knows comp' in done.output


def test_a_rule_of_the_project_decides(own, new_rows, monkeypatch):
    policy = owned(own, "improvement.policy")
    seen = []

    def promotes(comparison, settings):
        seen.append(comparison)
        return comparison.rows >= 10_000

    monkeypatch.setattr(policy, "POLICY", replace(policy.POLICY, promotes=promotes))
    log(own, new_rows, new_rows[own.definition.problem.target])
    assert "the champion stays" in run_in(own.root, "improve").output
    assert isinstance(seen[0], Comparison)


def test_a_champion_that_is_worse_than_its_predecessor_is_rolled_back(misled, new_rows):
    first, bad = store.versions(misled.models)
    assert store.champion(misled.models) == bad
    log(misled, new_rows, new_rows[misled.definition.problem.target])
    done = run_in(misled.root, "improve")
    assert done.exit_code == 0, done.output
    assert "of live rows: rolled back" in done.output
    assert store.champion(misled.models) == first
    assert store.read_history(misled.models)[-1]["event"] == "rolled back"
    page = (misled.reports / "index.html").read_text(encoding="utf-8")
    assert "rolled back" in page
    run_in(misled.root, "improve")  # which does not promote it again
    assert store.champion(misled.models) != bad


def test_a_better_challenger_is_promoted_with_its_reasons(misled):
    bad = store.champion(misled.models)
    shutil.copy(misled.root / "good.csv", misled.root / "rows.csv")
    done = run_in(misled.root, "improve")
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-2].endswith(": promoted")
    line = store.read_history(misled.models)[-1]
    assert line["other"] == bad
    assert line["champion"] == store.champion(misled.models)
    assert line["gain"] > 0
    assert line["confidence"] >= 0.8


def test_a_better_challenger_proves_itself_in_the_shadow_first(misled, new_rows):
    champion, target = store.champion(misled.models), misled.definition.problem.target
    shutil.copy(misled.root / "good.csv", misled.root / "rows.csv")
    edit(misled, improvement={"shadow_rows": 50, "minimum_rows": 10_000})
    done = run_in(misled.root, "improve")
    assert "it predicts in the shadow until true labels of 50 rows are known" in done.output
    challenger = store.challenger(misled.models)
    assert challenger == store.newest_version(misled.models)
    done = run_in(misled.root, "improve")
    assert "0 of its predictions have true labels, 50 are needed" in done.output
    assert store.champion(misled.models) == champion
    log(misled, new_rows, new_rows[target], challenger)
    assert run_in(misled.root, "improve").exit_code == 0
    assert store.champion(misled.models) == challenger
    assert store.challenger(misled.models) is None
    events = [line["event"] for line in store.read_history(misled.models)]
    assert events[-3:] == ["shadow", "waited", "promoted"]


def test_a_challenger_in_the_shadow_need_not_be_waited_for(misled):
    shutil.copy(misled.root / "good.csv", misled.root / "rows.csv")
    edit(misled, improvement={"shadow_rows": 50, "minimum_rows": 10_000})
    run_in(misled.root, "improve")
    first = store.challenger(misled.models)
    assert (
        "in the shadow until true labels of 50" in run_in(misled.root, "improve", "--force").output
    )
    second = store.challenger(misled.models)
    assert second != first
    edit(misled, improvement={"shadow_rows": 0})
    assert run_in(misled.root, "improve").exit_code == 0
    assert store.champion(misled.models) == second
    assert store.challenger(misled.models) is None


def test_a_challenger_is_compared_on_the_rows_of_today(misled):
    shutil.copy(misled.root / "good.csv", misled.root / "rows.csv")
    edit(misled, improvement={"shadow_rows": 50, "minimum_rows": 10_000})
    run_in(misled.root, "improve")
    first = store.challenger(misled.models)
    edit(misled, improvement={"shadow_rows": 0})
    rows = pd.read_csv(misled.root / "rows.csv")
    rows.iloc[len(rows) // 4 :].to_csv(misled.root / "rows.csv", index=False)
    assert run_in(misled.root, "collect").exit_code == 0
    done = run_in(misled.root, "improve")
    assert done.exit_code == 0, done.output
    assert "on the same 90 rows" in done.output
    assert store.champion(misled.models) == store.newest_version(misled.models) != first


def test_a_challenger_is_not_compared_on_rows_that_it_was_trained_on(misled):
    shutil.copy(misled.root / "good.csv", misled.root / "rows.csv")
    edit(misled, improvement={"shadow_rows": 50, "minimum_rows": 10_000})
    run_in(misled.root, "improve")
    assert store.challenger(misled.models)
    rows = pd.read_csv(misled.root / "rows.csv")
    rows.iloc[len(rows) // 4 :].to_csv(misled.root / "rows.csv", index=False)
    assert run_in(misled.root, "run").exit_code == 0  # which promotes a version beside it
    champion = store.champion(misled.models)
    edit(misled, improvement={"shadow_rows": 0})
    done = run_in(misled.root, "improve")
    assert "there is nothing new to learn from" in done.output
    assert store.champion(misled.models) == champion == store.newest_version(misled.models)


def test_two_never_work_at_once(own):
    with FileLock(own.models / ".lock"):
        for command in ("collect", "improve", "run"):
            done = run_in(own.root, command)
            assert done.exit_code == 2
            assert "Another process is at work" in done.output
    assert run_in(own.root, "improve").exit_code == 0


def test_a_history_that_lacks_its_last_promotion_is_completed(own):
    path = own.models / "history.jsonl"
    whole = path.read_text(encoding="utf-8")
    path.unlink()  # as if the process had been killed between the two files
    run_in(own.root, "improve")
    assert path.read_text(encoding="utf-8").startswith(whole)


def test_a_damaged_history_is_said_in_a_sentence(own):
    (own.models / "history.jsonl").write_text("{\n", encoding="utf-8")
    done = run_in(own.root, "improve")
    assert done.exit_code == 2
    assert "has a line that is no JSON" in done.output


def test_old_versions_go_and_those_that_matter_stay(misled):
    models = misled.models
    bad, good = store.champion(models), store.predecessor(misled)
    for day in range(1, 5):
        old = models / f"2020010{day}-000000"
        shutil.copytree(models / good, old)
        run = json.loads((old / "run.json").read_text(encoding="utf-8"))
        (old / "run.json").write_text(json.dumps(run | {"version": old.name}), encoding="utf-8")
    store.set_challenger(models, "20200101-000000")
    assert store.prune(misled, 1) == ["20200102-000000", "20200103-000000", "20200104-000000"]
    assert store.versions(models) == ["20200101-000000", good, bad]
    assert run_in(misled.root, "rollback").exit_code == 0
