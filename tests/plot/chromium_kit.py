"""A real browser: pages are opened, looked at and pressed in a headless Chromium, told by its DevTools protocol.

It starts once for all tests of a module (two seconds), and talks over two pipes: no port, no driver, no library.

    def test_labels(browser):                       # the fixture in conftest.py
        page = browser.open(path, dark=True)
        assert page.run("return document.title") == "..."
        page.screenshot(tmp_path / "x.png")
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
SECONDS = 120

OVERLAPS = """
// Pairs of the elements that a selector finds whose boxes overlap by more than half a pixel.
const found = [...document.querySelectorAll(SELECTOR)].filter(each => each.checkVisibility());
const boxes = found.map(each => [each.getBoundingClientRect(), each.textContent]).sort((a, b) => a[0].left - b[0].left);
const pairs = [];
for (let i = 0; i < boxes.length; i++)
  for (let k = i + 1; k < boxes.length && boxes[k][0].left < boxes[i][0].right - 0.5; k++) {
    const [a, b] = [boxes[i][0], boxes[k][0]];
    if (Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 0.5 && Math.min(a.right, b.right) - b.left > 0.5)
      pairs.push([boxes[i][1], boxes[k][1]]);
  }
return {labels: boxes.length, pairs: pairs.slice(0, 20)};
"""


class Browser:
    """One Chromium."""

    def __init__(self) -> None:
        assert CHROMIUM is not None
        self._home = tempfile.TemporaryDirectory(prefix="af-chromium-", ignore_cleanup_errors=True)
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()
        flags = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe",
            "--hide-scrollbars", "--disable-dev-shm-usage", "--force-device-scale-factor=1",
            f"--user-data-dir={self._home.name}", "about:blank",
        ]  # fmt: skip
        command = f'exec "$@" 3<&{to_read} 4>&{to_write}'
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", command, "chromium", CHROMIUM, *flags],
            pass_fds=(to_read, to_write),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": self._home.name},
        )
        os.close(to_read)
        os.close(to_write)
        self._read, self._number = b"", 0
        self.events: list[dict[str, Any]] = []

    def close(self) -> None:
        """End it."""
        try:
            self.call("Browser.close")
            self._process.wait(20)
        except (OSError, subprocess.TimeoutExpired, AssertionError):
            self._process.kill()
            self._process.wait()
        os.close(self._to)
        os.close(self._from)
        self._home.cleanup()

    def open(
        self,
        page: str | Path,
        *,
        dark: bool = False,
        size: tuple[int, int] = (1200, 800),
        print_: bool = False,
    ) -> Page:
        """Open a file or URL in a tab of its own, loaded."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        opened = Page(self, session, target)
        opened.look(dark=dark, size=size, print_=print_)
        for domain in ("Page", "Runtime", "Network", "Log"):
            opened.call(f"{domain}.enable")
        url = Path(page).resolve().as_uri() if isinstance(page, Path) else page
        opened.call("Page.navigate", url=url)
        opened.wait_for("Page.loadEventFired")
        return opened

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Send one command of the protocol, and wait for its answer."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._to, data) :]
        while True:
            answer = self.receive()
            if answer.get("id") == message["id"]:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def receive(self) -> dict[str, Any]:
        """The next message."""
        until = time.monotonic() + SECONDS
        while b"\0" not in self._read:
            ready, _, _ = select.select([self._from], [], [], max(0, until - time.monotonic()))
            assert ready, f"Chromium has said nothing for {SECONDS} s"
            got = os.read(self._from, 1 << 20)
            assert got, "Chromium has ended"
            self._read += got
        message, _, self._read = self._read.partition(b"\0")
        told: dict[str, Any] = json.loads(message)
        return told


class Page:
    """One tab."""

    def __init__(self, browser: Browser, session: str, target: str) -> None:
        self._browser, self._session, self._target = browser, session, target

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one command of the protocol to this tab."""
        return self._browser.call(method, self._session, **params)

    def wait_for(self, event: str) -> dict[str, Any]:
        """Wait for an event of this tab."""
        while True:
            events = self._browser.events
            for place, each in enumerate(events):
                if each.get("method") == event and each.get("sessionId") == self._session:
                    return events.pop(place)
            events.append(self._browser.receive())

    def look(
        self,
        *,
        dark: bool = False,
        size: tuple[int, int] = (1200, 800),
        print_: bool = False,
        scale: float = 1,
    ) -> None:
        """Set what the reader's system prefers, and how large the window is."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media="print" if print_ else "", features=[scheme])
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **metrics)

    def run(self, body: str) -> Any:
        """What the body of an async function in JavaScript returns; it may `await`."""
        told = self.call(
            "Runtime.evaluate",
            expression=f"(async () => {{{body}}})()",
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def overlaps(self, selector: str) -> dict[str, Any]:
        """How many labels there are, and the texts of those that overlap."""
        found: dict[str, Any] = self.run(OVERLAPS.replace("SELECTOR", json.dumps(selector)))
        return found

    def press(self, key: str, text: str = "", modifiers: int = 0) -> None:
        """Press a key: "Tab", "Enter", "ArrowLeft", or a letter."""
        codes = {
            "Tab": 9,
            "Enter": 13,
            "Escape": 27,
            "ArrowLeft": 37,
            "ArrowUp": 38,
            "ArrowRight": 39,
            "ArrowDown": 40,
        }
        text = text or {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        code = codes.get(key, ord(key[0].upper()))
        given = {"key": key, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        self.call("Input.dispatchKeyEvent", type="keyDown", **given, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **given)

    def write(self, text: str) -> None:
        """Type text where the keyboard is at."""
        self.call("Input.insertText", text=text)

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """One event of the mouse: "mouseMoved", "mousePressed", "mouseReleased", "mouseWheel"."""
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, x: float, y: float) -> None:
        """Press and release the left button."""
        self.mouse("mouseMoved", x, y)
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, x, y, button="left", clickCount=1)

    @property
    def complaints(self) -> list[str]:
        """Errors of scripts, of the security policy and of the log, so far."""
        self.run("return 0")  # what was on its way has come
        told = []
        for each in self._browser.events:
            if each.get("sessionId") != self._session:
                continue
            match each["method"], each["params"]:
                case "Runtime.exceptionThrown", {"exceptionDetails": details}:
                    told.append(str(details.get("exception", details).get("description", details)))
                case "Log.entryAdded", {"entry": {"level": "error", "text": text}}:
                    told.append(text)
                case "Runtime.consoleAPICalled", {"type": "error", "args": args}:
                    told.append(" ".join(str(arg.get("value")) for arg in args))
        return told

    @property
    def requests(self) -> list[str]:
        """The URLs that were asked for, but for the page itself."""
        self.run("return 0")
        sent = [
            each["params"]["request"]["url"]
            for each in self._browser.events
            if each.get("sessionId") == self._session and each["method"] == "Network.requestWillBeSent"
        ]
        return sent[1:]

    def screenshot(self, path: Path) -> Path:
        """Write what is seen as a PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))
        return path

    def close(self) -> None:
        """Close the tab."""
        self._browser.call("Target.closeTarget", targetId=self._target)
        self._browser.events = [
            each for each in self._browser.events if each.get("sessionId") != self._session
        ]
