"""What a project costs beside its fits: `run` against bare scikit-learn, 100,000 rows.

`run` reads, checks, splits, explores, searches, evaluates and reports. bare.py reads the same CSV
with pandas, cuts the same split and the same folds, fits the same pipelines to them, fits the best
again and scores it on the test set, nothing else. Each is a process of its own, with the same
libraries. The scores of the folds have to agree, so the fits are the same. `run` may take 1.25
times as long.
"""

import json
from pathlib import Path

from common import COMMAND, HERE, UNHURRIED, define, generate, install, program, run, workplace

GOAL = 1.25
ROWS = 100_000
CANDIDATES = {
    "classification": ["logistic", "tree", "forest", "boosting"],
    "regression": ["ridge", "tree", "forest", "boosting"],
}


def main() -> None:
    """Print the ratio for each problem type."""
    with workplace() as folder:
        for problem, candidates in CANDIDATES.items():
            project, _ = generate(folder, problem)
            install(project)
            compare(project, folder / f"{problem}.csv", problem, candidates)


def compare(project: Path, data: Path, problem: str, candidates: list[str]) -> None:
    """Print how long each side takes, and whether the scores are the same."""
    python = program(project, "python")
    run([python, str(HERE / "frame.py"), problem, str(ROWS), str(data)], project)
    define(project, data, "target", candidates=candidates, **UNHURRIED)
    ours = run([program(project, COMMAND), "run"], project)
    bare = run([python, str(HERE / "bare.py"), problem, str(data), *candidates], project)
    metrics = json.loads((project / "reports" / "metrics.json").read_text(encoding="utf-8"))
    found = {line["model"]: line["cv_mean"] for line in metrics["leaderboard"]}
    scores = json.loads(bare.output)
    apart = max(abs(found[name] / scores[name] - 1) for name in candidates)
    print(
        f"{problem}: run {ours.seconds:.1f} s, bare {bare.seconds:.1f} s, "
        f"ratio {ours.seconds / bare.seconds:.2f} (to reach: {GOAL}); "
        f"the scores differ by {apart:.1e} at most"
    )


if __name__ == "__main__":
    main()
