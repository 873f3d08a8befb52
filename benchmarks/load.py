"""Send one request over and over on some connections, and measure: `load.py URL BODY`.

BODY is a file. Each connection is kept and sends its next request when it has the answer to the
last. Prints JSON: how many answers there were of each status, how many a second, and the median
and the 99th percentile of the time that an answer took.
"""

import argparse
import asyncio
import json
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit


class Caller(asyncio.Protocol):
    """One connection; `load` says how many requests are left to send."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 -- of TCP
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        """Take an answer once it is whole, and send the next request."""
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        _, _, rest = head.lower().partition(b"content-length:")
        if len(body) < int(rest.split(b"\r\n", 1)[0]):
            return
        self._buffer = b""
        self._load.answered(head.split(b" ", 2)[1].decode(), time.perf_counter() - self._sent)
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio's name
        """Count a connection that the other side closed."""
        self._load.lost()

    def _send(self) -> None:
        if not self._load.take():
            self._transport.abort()
            return
        self._sent = time.perf_counter()
        self._transport.write(self._load.request)


class Load:
    """What all connections share."""

    def __init__(self, request: bytes, requests: int, connections: int, seconds: float) -> None:
        self.request = request
        self.left = requests
        self.times: list[float] = []
        self.statuses: Counter[str] = Counter()
        self.done = asyncio.Event()
        self._end = time.perf_counter() + seconds
        self._open = connections

    def take(self) -> bool:
        """Tell whether another request is to be sent."""
        if self.left <= 0 or time.perf_counter() > self._end:
            return False
        self.left -= 1
        return True

    def answered(self, status: str, seconds: float) -> None:
        """Note an answer."""
        self.statuses[status] += 1
        self.times.append(seconds)

    def lost(self) -> None:
        """Note a connection that has ended."""
        self._open -= 1
        if self._open == 0:
            self.done.set()


async def measure(url: str, load: Load, connections: int) -> dict[str, object]:
    """Send what is to be sent, and return what was measured."""
    parts = urlsplit(url)
    started = time.perf_counter()
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: Caller(load), str(parts.hostname), parts.port or 80)
    await load.done.wait()
    took = time.perf_counter() - started
    times = sorted(load.times) or [0.0]
    return {
        "statuses": dict(load.statuses),
        "requests_per_second": len(load.times) / took,
        "p50_milliseconds": 1000 * times[len(times) // 2],
        "p99_milliseconds": 1000 * times[int(len(times) * 0.99)],
    }


def main() -> None:
    """Read the command line, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("body", type=Path)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--header", action="append", default=[])
    given = parser.parse_args()
    body, parts = given.body.read_bytes(), urlsplit(given.url)
    head = [
        f"POST {parts.path} HTTP/1.1",
        f"Host: {parts.netloc}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *given.header,
    ]
    request = "\r\n".join([*head, "", ""]).encode() + body
    load = Load(request, given.requests, given.connections, given.seconds)
    result = asyncio.run(measure(given.url, load, given.connections))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
