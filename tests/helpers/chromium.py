"""Chromium without a window, spoken to over two pipes: no port is opened and nothing is installed.

Reference: Chrome DevTools Protocol (chromedevtools.github.io/devtools-protocol).
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from io import RawIOBase
from pathlib import Path
from typing import Any

from services import find_program

_SWITCHES = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--no-first-run", "--hide-scrollbars", "--force-color-profile=srgb"),
    *("--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-pipe"),
)


class Page:
    """One page of a running browser."""

    def __init__(self, to_browser: int, answers: RawIOBase) -> None:
        self._to, self._from = to_browser, answers
        self._number, self._rest, self._session = 0, b"", ""
        self.requests: list[str] = []
        self.loaded = False
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: object) -> dict[str, Any]:
        """Send one command and return what it answers."""
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            found = self._read()
            if found.get("id") == number:
                if "error" in found:
                    raise RuntimeError(f"{method}: {found['error']}")
                return dict(found["result"])

    def open(self, path: Path, *, width: int, dark: bool = False, printed: bool = False) -> None:
        """Show a file in a window of this width, as a screen or as a printer sees it."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        media = "print" if printed else "screen"
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.loaded = False
        self.call("Page.navigate", url=path.resolve().as_uri())
        while not self.loaded:
            self._read()

    def evaluate(self, expression: str) -> Any:
        """Return the plain value of an expression."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in found:
            raise RuntimeError(str(found["exceptionDetails"]))
        return found["result"].get("value")

    def screenshot(self, path: Path) -> None:
        """Save the whole page as a picture."""
        found = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))

    def print(self, path: Path) -> None:
        """Save the page as a PDF, on the sheets and with the margins that it asks for."""
        self.call("Emulation.setEmulatedMedia", media="print")
        found = self.call("Page.printToPDF", preferCSSPageSize=True, printBackground=False)
        path.write_bytes(base64.b64decode(found["data"]))

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            more = self._from.read(1 << 16)
            if not more:
                raise RuntimeError("the browser ended")
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(line)
        if found.get("method") == "Network.requestWillBeSent":
            self.requests.append(found["params"]["request"]["url"])
        self.loaded = self.loaded or found.get("method") == "Page.loadEventFired"
        return found


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """Run Chromium with a profile of its own and yield its page."""
    program = find_program("chromium")
    assert program is not None
    from_us, to_browser = _far_pipe()
    from_browser, to_us = _far_pipe()
    words = [program, *_SWITCHES, f"--user-data-dir={profile}"]
    process = subprocess.Popen(
        # The browser's ends of the pipes must be descriptors 3 and 4.
        ["bash", "-c", f'exec "$0" "$@" 3<&{from_us} 4>&{to_us}', *words],
        pass_fds=(from_us, to_us),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(profile)},
    )
    os.close(from_us)
    os.close(to_us)
    with os.fdopen(to_browser, "wb", buffering=0), os.fdopen(from_browser, "rb", 0) as answers:
        try:
            yield Page(to_browser, answers)
        finally:
            process.terminate()
            process.wait(timeout=30)


def _far_pipe() -> tuple[int, int]:
    """Return the ends of a pipe, none of them 3 or 4."""
    near = os.pipe()
    far = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 20) for end in near]
    for end in near:
        os.close(end)
    return far[0], far[1]
