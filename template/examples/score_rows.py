"""An application of the service: `python examples/score_rows.py new.csv` prints what it predicts.

The address and the key come from the environment variables SERVICE and SERVICE_KEY.
"""

import csv
import os
import sys
from pathlib import Path

from client import Client, ServiceError


def main(path: Path) -> None:
    """Print a line for each row of a CSV file."""
    address = os.environ.get("SERVICE", "http://127.0.0.1:8000")
    client = Client(address, os.environ.get("SERVICE_KEY", ""))
    names = {column["name"] for column in client.model()["inputs"]}
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [
            {name: value or None for name, value in row.items() if name in names}
            for row in csv.DictReader(file)
        ]
    for number, prediction in enumerate(client.predict_many(rows), start=1):
        doubts = f"  ({'; '.join(prediction.warnings)})" if prediction.warnings else ""
        print(f"{number}: {prediction.value}{doubts}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        main(Path(sys.argv[1]))
    except (OSError, ValueError, ServiceError) as error:
        sys.exit(f"Error: {error}")
