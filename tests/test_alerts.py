"""Each alert rings when it should, only then, and has a page that says what to do."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import yaml
from conftest import Environment, Renders

needs_promtool = pytest.mark.skipif(
    not shutil.which("promtool"), reason="promtool is not here (it is part of Prometheus)"
)

# Half an hour of a service that is well, in steps of a minute: what is not named in a case.
WELL = {
    "up": "1x30",
    'service_model_info{version="1"}': "1x30",
    'service_requests_total{route="/predict", status="200"}': "0+600x30",
    'service_requests_total{route="/predict", status="422"}': "0+6x30",
    'service_requests_total{route="/health/ready", status="503"}': "0+600x30",
    'service_request_seconds_bucket{route="/predict", le="0.01"}': "0+600x30",
    'service_request_seconds_bucket{route="/predict", le="1"}': "0+600x30",
    'service_request_seconds_bucket{route="/predict", le="+Inf"}': "0+600x30",
    "service_log_waiting_rows": "20x30",
    "service_log_dropped_rows_total": "0x30",
    "service_champion_load_failures_total": "0x30",
}
GONE = "_x30"
DAYS = 8 * 24 * 60  # in minutes
CASES: dict[str, dict[str, str]] = {
    "ServiceDown": {name: GONE for name in WELL if name != "up"} | {"up": "0x30"},
    "ServiceErrors": {'service_requests_total{route="/predict", status="500"}': "0+10x30"},
    "ServiceSlow": {'service_request_seconds_bucket{route="/predict", le="0.01"}': "0+500x30"},
    "RequestsRefused": {'service_requests_total{route="/predict", status="422"}': "0+200x30"},
    "RequestsStopped": {
        name: f"0+6x{DAYS} {6 * DAYS}x100"
        if "+" in series
        else series.replace("x30", f"x{DAYS + 101}")
        for name, series in WELL.items()
    },
    "ModelMissing": {'service_model_info{version="1"}': GONE},
    "ModelNotLoaded": {"service_champion_load_failures_total": "0+2x30"},
    "ModelVersionsDiffer": {'service_model_info{version="2", instance="other"}': "1x30"},
    "PredictionsWait": {"service_log_waiting_rows": "0+500x30"},
    "PredictionsLost": {"service_log_dropped_rows_total": "0x27 0+5x3"},
}


def alerts(project: Path) -> dict[str, dict[str, Any]]:
    """Return the alerts of a project by their names."""
    text = (project / "deploy" / "monitoring" / "alerts.yaml").read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    groups = content.get("spec", content)["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


@pytest.fixture
def project(render: Renders) -> Path:
    return render(deployment="docker")


def test_every_alert_has_a_page_and_every_page_an_alert(project: Path) -> None:
    pages = {path.stem for path in (project / "deploy" / "runbook").glob("*.md")}
    found = alerts(project)
    assert found.keys() == pages == CASES.keys()
    for name, rule in found.items():
        assert rule["annotations"]["runbook"] == f"deploy/runbook/{name}.md"
        assert rule["labels"]["severity"] in {"critical", "warning"}
        page = (project / "deploy" / "runbook" / f"{name}.md").read_text(encoding="utf-8")
        assert page.startswith(f"# {name}\n")
        for link in re.findall(r"\]\((\w+)\.md\)", page):
            assert link in pages


@needs_promtool
@pytest.mark.slow
def test_an_alert_rings_when_it_should_and_no_other_does(project: Path, tmp_path: Path) -> None:
    shutil.copy(project / "deploy" / "monitoring" / "alerts.yaml", tmp_path)
    cases = [case(name, WELL | changed) for name, changed in CASES.items()]
    content = {
        "rule_files": ["alerts.yaml"],
        "evaluation_interval": "1m",
        "tests": [case("", WELL), *cases],
    }
    path = tmp_path / "cases.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    done = subprocess.run(
        ["promtool", "test", "rules", path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def case(name: str, series: dict[str, str]) -> dict[str, Any]:
    """Return a case for promtool in which this alert rings, or none."""
    ringing = [{"labels": f'{{alertname="{name}"}}', "value": 1}] if name else []
    minutes = max(map(length, series.values()))
    return {
        "name": name or "all is well",
        "interval": "1m",
        "input_series": [
            {"series": labelled(metric), "values": values} for metric, values in series.items()
        ],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": f"{minutes}m",
                "exp_samples": ringing,
            }
        ],
    }


def length(values: str) -> int:
    """Return how many minutes a series lasts."""
    return sum(int(part.rpartition("x")[2]) + 1 for part in values.split()) - 1


def labelled(metric: str) -> str:
    """Add the labels that Prometheus adds when it reads a metric."""
    name, _, labels = metric.removesuffix("}").partition("{")
    instance = "" if "instance=" in labels else 'instance="one", '
    return f'{name}{{job="my-model", {instance}{labels}}}'


@pytest.mark.slow
def test_alerts_and_board_use_what_the_service_measures(
    project: Path, finished: Callable[[str], Path], environment: Environment
) -> None:
    board = json.loads((project / "deploy" / "monitoring" / "board.json").read_text("utf-8"))
    asked = [rule["expr"] for rule in alerts(project).values()]
    asked += [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    used = set(re.findall(r"\b(?:service|model|process)_\w+", " ".join(asked)))
    with environment.serve(finished("classification")) as address:
        with urlopen(f"{address}/model", timeout=30):
            pass  # so that there is a request to count
        with urlopen(f"{address}/metrics", timeout=30) as answer:
            measured = set(re.findall(r"^(\w+)", answer.read().decode(), re.MULTILINE))
    assert used - measured == set()
