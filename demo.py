"""Start a project, run it, and ask its service for a prediction: `python demo.py`.

Each command is printed as it is run, so this is what to type to do the same by hand.
"""

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import venv
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent
FOLDER = REPOSITORY / "demo"
PROJECT = FOLDER / "my-model"
PATIENCE = 60  # seconds that the service may take to be ready


def main() -> None:
    """Walk from nothing to an answer."""
    find_uv()
    shutil.rmtree(PROJECT, ignore_errors=True)
    run("uvx cookiecutter --no-input --output-dir demo .", REPOSITORY)
    show("cd demo/my-model")
    run("uv run my-model run", PROJECT)
    port = free_port()
    command = f"uv run my-model serve --port {port}"
    show(command)
    with subprocess.Popen(shlex.split(command), cwd=PROJECT) as service:
        try:
            ask(service, f"http://127.0.0.1:{port}")
        finally:
            service.terminate()
    print(f"\nThe report is {PROJECT / 'reports' / 'index.html'}")


def find_uv() -> None:
    """Put uv on the path; where there is none, pip installs it in a folder of the demo."""
    if shutil.which("uv"):
        return
    folder = FOLDER / ".uv"
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    if not (scripts / "uv").exists():
        venv.create(folder, with_pip=True)
        run(f"{scripts / 'python'} -m pip install --quiet uv", REPOSITORY)
    os.environ["PATH"] = f"{scripts}{os.pathsep}{os.environ['PATH']}"


def ask(service: subprocess.Popen[bytes], url: str) -> None:
    """Send one row to the service, and print the answer."""
    wait(service, f"{url}/health/ready")
    row = get(f"{url}/model")["example"]
    body = json.dumps({"rows": [row]})
    show(f"curl {url}/predict --json '{body}'")
    print(json.dumps(get(f"{url}/predict", body), indent=2))


def wait(service: subprocess.Popen[bytes], url: str) -> None:
    """Wait until the service is ready."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if service.poll() is not None:
            sys.exit(f"The service stopped with exit code {service.returncode}.")
        try:
            get(url)
        except OSError:  # not there yet, or not ready
            time.sleep(0.1)
        else:
            return
    sys.exit(f"{url} was not ready after {PATIENCE} seconds.")


def get(url: str, body: str | None = None) -> dict[str, Any]:
    """Return the JSON that a URL answers; a body is posted."""
    data = None if body is None else body.encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return dict(json.load(answer))


def run(command: str, folder: Path) -> None:
    """Show a command and run it; stop the demo if it fails."""
    show(command)
    code = subprocess.run(shlex.split(command), cwd=folder, check=False).returncode
    if code:
        sys.exit(f"`{command}` in {folder} failed with exit code {code}.")


def show(command: str) -> None:
    """Print a command as one types it."""
    print(f"\n$ {command}", flush=True)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


if __name__ == "__main__":
    main()
