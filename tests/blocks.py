"""The blocks of the documentation, and somebody who types what a page says."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from conftest import Environment, Template, change_settings, commit, git
from conversation import Conversation
from edits import BLOCK as EDIT
from edits import change_file

TYPED = {"console", "python", "sh"}
BLOCK = re.compile(
    r"(?:^\*No test runs this: it needs (?P<need>[^*]+)\.\*\n\n)?"
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
NUMBER = re.compile(r'(?<="id":")[0-9a-f]{32}|\d+(?:[.,]\d+)*(?:e[+-]?\d+)?')
BEST = re.compile(r"\w+(?= is best:|, ROC AUC #)|(?<=evaluate )( *)\w+(?=:)")
LABEL = re.compile(r"'\w+'(?= #)")  # with its share
UVX = """#!{python}
import os, sys
tool, *rest = sys.argv[1:]
rest = [{template!r} if word == "gh:org/ml-template" else word for word in rest]
quiet = {{"cookiecutter": "--no-input", "copier": "--defaults"}}[tool]
more = [] if {answers!r} or quiet in rest else [quiet]
os.execv(sys.executable, [sys.executable, "-m", tool, *rest, *more])
"""
UV = """#!{python}
import os, sys
run, name, *rest = sys.argv[1:]
assert run == "run", sys.argv
os.environ["PYTHONPATH"] = os.path.abspath("src") + os.pathsep + os.path.abspath("vendor")
own = os.path.isdir("src/" + name.replace("-", "_"))
command = ["python", "-m", name.replace("-", "_")] if own else [name]
command[0] = {scripts!r} + "/" + command[0]
os.execv(command[0], [*command, *rest])
"""
PYTHON = """#!/bin/sh
exec {scripts}/python "$@"
"""


@dataclass(frozen=True)
class Block:
    """A block of a page: what it is, its lines, the file that it changes, what it would need."""

    language: str
    text: str
    file: str
    need: str


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page."""
    text = page.read_text(encoding="utf-8")
    files = {match.start(2): match[1] for match in EDIT.finditer(text)}
    found = []
    for match in BLOCK.finditer(text):
        lines = match["text"].splitlines()
        inside = "\n".join(line.removeprefix(match["indent"]) for line in lines)
        file = files.get(match.start("text"), "")
        found.append(Block(match["language"], inside, file, match["need"] or ""))
    return found


