"""The manifests of every variant, built as kubectl does and held against the real schemas."""

import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import kubernetes_validate
import pytest
import yaml
from cloudcoil.models.prometheus_operator import v1 as operator
from combinations import CHOICES
from conftest import Renders

SCRIPTS = Path(sys.executable).parent  # kubectl comes from the package index
VERSIONS = [f"1.{minor}" for minor in range(30, 38)]
OVERLAYS = ["staging", "production"]
SERVICE_ONLY = {
    "Deployment",
    "HorizontalPodAutoscaler",
    "Ingress",
    "PodDisruptionBudget",
    "Service",
    "ServiceMonitor",
}
ALWAYS = {
    "ConfigMap",
    "CronJob",
    "Namespace",
    "NetworkPolicy",
    "PersistentVolumeClaim",
    "PrometheusRule",
    "ServiceAccount",
}

every_overlay = pytest.mark.parametrize("overlay", OVERLAYS)
every_serving = pytest.mark.parametrize("serving", CHOICES["serving"])
every_compute = pytest.mark.parametrize("compute", CHOICES["compute"])
every_variant = pytest.mark.parametrize(
    ("problem_type", "serving"),
    list(itertools.product(CHOICES["problem_type"], CHOICES["serving"])),
)

Manifest = dict[str, Any]
Build = Callable[..., list[Manifest]]


