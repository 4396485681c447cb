"""A page in a tab of a real browser, and what a reader does with it."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import FilePayload, Page

SETTLED = ("measured", "nobody", "stopped")


class OpenPage:
    """The page at a URL, ready to measure."""

    def __init__(self, page: Page, url: str) -> None:
        """Open the page and wait for its self-check, or for its refusal."""
        self.page = page
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        # five megabytes of script, on a busy machine
        page.goto(url, timeout=120_000)
        self.wait_for("[data-check]", "[data-status=stopped]")

    def restore(self, language: str) -> None:
        """Undo what an earlier test chose: box mode, the sign, the language; forget its errors."""
        if self.page.get_attribute("#stage", "data-mode") == "box":
            self.page.click("#box")
        self.page.check("input[value=varus]")
        self.page.select_option("#language", language)
        self.errors.clear()

    def wait_for(self, *states: str) -> None:
        """Wait until the body matches one of the selectors.

        The page's policy forbids `wait_for_function`, which evaluates strings.
        """
        self.page.locator(", ".join(f"body{state}" for state in states)).wait_for(timeout=60_000)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds, while the page goes on; fail after a minute."""
        for _ in range(1200):
            if condition():
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"{condition} did not hold within a minute")

    def settle(self) -> str:
        """Wait until a measurement ends, and return the status."""
        self.wait_for(*(f"[data-status={status}]" for status in SETTLED))
        return self.status

    def start_again(self) -> None:
        """Forget the status, for `settle` to wait for the next one."""
        self.page.evaluate("document.body.dataset.status = 'waiting'")

    @property
    def status(self) -> str:
        """Return the status as a key of the strings."""
        return self.page.get_attribute("body", "data-status") or ""

    @property
    def alarm(self) -> str:
        """Return the red banner's text, empty where it is hidden."""
        return self.page.inner_text("#alarm") if self.page.is_visible("#alarm") else ""

    def open(self, photo: str | Path | FilePayload) -> str:
        """Choose a photo and return the status after it is measured."""
        self.choose(photo)
        return self.settle()

    def choose(self, photo: str | Path | FilePayload) -> None:
        """Choose a photo and go on at once; `settle` waits for its measurement."""
        self.start_again()
        self.page.set_input_files("#file", photo)

    def open_example(self) -> str:
        """Measure the example and return the status."""
        self.start_again()
        self.page.click("#example")
        return self.settle()

    def save(self, kind: str) -> bytes:
        """Save as png, csv or json and return the file's bytes."""
        with self.page.expect_download() as download:
            self.page.click(f"#save-{kind}")
        return Path(download.value.path()).read_bytes()

    def json(self) -> dict[str, Any]:
        """Return what is saved as JSON."""
        document: dict[str, Any] = json.loads(self.save("json"))
        return document

    def joint(self, name: str) -> tuple[float, float]:
        """Return a joint's position in photo pixels."""
        x, y = self.json()["keypoints"][name]["xy"]
        return x, y

    def angles(self) -> list[float | None]:
        """Return the deviations of the left and the right leg."""
        return [leg["deviation_degrees"] for leg in self.json()["legs"]]

    def unit(self) -> float:
        """Return the photo pixels of one CSS pixel, where the whole photo is shown."""
        width: int = self.json()["size"][1]
        return width / float(self.page.evaluate("document.querySelector('#overlay').clientWidth"))


def script_element(page: str, name: str) -> str:
    """Return the text of a script element."""
    found = re.search(rf'<script [^>]*id="{name}">([^<]*)</script>', page)
    assert found
    return found[1]
