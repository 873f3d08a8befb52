"""Make the pictures of the documentation and its gallery from real runs, with headless Chromium.

`uv run docs/pictures.py` starts, runs and serves a project of each problem type; with their names,
of these alone. `loop` makes the picture of the loop by its benchmark, which takes some ten minutes,
and `tree` writes the gallery's files anew without any run.
"""

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import copier
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import WebDriverWait

DOCS = Path(__file__).resolve().parent
REPOSITORY = DOCS.parent
IMAGES = DOCS / "images"
GALLERY = DOCS / "gallery.md"
WHAT = {  # of the data that a project of each type begins with
    "classification": "Loans that went well or bad.",
    "regression": "Houses and what they were sold for.",
    "clustering": "Penguins that are alike.",
    "forecasting": "The unemployed of 14 industries, six months ahead.",
    "anomaly_detection": "Tumours that are not like the others.",
}
SIZE = (1100, 860)
COLOURS = 128


def main() -> None:
    """Make the pictures that the command line names, or all but the loop's."""
    names = sys.argv[1:] or list(WHAT)
    with TemporaryDirectory() as folder, chromium() as browser:
        for name in names:
            if name == "loop":
                take_loop(browser)
            elif name != "tree":
                take(name, Path(folder), browser)
    GALLERY.write_text(gallery(), encoding="utf-8")


def take(problem_type: str, folder: Path, browser: WebDriver) -> None:
    """Run a project, and keep what its report and its page look like."""
    project = start(problem_type, folder)
    subprocess.run(command("run"), cwd=project, env=variables(project), check=True)
    browser.get((project / "reports" / "index.html").as_uri())
    keep(browser.get_screenshot_as_png(), f"{problem_type}-report")
    wait = WebDriverWait(browser, 20)
    with serve(project) as address:
        browser.get(address)
        wait.until(lambda _: browser.find_element(By.ID, "predict").is_displayed())
        browser.find_element(By.ID, "predict").click()
        wait.until(lambda _: browser.find_elements(By.CSS_SELECTOR, "#value, #result td"))
        keep(browser.get_screenshot_as_png(), f"{problem_type}-page")


def start(problem_type: str, folder: Path) -> Path:
    """Start a project of a problem type, from the template as it is here."""
    project = folder / problem_type / "my-model"
    answers = {"problem_type": problem_type}
    with warnings.catch_warnings(action="ignore", category=copier.errors.DirtyLocalWarning):
        copier.run_copy(
            str(REPOSITORY), project, data=answers, defaults=True, quiet=True, vcs_ref="HEAD"
        )
    return project


def take_loop(browser: WebDriver) -> None:
    """Run the benchmark of the loop, and keep what became of the metric over time."""
    benchmark = [sys.executable, "benchmarks/loop.py", "classification"]
    subprocess.run(benchmark, cwd=REPOSITORY, check=True)
    browser.get((REPOSITORY / "loop-classification.html").as_uri())
    figure = browser.find_element(By.XPATH, "//figure[contains(., 'a dashed line is a change')]")
    keep(figure.screenshot_as_png, "loop")


def keep(png: bytes, name: str) -> None:
    """Write a picture with few colours, which makes it small."""
    image = Image.open(io.BytesIO(png)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    image.save(IMAGES / f"{name}.png", optimize=True)


def gallery() -> str:
    """Return the page that shows all pictures."""
    said = """What a new project of each problem type is after its first `run`: the top of its
report, the page of its service, and its files. `uv run docs/pictures.py` makes all of it."""
    parts = ["# Gallery", said]
    for name, what in WHAT.items():
        title = name.replace("_", " ").capitalize()
        with TemporaryDirectory() as folder:
            tree = draw_tree(start(name, Path(folder)))
        parts += [
            f"## {title}",
            what,
            f"![The report of a project of the type {name}](images/{name}-report.png)",
            f"![The page of its service, with a prediction](images/{name}-page.png)",
            f"```none\n{tree}```",
        ]
    return "\n\n".join(parts) + "\n"


def draw_tree(project: Path) -> str:
    """Return the files of a project, without those inside of the library."""
    lines = [f"{project.name}/"]

    def add(folder: Path, indent: str) -> None:
        entries = sorted(folder.iterdir(), key=lambda path: (path.is_file(), path.name))
        for entry in entries:
            last = entry == entries[-1]
            lines.append(f"{indent}{'└── ' if last else '├── '}{entry.name}{'/' * entry.is_dir()}")
            if entry.is_dir() and entry.name != "mlsteps":
                add(entry, indent + ("    " if last else "│   "))

    add(project, "")
    return "\n".join(lines) + "\n"


def command(*words: str) -> list[str]:
    """Return a command of a project."""
    return [sys.executable, "-m", "my_model", *words]


def variables(project: Path) -> dict[str, str]:
    """Return the variables by which this Python finds a project and its library."""
    return os.environ | {"PYTHONPATH": f"{project / 'src'}{os.pathsep}{project / 'vendor'}"}


@contextlib.contextmanager
def serve(project: Path) -> Iterator[str]:
    """Serve a project on a free port."""
    with subprocess.Popen(
        command("serve", "--port", "0"),
        cwd=project,
        env=variables(project),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            lines = iter(process.stderr.readline, "") if process.stderr else []
            yield next(found[0] for line in lines if (found := re.search(r"http://[^\s\"]+", line)))
        finally:
            process.terminate()


@contextlib.contextmanager
def chromium() -> Iterator[WebDriver]:
    """Start a browser with a window of one size."""
    options = webdriver.ChromeOptions()
    plain = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars")
    for argument in plain:
        options.add_argument(argument)
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    with webdriver.Chrome(options=options, service=service) as driver:
        size = {"width": SIZE[0], "height": SIZE[1], "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        yield driver


if __name__ == "__main__":
    main()
