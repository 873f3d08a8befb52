"""A command that asks questions, in a terminal of 80 columns, and somebody who answers them."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

UP = re.compile(r"\x1b\[[0-9]*A")
CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()][AB0]|\x1b[=>]")


class Conversation:
    """Run a command until it ends, and answer what it asks."""

    CLEAR = "\x15"  # Ctrl+U

    def __init__(
        self,
        command: list[str],
        seconds: float = 60,
        folder: Path | None = None,
        variables: Mapping[str, str] = os.environ,
    ) -> None:
        self.seconds = seconds
        self.drawn = self.said = ""
        self.place = 0  # up to where it was answered
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=folder,
            env={**variables, "PROMPT_TOOLKIT_NO_CPR": "1", "TERM": "xterm"},
            start_new_session=True,
        )
        os.close(theirs)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for the end, which was expected if nothing failed."""
        try:
            self.process.wait(timeout=self.seconds)
        finally:
            self.process.kill()
            self.process.wait()
            self.reader.join(timeout=self.seconds)
            os.close(self.ours)

    def wait(self, text: str) -> None:
        """Wait until it says `text`, after what it was answered last."""
        deadline = time.monotonic() + self.seconds
        while text not in self.said[self.place :]:
            assert time.monotonic() < deadline, f"no {text!r} in:\n{self.said}"
            time.sleep(0.02)
        self.place = self.said.index(text, self.place) + len(text)

    def answer(self, question: str, text: str) -> None:
        """Type an answer and Enter, once it is asked and can be read."""
        self.wait(question)
        before = None
        while before != self.said:
            before = self.said
            time.sleep(0.2)
        os.write(self.ours, f"{text}\r".encode())

    def lines(self) -> list[str]:
        """Return what was seen, line by line, and each time that it was drawn."""
        return re.split(r"[\r\n]+", CONTROL.sub("", UP.sub("\n", self.drawn)))

    def _read(self) -> None:
        text = b""
        while True:
            try:
                some = os.read(self.ours, 65536)
            except OSError:  # it has ended
                return
            text += some
            self.drawn = text.decode(errors="ignore")
            self.said = CONTROL.sub("", self.drawn)
