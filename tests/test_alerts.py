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
from conftest import PACKAGE, Environment, Renders

needs_promtool = pytest.mark.skipif(
    not shutil.which("promtool"), reason="promtool is not here (it is part of Prometheus)"
)

READY = 'kube_deployment_status_replicas_ready{deployment="my-model"}'
# Half an hour of a service that is well, in steps of a minute; a case changes some of it.
WELL = {
    "up": "1x30",
    READY: "1x30",
    "process_start_time_seconds": "0x30",
    'service_model_info{version="1"}': "1x30",
    'service_requests_total{route="/predict", status="200"}': "0+600x30",
    'service_requests_total{route="/predict", status="422"}': "0+6x30",
    'service_requests_total{route="/health/ready", status="503"}': "0+600x30",
    'service_request_seconds_bucket{route="/predict", le="0.01"}': "0+600x30",
    'service_request_seconds_bucket{route="/predict", le="1"}': "0+600x30",
    'service_request_seconds_bucket{route="/predict", le="+Inf"}': "0+600x30",
    "model_monitored_timestamp_seconds": "0+60x30",
    'model_alarms{version="1", kind="drift"}': "0x30",
    'model_alarms{version="1", kind="errors"}': "0x30",
    'model_alarms{version="0", kind="drift"}': "1x30",  # of a version that no longer serves
    "service_log_waiting_rows": "20x30",
    "service_log_dropped_rows_total": "0x30",
    "service_champion_load_failures_total": "0x30",
    "service_shadow_rows_total": "0+600x30",
    "service_shadow_lost_rows_total": "0+60x30",  # those of a challenger that is a little slow
    'kube_job_status_failed{job_name="monitor-1"}': "0x30",
    'kube_job_status_failed{job_name="run-1"}': "1x30",  # by hand: who ran it knows
    'kube_job_status_failed{job_name="monitor-1", namespace="my-model-two-staging"}': "1x30",
    'kube_cronjob_next_schedule_time{cronjob="monitor"}': "600+60x30",
    'kube_cronjob_next_schedule_time{cronjob="improve"}': "600+60x30",
}
GONE = "_x30"
SILENT = {name: GONE for name in WELL if "service_" in name or "model_" in name}
OTHER = 'namespace="my-model-production"'
DAYS = 9 * 24 * 12  # in steps of five minutes, which do for what takes so long
LONG = {
    name: series.replace("x30", f"x{DAYS + 20}").replace("+60x", "+300x")
    for name, series in WELL.items()
}
STOPPED = f"0+6x{DAYS} {6 * DAYS}x19"
REPLACED = f"0+6x{DAYS} _x19"
# By the alert that rings, and in which case.
CASES: dict[str, dict[str, str]] = {
    "ServiceDown": SILENT | {"up": "0x30"},
    "ServiceDown without a target": SILENT | {"up": GONE},
    "ServiceErrors": {'service_requests_total{route="/predict", status="500"}': "0+10x30"},
    "ServiceSlow": {'service_request_seconds_bucket{route="/predict", le="0.01"}': "0+500x30"},
    "RequestsRefused": {'service_requests_total{route="/predict", status="422"}': "0+200x30"},
    "RequestsStopped": LONG | {name: STOPPED for name in WELL if "request" in name},
    "RequestsStopped since it was replaced": LONG
    | {name: REPLACED for name in WELL if "request" in name},
    "ModelMissing": {'service_model_info{version="1"}': GONE, READY: "0x30"},
    "ModelNotLoaded": {"service_champion_load_failures_total": "0+2x30"},
    "ChallengerSilent": {
        "service_shadow_rows_total": "0x30",
        "service_shadow_lost_rows_total": "0+600x30",
    },
    "ModelVersionsDiffer": {'service_model_info{version="2", instance="other"}': "1x30"},
    "ModelDrift": {'model_alarms{version="1", kind="drift"}': "0x20 2x9"},
    "ModelDecay": {'model_alarms{version="1", kind="errors"}': "0x20 1x9"},
    "MonitorMissing": LONG | {"model_monitored_timestamp_seconds": f"0x{DAYS + 20}"},
    "MonitorMissing from the start": LONG | {"model_monitored_timestamp_seconds": f"_x{DAYS + 20}"},
    "PredictionsWait": {"service_log_waiting_rows": "0+500x30"},
    "PredictionsLost": {"service_log_dropped_rows_total": "0x27 0+5x3"},
}
IN_KUBERNETES = {
    "JobFailed": {'kube_job_status_failed{job_name="monitor-1"}': "1x30"},
    "JobMissing": LONG
    | {'kube_cronjob_next_schedule_time{cronjob="improve"}': f"{6 * 86400}x{DAYS + 20}"},
    "ServiceDown in one of two": SILENT
    | {"up": GONE, READY: "0x30"}
    | {f"up{{{OTHER}}}": "1x30", f'service_model_info{{{OTHER}, version="1"}}': "1x30"},
}
EXPECTED = {"docker": CASES, "kubernetes": CASES | IN_KUBERNETES}

every_deployment = pytest.mark.parametrize("deployment", EXPECTED)


