"""Ask the service about the customers in a file, and tell it what became of them."""
# ruff: noqa: S310, T201 -- a script, for a service of one's own

import csv
import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

ADDRESS = "http://127.0.0.1:8000"
MOST_ROWS = 1000  # [serving] max_rows


def post(path: str, body: object) -> Any:  # noqa: ANN401 -- JSON
    """Send JSON, and return the JSON that comes back."""
    request = urllib.request.Request(f"{ADDRESS}{path}", json.dumps(body).encode())
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def main() -> None:
    """Send the rows in parts; the column "left" is the true label."""
    with Path(sys.argv[1]).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    given = [{k: None if v in {"", "unknown"} else v for k, v in row.items()} for row in rows]
    for start in range(0, len(rows), MOST_ROWS):
        part = given[start : start + MOST_ROWS]
        response = post("/predict", {"rows": part})
        for row, prediction in zip(part, response["predictions"], strict=True):
            post("/feedback", {"id": prediction["id"], "actual": row["left"]})
    print(f"{len(rows):,} predictions by {response['model']}, each with its true label")


if __name__ == "__main__":
    main()