def built(project: Path, overlay: str) -> str:
    """Return what ``kubectl apply --kustomize`` would send."""
    folder = project / "deploy" / "kubernetes" / "overlays" / overlay
    command = [SCRIPTS / "kubectl", "kustomize", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # kustomize warns of what it will not take for long
    return done.stdout


@pytest.fixture(scope="session")
def build(render: Renders) -> Build:
    """Build an overlay of a variant."""

    def build(overlay: str, **answers: str) -> list[Manifest]:
        project = render(deployment="kubernetes", **answers)
        return list(yaml.safe_load_all(built(project, overlay)))

    return build


def one(manifests: list[Manifest], kind: str) -> Manifest:
    (found,) = [manifest for manifest in manifests if manifest["kind"] == kind]
    return found


def settings(manifests: list[Manifest]) -> dict[str, str]:
    """Return what all ConfigMaps hold."""
    maps = [manifest["data"] for manifest in manifests if manifest["kind"] == "ConfigMap"]
    return {name: value for each in maps for name, value in each.items()}


def templates(manifests: list[Manifest]) -> dict[str, Manifest]:
    """Return the pod templates by the names of their controllers."""
    found = {}
    for manifest in manifests:
        if manifest["kind"] == "Deployment":
            found[manifest["metadata"]["name"]] = manifest["spec"]["template"]
        elif manifest["kind"] == "CronJob":
            spec = manifest["spec"]["jobTemplate"]["spec"]
            found[manifest["metadata"]["name"]] = spec["template"]
    return found


@pytest.mark.slow
@every_overlay
@every_variant
def test_every_manifest_fits_its_schema(
    build: Build, overlay: str, problem_type: str, serving: str
) -> None:
    fits_its_schema(build(overlay, problem_type=problem_type, serving=serving))


@pytest.mark.slow
@every_overlay
def test_every_manifest_of_a_cluster_fits_its_schema(build: Build, overlay: str) -> None:
    fits_its_schema(build(overlay, compute="dask"))


def fits_its_schema(manifests: list[Manifest]) -> None:
    for manifest in manifests:
        if manifest["apiVersion"] == "monitoring.coreos.com/v1":
            model = getattr(operator, manifest["kind"]).model_validate(manifest)
            assert model.model_dump(by_alias=True, exclude_unset=True, mode="json") == manifest
        else:
            for version in VERSIONS:  # unlike its command, this fails where it knows no schema
                kubernetes_validate.validate(manifest, version, strict=True)


@every_overlay
def test_jobs_may_reach_the_mlflow_that_they_are_told_of(build: Build, overlay: str) -> None:
    manifests = build(overlay, tracking="mlflow")
    port = urlsplit(settings(manifests)["MLFLOW_TRACKING_URI"]).port
    policies = [manifest for manifest in manifests if manifest["kind"] == "NetworkPolicy"]
    (jobs,) = [policy for policy in policies if policy["metadata"]["name"].endswith("-jobs")]
    assert port in {each["port"] for rule in jobs["spec"]["egress"] for each in rule["ports"]}
    assert "MLFLOW_TRACKING_URI" not in settings(build(overlay))


@every_overlay
@every_serving
def test_there_is_what_the_serving_needs(build: Build, overlay: str, serving: str) -> None:
    manifests = build(overlay, serving=serving)
    kinds = {manifest["kind"] for manifest in manifests}
    assert kinds == (ALWAYS if serving == "batch" else ALWAYS | SERVICE_ONLY)
    assert {"monitor", "improve", "predict"} <= templates(manifests).keys()
    namespaces = {m["metadata"].get("namespace") for m in manifests if m["kind"] != "Namespace"}
    assert namespaces == {one(manifests, "Namespace")["metadata"]["name"]}
    assert namespaces == {f"my-model-{overlay}"}


@every_compute
@every_serving
def test_pods_pass_the_restricted_standard(build: Build, serving: str, compute: str) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/."""
    manifests = build("production", serving=serving, compute=compute)
    labels = one(manifests, "Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    for template in templates(manifests).values():
        pod = template["spec"]
        assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC", "initContainers"}
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not pod["automountServiceAccountToken"]
        allowed = {"persistentVolumeClaim", "emptyDir", "secret"}
        assert all(volume.keys() - {"name"} <= allowed for volume in pod["volumes"])
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"].keys() >= {"cpu", "memory", "ephemeral-storage"}


@every_serving
def test_names_refer_to_what_is_there(build: Build, serving: str) -> None:
    manifests = build("production", serving=serving)
    named = {(m["kind"], m["metadata"]["name"]) for m in manifests}
    for template in templates(manifests).values():
        pod = template["spec"]
        assert ("ServiceAccount", pod["serviceAccountName"]) in named
        claims = [
            v["persistentVolumeClaim"] for v in pod["volumes"] if len(v) and "emptyDir" not in v
        ]
        assert all(("PersistentVolumeClaim", claim["claimName"]) in named for claim in claims)
        (container,) = pod["containers"]
        given, secret = container["envFrom"]
        assert ("ConfigMap", given["configMapRef"]["name"]) in named
        assert secret["secretRef"]["name"] == "my-model"
        assert container["image"].startswith("registry.example.org/my-model")
    if serving != "batch":
        selector = one(manifests, "Service")["spec"]["selector"]
        assert selector.items() <= templates(manifests)["my-model"]["metadata"]["labels"].items()
        labels = one(manifests, "Service")["metadata"]["labels"]
        watched = one(manifests, "ServiceMonitor")["spec"]["selector"]["matchLabels"]
        assert watched.items() <= labels.items()


def test_a_scheduler_and_workers_are_reached_by_jobs_alone(build: Build) -> None:
    manifests = build("production", serving="batch", compute="dask")
    added = {"Deployment", "HorizontalPodAutoscaler", "Service"}
    assert {manifest["kind"] for manifest in manifests} == ALWAYS | added
    pods = templates(manifests)
    components = {t["metadata"]["labels"]["app.kubernetes.io/component"] for t in pods.values()}
    assert components == {"jobs", "scheduler", "workers"}
    address = urlsplit(settings(manifests)["DASK_SCHEDULER_ADDRESS"])
    service = one(manifests, "Service")
    assert address.scheme == "tls"
    assert address.hostname == service["metadata"]["name"]
    assert address.port == service["spec"]["ports"][0]["port"]
    labels = pods["my-model-scheduler"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    cluster = {"scheduler", "workers"}
    policies = {m["metadata"]["name"]: m for m in manifests if m["kind"] == "NetworkPolicy"}
    reached, clients = (policies[f"my-model-dask{end}"]["spec"] for end in ("", "-clients"))
    assert chosen(reached["podSelector"]) == cluster
    assert chosen(reached["ingress"][0]["from"][0]["podSelector"]) == cluster | {"jobs"}
    assert chosen(clients["podSelector"]) == cluster | {"jobs"}
    assert chosen(clients["egress"][0]["to"][0]["podSelector"]) == cluster


def chosen(selector: Manifest) -> set[str]:
    (expression,) = selector["matchExpressions"]
    assert expression["key"] == "app.kubernetes.io/component"
    return set(expression["values"])


def test_who_runs_what_is_sent_holds_the_certificate_and_no_secret_of_the_project(
    build: Build,
) -> None:
    manifests = build("staging", compute="dask")
    pods = templates(manifests)
    scaled = [m["spec"] for m in manifests if m["kind"] == "HorizontalPodAutoscaler"]
    assert {"my-model", "my-model-workers"} == {s["scaleTargetRef"]["name"] for s in scaled}
    for name in ("my-model-scheduler", "my-model-workers", "improve"):
        (container,) = pods[name]["spec"]["containers"]
        assert container["image"] == "registry.example.org/my-model-jobs:0.1.0"
        secrets = [
            each["secretRef"]["name"] for each in container["envFrom"] if "secretRef" in each
        ]
        assert secrets == (["my-model"] if name == "improve" else [])
        (tls,) = [v for v in pods[name]["spec"]["volumes"] if v["name"] == "dask-tls"]
        assert tls["secret"] == {"secretName": "my-model-dask", "defaultMode": 0o440}
        (mount,) = [m for m in container["volumeMounts"] if m["name"] == "dask-tls"]
        files = [v for k, v in settings(manifests).items() if "__TLS__" in k]
        assert len(files) == 1 + 2 * len(("scheduler", "worker", "client"))
        assert all(file.startswith(mount["mountPath"] + "/") for file in files)
    assert not any("dask" in str(each) for each in pods["my-model"]["spec"]["containers"])
    mounts = pods["my-model-workers"]["spec"]["containers"][0]["volumeMounts"]
    written = {mount["mountPath"] for mount in mounts if not mount.get("readOnly")}
    assert written == {"/tmp", "/srv/my-model/data/batch"}  # noqa: S108 -- of the container


def test_the_service_reads_the_store_that_the_jobs_write(build: Build) -> None:
    pods = templates(build("production"))
    read, written = (
        {mount["mountPath"]: mount for mount in pods[name]["spec"]["containers"][0]["volumeMounts"]}
        for name in ("my-model", "improve")
    )
    for folder in ("models", "reports"):
        path = f"/srv/my-model/{folder}"
        assert read[path] == written[path] | {"readOnly": True}
    claim = one(build("production"), "PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


@every_overlay
def test_to_train_takes_more_memory_than_to_watch(build: Build, overlay: str) -> None:
    limits = {
        name: template["spec"]["containers"][0]["resources"]["limits"]["memory"]
        for name, template in templates(build(overlay)).items()
    }
    assert limits["monitor"] == "2Gi"
    assert limits["improve"] == "8Gi"


def test_a_node_can_be_emptied_at_any_time(build: Build) -> None:
    manifests = build("production")
    budget = one(manifests, "PodDisruptionBudget")["spec"]
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"  # before there is a champion
    for manifest in manifests:
        if manifest["kind"] == "CronJob":
            (rule,) = manifest["spec"]["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
            assert rule["action"] == "Ignore"
            assert rule["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]


def test_what_the_service_keeps_inside_is_not_published(build: Build) -> None:
    (rule,) = one(build("production"), "Ingress")["spec"]["rules"]
    paths = {path["path"] for path in rule["http"]["paths"] if path["pathType"] == "Exact"}
    assert len(paths) == len(rule["http"]["paths"])
    assert paths == {"/", "/predict", "/feedback", "/model", "/docs", "/openapi.json"}


@every_overlay
def test_the_operator_of_a_default_stack_takes_the_rules_and_one_board(
    build: Build, overlay: str
) -> None:
    manifests = build(overlay)
    for kind in ("ServiceMonitor", "PrometheusRule"):
        assert one(manifests, kind)["metadata"]["labels"]["release"] == "kube-prometheus-stack"
    (board,) = [m for m in manifests if m["metadata"]["name"] == "my-model-board"]
    assert list(board["data"]) == ["my-model.json"]  # a file of the sidecar, beside those of others


def test_long_names_are_legal(build: Build) -> None:
    for manifest in build("production", project_name="z" * 50, compute="dask"):
        most = {"CronJob": 52, "ConfigMap": 253}  # a job adds eleven characters
        assert len(manifest["metadata"]["name"]) <= most.get(manifest["kind"], 63)


@pytest.mark.slow
@every_compute
@every_serving
def test_checkov_finds_nothing_that_is_not_argued_for(
    render: Renders, serving: str, compute: str, tmp_path: Path
) -> None:
    project = render(deployment="kubernetes", serving=serving, compute=compute)
    for overlay in OVERLAYS:
        (tmp_path / f"{overlay}.yaml").write_text(built(project, overlay), encoding="utf-8")
    checkov = ["uv", "tool", "run", "--from", "checkov>=3.2,<4", "checkov"]
    options = ["--skip-download", "--framework", "kubernetes", "--output", "json"]
    done = subprocess.run(
        [*checkov, *options, "--directory", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(done.stdout)
    assert found["summary"]["passed"] > 100
    assert found["results"]["failed_checks"] == []
    assert all(
        check["check_result"]["suppress_comment"] for check in found["results"]["skipped_checks"]
    )


KUBECTL = """#!/bin/sh
# What needs a cluster is made up; the patch is the real one.
case "$1 $2" in
    "create job") echo '{"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "run"},
        "spec": {"podFailurePolicy": {"rules": []}, "template": {"spec": {"restartPolicy": "Never",
        "containers": [{"name": "job", "image": "x", "args": ["monitor"]}]}}}}' ;;
    patch*) exec KUBECTL "$@" ;;
    create*) cat > "$JOB" ;;
    get*) echo 0 ;;