@dataclass
class Reader:
    """Somebody who types what a page says into one shell, from top to bottom.

    uv is a stand-in that takes the libraries where they are installed already, and uvx one that
    knows where the template is, and asks nothing unless there are answers to type.
    """

    folder: Path
    environment: Environment
    template: Template
    port: int
    answers: tuple[tuple[str, str], ...] = ()
    give: dict[str, Path] = field(default_factory=dict)
    begin: Callable[[Path], None] = lambda _: None
    compares: bool = False
    said: str = ""
    code: str = ""
    running: Conversation | None = None
    open: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        """Lay out the shell."""
        self.home = self.folder.parent / "reader"
        self.home.mkdir()
        values = {"python": sys.executable, "answers": self.answers}
        values |= {"template": str(self.template.path), "scripts": f"{self.environment.path}/bin"}
        for name, text in {"python": PYTHON, "uv": UV, "uvx": UVX}.items():
            (self.home / name).write_text(text.format(**values), encoding="utf-8")
            (self.home / name).chmod(0o755)
        self.variables = os.environ | {
            "PATH": f"{self.home}{os.pathsep}{os.environ['PATH']}",
            "SERVICE": f"http://127.0.0.1:{self.port}",
            "MLFLOW_PORT": str(self.port),
        }
        for who in ("AUTHOR", "COMMITTER"):
            self.variables |= {f"GIT_{who}_NAME": "R", f"GIT_{who}_EMAIL": "r@example.org"}

    def read(self, page: Path, apart: set[str]) -> None:
        """Do what a page says, `apart` from some commands, and compare what it shows."""
        for block in blocks(page):
            if block.need or block.text in apart:
                continue
            if block.file:
                change_file(self.folder / block.file, block.text)
            elif block.language == "python":
                self.execute(block.text)
            elif block.language in TYPED:
                self.type(block)
            elif block.language in {"json", "text"} and self.compares:
                self.look(block.text, lambda: self.said + self.log())

    def enter_project(self) -> None:
        """Prepare a project as soon as the reader stands in one."""
        settings = self.folder / "project.toml"
        if settings.is_file() and "port = 8000" in settings.read_text(encoding="utf-8"):
            change_settings(self.folder, serving={"port": self.port})
            for name, file in self.give.items():
                (self.folder / name).parent.mkdir(exist_ok=True)
                (self.folder / name).write_bytes(self.here(file.read_bytes()))
            self.begin(self.folder)

    def here(self, content: bytes) -> bytes:
        """Return what a page or a file of it says, with the port that is free here."""
        return content.replace(b"127.0.0.1:8000", b"127.0.0.1:%d" % self.port)

    def type(self, block: Block) -> None:
        """Type the commands of a block."""
        for command, shown in commands(block):
            if command.startswith("uvx copier update"):
                self.remember()
            output = self.run(self.here(command.encode()).decode())
            self.look(shown, self.log if is_service(command) else lambda said=output: said)
            self.enter_project()

    def look(self, shown: str, printed: Callable[[], str]) -> None:
        """Look for what a page shows, which a service may be about to say."""
        deadline = time.monotonic() + 30
        while not is_shown(shown, printed()):
            waits = self.running is not None and time.monotonic() < deadline
            assert waits, f"{printed()}\nis not\n{shown}"
            time.sleep(0.2)

    def remember(self) -> None:
        """Commit what has changed, without which no update begins."""
        fresh = not (self.folder / ".git").exists()
        if fresh or git(self.folder, "status", "--porcelain"):
            commit(self.folder, "Before the update")

    def run(self, command: str) -> str:
        """Run a command where the reader stands; return what it prints."""
        if is_service(command):
            return self.start(command.removesuffix("&").split())
        if command.startswith("uvx cookiecutter") and self.answers:
            return self.answer(command.split())
        if "127.0.0.1" in command or "score_rows" in command:
            self.serve()
        where = self.home / "where"
        script = f"{command}\ncode=$?; pwd > {where}; exit $code"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        allowed = {0, 1} if command.endswith(" monitor") else {0}  # 1 is an alarm
        assert done.returncode in allowed, f"{command}\n{done.stdout}"
        self.folder = Path(where.read_text(encoding="utf-8").strip())
        self.said += done.stdout
        return done.stdout

    def answer(self, words: list[str]) -> str:
        """Run a command that asks questions, and answer them."""
        with Conversation(words, 60, self.folder, self.variables) as conversation:
            for question, text in self.answers:
                conversation.answer(question, text)
        assert conversation.process.returncode == 0, conversation.said
        self.said += conversation.said
        return conversation.said

    def execute(self, code: str) -> None:
        """Add a block of Python to those before it, and run them all, as in a notebook."""
        self.code += self.here(code.encode()).decode() + "\n"
        if "127.0.0.1" in self.code:
            self.serve()
        folders = [self.folder / name for name in ("src", "vendor", "examples")]
        path = os.pathsep.join(map(str, folders))
        self.environment.run(self.folder, "python", "-c", self.code, PYTHONPATH=path)

    def serve(self) -> None:
        """Start the service of the project, if the page has not said so yet."""
        if self.running is None:
            (package,) = (path.parent for path in self.folder.glob("src/*/pipeline.py"))
            self.start(["uv", "run", package.name, "serve"])

    def start(self, words: list[str]) -> str:
        """Start what goes on in a second terminal, and wait until it answers."""
        self.running = Conversation(words, 60, self.folder, self.variables)
        self.open.enter_context(self.running)
        self.open.callback(os.killpg, self.running.process.pid, signal.SIGTERM)
        deadline = time.monotonic() + 90
        while not self.answers_now():
            assert self.running.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.2)
        return self.log()

    def answers_now(self) -> bool:
        """Tell whether something answers at the port."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5):
                return True
        except OSError:
            return False

    def log(self) -> str:
        """Return what the second terminal shows."""
        return self.running.said if self.running else ""


def is_service(command: str) -> bool:
    """Tell whether a command goes on until it is ended."""
    words = command.removesuffix("&").split()
    return words[-1] == "serve" or words[2:4] == ["mlflow", "ui"]


def commands(block: Block) -> Iterator[tuple[str, str]]:
    """Yield each command of a block, and what it is said to print."""
    if block.language == "sh":
        for command in split(block.text.splitlines()):
            yield command, ""
        return
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        count = next(n for n in range(1, len(lines) + 1) if is_whole("\n".join(lines[:n])))
        yield "\n".join(lines[:count]), "\n".join(lines[count:])


def split(lines: list[str]) -> Iterator[str]:
    """Yield the commands of some lines, of which one may go on in the next."""
    waiting: list[str] = []
    for line in lines:
        waiting.append(line)
        if is_whole("\n".join(waiting)):
            command = "\n".join(waiting)
            waiting = []
            if command.strip():
                yield re.sub(r"\s+#.*$", "", command)


def is_whole(command: str) -> bool:
    """Tell whether a command ends here: no quotation is open, and no line is to follow."""
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return False
    return not command.endswith("\\")


def is_shown(shown: str, printed: str) -> bool:
    """Tell whether a program prints what a page shows; `...` stands for more.

    Numbers differ from machine to machine, and so do the kind of model that they make the best, and
    the label whose share has changed the most.
    """
    said, start = compact(printed), 0
    for part in filter(None, compact(shown).split("...")):
        found = said.find(part, start)
        if found < 0:
            return False
        start = found + len(part)
    return True


def compact(text: str) -> str:
    """Return a text without blanks, # for each number, M for the best kind, and L for a label."""
    return re.sub(r"\s", "", LABEL.sub("L", BEST.sub("M", NUMBER.sub("#", text))))
