"""How fast predictions are served, beside the same server with no model and three others.

One row of 30 numbers and a linear model (breast cancer, 1995), then one row of numbers and
categories (the sample of a new project), 32 connections, one worker process each. All of them have
the same fitted pipeline, get the same row by name and give it the same label. Ours checks the
values, answers with probabilities and an id, and writes all of it to the prediction log; it runs as
its users start it. The others answer with the label alone. "Bare" is the quickest that they can be
asked: the steps of the pipeline without names, and bare numbers in order. "No model" is our server
where the model is asked once and its answer repeated: the limit. It runs beside the server that it
is the limit of, and they are loaded in turn, so that both meet the machine in the same state. "One
core" is our server kept there, where its threads need not pass the interpreter from core to core.
The processor time is that of all processes of a server, and so is the memory, which is taken after
some requests (a limit shares its libraries with the server beside it). The load comes from a
process of its own.

With ``--keep FOLDER`` the servers are made there and kept, and the next run only measures them.
Names, like ``fastapi mlserver``, measure these only.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

from common import HERE, run, workplace
from servers import BARE, CORE, NONE, OWN, PEERS, WAYS, Server, servers

CONNECTIONS = 32
ROUNDS, TURNS = 3, 3  # of all servers, and of one in each; a machine is not as quick all the time
REQUESTS = 20_000
SECONDS = 1.5  # at most, for each turn
WARM_UP = 1_000  # requests


@dataclass(frozen=True)
class Measured:
    """What a server did."""

    rate: float  # requests a second
    half: float  # milliseconds that half of the requests take at most
    slow: float  # milliseconds that 99 of 100 requests take at most
    processor: float  # milliseconds a request
    memory: float  # MB
    statuses: dict[str, int]


def main() -> None:
    """Print the figures of each server, and what ours does of each other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    given = parser.parse_args()
    found: dict[str, list[Measured]] = {}
    with workplace(given.keep) as folder:
        for number in range(ROUNDS):
            for _, group in groupby(servers(folder), lambda one: one.name.removesuffix(NONE)):
                beside = list(group)
                if not given.names or beside[0].name.split()[0] in given.names:
                    for name, turns in measure(beside).items():
                        found.setdefault(name, []).extend(turns)
            print(f"round {number + 1} of {ROUNDS} is done", flush=True)
    for name, turns in found.items():
        print(f"{name}: {tell(turns)}")
    compare(found)


def tell(turns: list[Measured]) -> str:
    """Return the medians of a server's turns."""
    rate, half, slow, processor, memory = (
        median(getattr(one, figure) for one in turns)
        for figure in ("rate", "half", "slow", "processor", "memory")
    )
    statuses = sum((Counter(one.statuses) for one in turns), Counter())
    return (
        f"{rate:,.0f} requests/s, p50 {half:.1f} ms, p99 {slow:.1f} ms, {processor:.2f} ms of "
        f"processor a request, {memory:.0f} MB; statuses {dict(statuses)}"
    )


def compare(found: dict[str, list[Measured]]) -> None:
    """Print what ours does of each other: the median of the turns' ratios, and the extremes."""
    for way in WAYS:
        for serving in OWN:
            ours = f"{serving} {way.removesuffix(', bare')}"
            pairs = [(ours, f"{peer} {way}") for peer in PEERS]
            if way != BARE:
                pairs += [(ours + where, ours + where + NONE) for where in ("", CORE)]
            for mine, other in pairs:
                if mine in found and other in found:
                    both = zip(found[mine], found[other], strict=True)
                    ratios = sorted(one.rate / two.rate for one, two in both)
                    middle, low, high = median(ratios), ratios[0], ratios[-1]
                    print(f"{mine} is {middle:.2f} ({low:.2f} to {high:.2f}) times {other}")


def measure(beside: list[Server]) -> dict[str, list[Measured]]:
    """Start servers, load them in turn, and stop them."""
    found: dict[str, list[Measured]] = {}
    with ExitStack() as running:
        begun = []
        for server in beside:
            pid = running.enter_context(started(server))
            begun.append((server, pid, megabytes(pid)))
        for server, pid, memory in begun * TURNS:
            found.setdefault(server.name, []).append(measure_turn(server, pid, memory))
    return found


def measure_turn(server: Server, pid: int, memory: float) -> Measured:
    """Load a server that runs."""
    before = processor_seconds(pid)
    found = load(server, REQUESTS)
    used = processor_seconds(pid) - before
    return Measured(
        found["requests_per_second"],
        found["p50_milliseconds"],
        found["p99_milliseconds"],
        1000 * used / max(sum(found["statuses"].values()), 1),
        memory,
        found["statuses"],
    )


def load(server: Server, requests: int) -> dict[str, Any]:
    """Send so many requests at most, and return what `load.py` has measured."""
    body = Path(server.folder) / "body.json"
    body.write_text(json.dumps(server.body), encoding="utf-8")
    url = f"http://127.0.0.1:{server.port}{server.path}"
    command = [sys.executable, str(HERE / "load.py"), url, str(body)]
    command += ["--connections", str(CONNECTIONS), "--seconds", str(SECONDS)]
    return dict(json.loads(run([*command, "--requests", str(requests)], HERE).output))


@contextmanager
def started(server: Server) -> Iterator[int]:
    """Run a server until the block ends; yield its process id once it has answered for a while."""
    environment = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    environment["PATH"] = f"{Path(server.command[0]).parent}{os.pathsep}{environment['PATH']}"
    log = Path(server.folder) / f"server-{server.port}.log"
    with (
        log.open("w", encoding="utf-8") as output,
        subprocess.Popen(
            server.command,
            cwd=server.folder,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        ) as process,
    ):
        if server.one_core:  # which its threads inherit; the load gets another
            os.sched_setaffinity(process.pid, {max(os.sched_getaffinity(0))})
        try:
            wait(server, process, log)
            load(server, WARM_UP)
            yield process.pid
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def wait(server: Server, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Send the request until it is answered, and see that the answer is right."""
    url = f"http://127.0.0.1:{server.port}{server.path}"
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(server.body).encode(), headers)
    end = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                text = answer.read().decode()
            break
        except urllib.error.HTTPError as error:
            reason = f"{error.code} {error.read().decode(errors='replace')}"
        except OSError as error:
            reason = str(error)
        if time.monotonic() > end or process.poll() is not None:
            sys.exit(f"{server.name} does not answer: {reason}\n{log.read_text(encoding='utf-8')}")
        time.sleep(0.5)
    if f'"{server.answer}"' not in text:
        sys.exit(f"{server.name} does not answer {server.answer}: {text}")


def tree(pid: int) -> list[int]:
    """Return a process and all that it has started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    return [pid, *(each for child in children for each in tree(int(child)))]


def processor_seconds(pid: int) -> float:
    """Return the processor time of a server so far."""
    ticks = 0
    for each in tree(pid):
        fields = Path(f"/proc/{each}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def megabytes(pid: int) -> float:
    """Return the memory of a server; what its processes share is counted once."""
    total = 0
    for each in tree(pid):
        rollup = Path(f"/proc/{each}/smaps_rollup").read_text(encoding="utf-8")
        total += int(rollup.partition("\nPss:")[2].split()[0])
    return total / 1000


if __name__ == "__main__":
    main()