def alerts(project: Path) -> dict[str, dict[str, Any]]:
    """Return the alerts of a project by their names."""
    text = (project / "deploy" / "monitoring" / "alerts.yaml").read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    groups = content.get("spec", content)["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


@every_deployment
def test_every_alert_has_a_page_and_every_page_an_alert(render: Renders, deployment: str) -> None:
    project = render(deployment=deployment)
    pages = {path.stem for path in (project / "deploy" / "runbook").glob("*.md")}
    found = alerts(project)
    assert found.keys() == pages == {name.partition(" ")[0] for name in EXPECTED[deployment]}
    for name, rule in found.items():
        assert rule["annotations"]["runbook"] == f"deploy/runbook/{name}.md"
        assert rule["labels"]["severity"] in {"critical", "warning"}
        page = (project / "deploy" / "runbook" / f"{name}.md").read_text(encoding="utf-8")
        assert page.startswith(f"# {name}\n")
        for link in re.findall(r"\]\((\w+)\.md\)", page):
            assert link in pages


def test_the_board_shows_one_environment_if_asked(render: Renders) -> None:
    made = render(deployment="docker")
    board = json.loads((made / "deploy" / "monitoring" / "board.json").read_text("utf-8"))
    asked = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    chosen = [labels for expr in asked for labels in re.findall(r"{(.*?)}", expr)]
    assert chosen
    assert all(one.startswith('job="$job", namespace=~"$namespace"') for one in chosen)
    variables = {one["name"]: one for one in board["templating"]["list"]}
    assert variables["namespace"]["allValue"] == ".*"  # Docker has none


def test_the_alerts_of_docker_ring_in_kubernetes_too(render: Renders) -> None:
    rules = {name: alerts(render(deployment=name)) for name in EXPECTED}
    for name, rule in rules["docker"].items():
        found = rules["kubernetes"][name]
        assert found == rule | {"expr": found["expr"]}
        assert found["expr"].startswith(rule["expr"])  # one knows pods as well


@needs_promtool
@pytest.mark.slow
@pytest.mark.parametrize("minutes", [1, 5])
def test_an_alert_rings_when_it_should_and_no_other_does(
    render: Renders, minutes: int, tmp_path: Path
) -> None:
    rules = list(alerts(render(deployment="kubernetes")).values())
    content = {"groups": [{"name": "all", "rules": rules}]}
    (tmp_path / "alerts.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    series = {name: WELL | changed for name, changed in EXPECTED["kubernetes"].items()}
    steps = {name: max(map(length, changed.values())) for name, changed in series.items()}
    cases = [
        case(name, series[name], steps[name], minutes)
        for name in series
        if (steps[name] > length(WELL["up"])) == (minutes > 1)
    ]
    assert cases
    content = {
        "rule_files": ["alerts.yaml"],
        "evaluation_interval": f"{minutes}m",
        "tests": [case("", WELL, length(WELL["up"]), minutes=1), *cases],
    }
    path = tmp_path / "cases.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    done = subprocess.run(
        ["promtool", "test", "rules", path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def case(name: str, series: dict[str, str], steps: int, minutes: int) -> dict[str, Any]:
    """Return a case for promtool in which the alert it begins with rings, or none."""
    alert = name.partition(" ")[0]
    ringing = [{"labels": f'{{alertname="{alert}"}}', "value": 1}] if name else []
    return {
        "name": name or "all is well",
        "interval": f"{minutes}m",
        "input_series": [
            {"series": labelled(metric), "values": values} for metric, values in series.items()
        ],
        "promql_expr_test": [
            {
                "expr": 'group by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": f"{steps * minutes}m",
                "exp_samples": ringing,
            }
        ],
    }


def length(values: str) -> int:
    """Return how many steps a series lasts."""
    return sum(int(part.rpartition("x")[2]) + 1 for part in values.split()) - 1


def labelled(metric: str) -> str:
    """Add the labels that Prometheus adds when it reads a metric."""
    name, _, labels = metric.removesuffix("}").partition("{")
    added = {"job": "my-model", "namespace": "my-model-staging", "instance": "one"}
    extra = [f'{key}="{value}"' for key, value in added.items() if f"{key}=" not in labels]
    return f"{name}{{{', '.join([*extra, labels])}}}"


@pytest.mark.slow
def test_alerts_and_board_use_what_the_service_measures(
    render: Renders, finished: Callable[[str], Path], environment: Environment, tmp_path: Path
) -> None:
    made = render(deployment="docker")
    board = json.loads((made / "deploy" / "monitoring" / "board.json").read_text("utf-8"))
    asked = [rule["expr"] for rule in alerts(made).values()]
    asked += [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    used = set(re.findall(r"\b(?:service|model|process)_\w+", " ".join(asked)))
    project = shutil.copytree(finished("classification"), tmp_path / "my-model")
    environment.run(project, "python", "-m", PACKAGE, "monitor")
    with environment.serve(project) as address:
        with urlopen(f"{address}/health/ready", timeout=30):
            pass  # so that there is a request to count
        with urlopen(f"{address}/metrics", timeout=30) as answer:
            measured = set(re.findall(r"^(?:# TYPE )?(\w+)", answer.read().decode(), re.MULTILINE))
    assert used - measured == set()
