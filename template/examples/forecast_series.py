"""An application of the service: `python examples/forecast_series.py 3` prints what comes next.

The number is that of periods ahead; labels behind it name the series to forecast, all if there are
none. The address and the key come from the environment variables SERVICE and SERVICE_KEY.
"""

import os
import sys

from client import Client, ServiceError


def main(horizon: int, series: list[str]) -> None:
    """Print a line for each series and date."""
    address = os.environ.get("SERVICE", "http://127.0.0.1:8000")
    client = Client(address, os.environ.get("SERVICE_KEY", ""))
    future = client.model()["example"].get("future")  # put what you know ahead of time here
    for prediction in client.forecast(horizon, series or None, future=future):
        told = prediction.details
        label = f"{told['series']}, " if "series" in told else ""
        print(f"{label}{told['date']}: {prediction.value} ({told['low']} to {told['high']})")


if __name__ == "__main__":
    if len(sys.argv) < 2 or not sys.argv[1].isdecimal():
        sys.exit(__doc__)
    try:
        main(int(sys.argv[1]), sys.argv[2:])
    except (ValueError, ServiceError) as error:
        sys.exit(f"Error: {error}")
