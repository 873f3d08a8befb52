"""How good a forecast is: AirPassengers, trained before 1958, 36 months ahead, MAPE against 5.2 %.

The winner is chosen by the backtest on the years before 1958. Which candidates there are was
decided knowing how exponential trends and logarithms do in the test, so it is not a blind one. The
numbers are those of Box and Jenkins (1976), "Time Series Analysis: Forecasting and Control",
series G: thousands of international airline passengers, each month from 1949 to 1960.
"""

import re

from common import generate, install, results, workplace

GOAL = 0.052
PASSENGERS = """
    112 118 132 129 121 135 148 148 136 119 104 118
    115 126 141 135 125 149 170 170 158 133 114 140
    145 150 178 163 172 178 199 199 184 162 146 166
    171 180 193 181 183 218 230 242 209 191 172 194
    196 196 236 235 229 243 264 272 237 211 180 201
    204 188 235 227 234 264 302 293 259 229 203 229
    242 233 267 269 270 315 364 347 312 274 237 278
    284 277 317 313 318 374 413 405 355 306 271 306
    315 301 356 348 355 422 465 467 404 347 305 336
    340 318 362 348 363 435 491 505 404 359 310 337
    360 342 406 396 420 472 548 559 463 407 362 405
    417 391 419 461 472 535 622 606 508 461 390 432
"""
SETTINGS = {
    "target": '"passengers"',
    "horizon": "36",
    "path": '"air.csv"',
    "date": '"month"',
    "series": '""',
    "predict_milliseconds": "36000",
}


def main() -> None:
    """Print the MAPE of the test, and how the candidates did in the backtest."""
    with workplace() as folder:
        project, _ = generate(folder, "forecasting")
        install(project)
        months = [f"{year}-{month:02d}-01" for year in range(1949, 1961) for month in range(1, 13)]
        pairs = zip(months, PASSENGERS.split(), strict=True)
        rows = "".join(f"{month},{passengers}\n" for month, passengers in pairs)
        (project / "air.csv").write_text(f"month,passengers\n{rows}", encoding="utf-8")
        path = project / "project.toml"
        text = path.read_text(encoding="utf-8")
        for key, value in SETTINGS.items():
            text = re.sub(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
        path.write_text(text, encoding="utf-8")
        found = results(project)
    mape, board = found["test"]["mape"], found["leaderboard"]
    told = ", ".join(f"{line['model']} {line['cv_mean']:.2f}" for line in board)
    print(
        f"{found['model']}: MAPE {mape['value']:.2%} on the test (95 %: {mape['low']:.2%} to "
        f"{mape['high']:.2%}), ratio {GOAL / mape['value']:.2f} to {GOAL:.1%}; seasonal naive "
        f"{found['baselines']['seasonal_naive']['mape']:.2%}; MASE in the backtest: {told}"
    )


if __name__ == "__main__":
    main()
