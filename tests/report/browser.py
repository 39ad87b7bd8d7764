"""Chromium without a window, driven over its DevTools protocol through two pipes: no port, no package."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

NAMES = ("chromium", "chromium-browser", "google-chrome")
BEGIN = 3
"""The browser reads commands from this file descriptor, and writes answers to the next."""
FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    # the tests' own pages; where tests run as root, or in a container, there is no sandbox to be had
    *("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--no-first-run", "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND"),
)


def find_browser() -> str | None:
    """The program, or None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@dataclass
class Tab:
    """A page of the browser; `problems` holds what its console and its network complained about."""

    commands: BinaryIO
    answers: BinaryIO
    session: str = ""
    problems: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    number: int = 0

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Give a command, and wait for its result; events that come before it are noted."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.commands.write(json.dumps(message).encode() + b"\0")
        self.commands.flush()
        while (answer := self._read()).get("id") != self.number:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        result = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(str(result["exceptionDetails"]))
        return result["result"].get("value")

    def open(self, page: Path, width: int, height: int = 900, *, dark: bool = False) -> None:
        """Load a file in a window of that size, in CSS pixels; returns when it is laid out."""
        self.problems.clear()
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.events.clear()
        self.ask("Page.navigate", url=page.absolute().as_uri())
        while "Page.loadEventFired" not in self.events:
            self._read()

    def press(self, key: str, code: int) -> None:
        """Press and release a key that writes nothing."""
        for kind in ("keyDown", "keyUp"):
            self.ask(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code
            )

    def _read(self) -> dict[str, Any]:
        content = bytearray()
        while (byte := self.answers.read(1)) != b"\0":
            if not byte:
                raise RuntimeError("the browser has ended")
            content += byte
        message = json.loads(content)
        name, told = message.get("method", ""), message.get("params", {})
        self.events.append(name)
        if name == "Runtime.exceptionThrown":
            self.problems.append(str(told["exceptionDetails"]))
        elif name == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.problems.append(str(told["args"]))
        elif name == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.problems.append(told["entry"]["text"])
        elif name == "Network.requestWillBeSent":
            url = told["request"]["url"]
            if not url.startswith(("file:", "data:")):
                self.problems.append(f"asked for {url}")
        return message


@contextmanager
def browser(program: str, profile: Path) -> Iterator[Tab]:
    """Start the browser with an empty profile, and end it."""
    read, commands = os.pipe()
    answers, write = os.pipe()

    def place() -> None:
        # above both targets first: a pipe may have come at 3 or 4 itself
        high = [os.dup2(end, BEGIN + 60 + number) for number, end in enumerate((read, write))]
        for number, end in enumerate(high):
            os.dup2(end, BEGIN + number)

    process = subprocess.Popen(
        [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        preexec_fn=place,
        close_fds=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(read)
    os.close(write)
    with os.fdopen(commands, "wb") as out, os.fdopen(answers, "rb") as back:
        tab = Tab(out, back)
        target = tab.ask("Target.createTarget", url="about:blank")["targetId"]
        tab.session = tab.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            tab.ask(f"{domain}.enable")
        try:
            yield tab
        finally:
            tab.session = ""
            tab.ask("Browser.close")
            process.wait(20)
