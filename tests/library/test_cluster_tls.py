"""A cluster whose scheduler, workers and clients know each other by a certificate."""

import re
import shutil
import subprocess
from contextlib import ExitStack, contextmanager

import dask
import pytest
import yaml
from project import REPOSITORY, answers_of, edit, render, run_in

pytest.importorskip("distributed", reason="Dask is not installed; only compute = dask needs it")
from dask_cluster import on, started

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl is here"),
]

PAGE = REPOSITORY / "docs" / "how-to" / "more-machines.md"
MANIFEST = "deploy/kubernetes/base/kustomization.yaml"


def certificate(folder):
    """Make a certificate as the page says."""
    (commands,) = re.findall(r"```sh\n(openssl .*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    folder.mkdir()
    subprocess.run(["sh", "-ec", commands], cwd=folder, check=True, capture_output=True)
    return folder


def variables(folder):
    """Return the environment of the pods in Kubernetes, with the certificate of this folder."""
    text = render(MANIFEST, answers_of("classification") | {"compute": "dask"})
    maps = {each["name"]: each["literals"] for each in yaml.safe_load(text)["configMapGenerator"]}
    literals = [line.partition("=") for name in maps if "dask" in name for line in maps[name]]
    return {name: value.replace("/etc/dask-tls", str(folder)) for name, _, value in literals}


@contextmanager
def environment(**variables):
    """Let this process have other variables; Dask reads them when it is imported."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        dask.config.refresh()
        yield
    dask.config.refresh()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("tls") / "ours")


@pytest.fixture(scope="module")
def cluster(folder, tmp_path_factory):
    with ExitStack() as stack:
        with environment(**variables(folder)):
            made = started(tmp_path_factory.mktemp("cluster"), 1, "tls")
            cluster = stack.enter_context(made)
        yield cluster


@pytest.fixture
def quick(own):
    edit(own, search={"method": "none"}, models={"candidates": ["logistic"]})
    on(own, "local")
    return own


def train(own, **variables):
    with environment(**variables):
        return run_in(own.root, "train", "--force")


def test_the_address_and_the_certificate_are_those_of_the_environment(quick, cluster, folder):
    address = {"DASK_SCHEDULER_ADDRESS": cluster.address}
    result = train(quick, **variables(folder) | address)
    assert result.exit_code == 0, result.output
    assert f"1 worker with 1 thread at {cluster.address}, busy for " in result.output


def test_who_does_not_show_the_certificate_is_refused(quick, cluster, folder, tmp_path):
    tls = {"DASK_SCHEDULER_ADDRESS": cluster.address}
    tcp = {"DASK_SCHEDULER_ADDRESS": cluster.address.replace("tls", "tcp")}
    refused(quick, **variables(certificate(tmp_path / "theirs")) | tls)
    refused(quick, **variables(tmp_path / "nowhere") | tls)
    refused(quick, **variables(folder) | tcp)
    refused(quick, **tls)
    refused(quick, **tcp)


def refused(own, **variables):
    failed = train(own, **variables)
    assert failed.exit_code == 2, failed.output
    assert failed.output.count("\n") == 1
    assert "The environment variable DASK_SCHEDULER_ADDRESS" in failed.output
    assert "but no Dask scheduler answers there (" in failed.output