esac
"""


def test_any_argument_reaches_the_command_in_the_cluster(render: Renders, tmp_path: Path) -> None:
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(KUBECTL.replace("KUBECTL", str(SCRIPTS / "kubectl")), encoding="utf-8")
    kubectl.chmod(0o755)
    arguments = [
        "predict",
        'a "new" file.csv',
        "back\\slash",
        "-x",
        "$(HOME)",
        "tab\t, line\n.",
        "",
    ]
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["sh", "deploy/kubernetes/run", "staging", *arguments],
        cwd=render(deployment="kubernetes"),
        env=os.environ | {"PATH": path, "JOB": str(tmp_path / "job.json")},
        check=True,
    )
    job = json.loads((tmp_path / "job.json").read_text(encoding="utf-8"))
    assert job["spec"]["template"]["spec"]["containers"][0]["args"] == arguments


@every_serving
def test_the_alerts_are_those_of_the_rule(build: Build, serving: str, tmp_path: Path) -> None:
    if not shutil.which("promtool"):
        pytest.skip("promtool is not here (it is part of Prometheus)")
    rule = one(build("production", serving=serving), "PrometheusRule")
    path = tmp_path / "alerts.yaml"
    path.write_text(yaml.safe_dump(rule["spec"]), encoding="utf-8")
    subprocess.run(["promtool", "check", "rules", path], check=True)
