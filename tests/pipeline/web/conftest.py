"""The page in the system's Chromium, driven by Playwright: one browser and one export of each network for all tests.

A page takes seconds of processor time to start: tests share the open page of a desktop and that of a phone; those that
need another one open it themselves.
"""

import http.server
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Playwright, sync_playwright

from cache_tools.images import Image
from pipeline.demo.standing import make_standing
from pipeline.persons.sample_crops import rendered_crops
from pipeline.teachers.student_run import run_folder
from pipeline.web import write_page
from student.checkpoint import load_model
from student.export.onnx import export_onnx
from tests.samples.open_page import OpenPage
from tests.samples.other_joints import with_other_joints
from tests.samples.tinypose_bytes import write_tinypose

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = [
    # root needs it
    "--no-sandbox",
    # no file dialogs, a camera that shows a test picture
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    # WebAssembly is compiled once, not again with optimisation: no page lives long enough to gain from it
    "--js-flags=--liftoff-only",
]
#: files of tests that take about as long as all others
OF_PHOTOS = ("test_parity.py", "test_photos.py")


# before xdist, which looks for groups in the same hook
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests in a browser, and put them into two groups: each is run by one process with one browser."""
    for item in items:
        if {"browser", "playwright"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.browser)
            group = "browser, photos" if item.path.name in OF_PHOTOS else "browser"
            item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Start Playwright."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine: apt-get install chromium")
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Start Chromium."""
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def demo_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export the demo's teacher."""
    student, settings = load_model(run_folder("demo"), "best")
    path = tmp_path_factory.mktemp("demo") / "demo.onnx"
    export_onnx(student, settings.model, path, rendered_crops(2, settings.model.input_size), settings.name)
    return path


@pytest.fixture(scope="session")
def tinypose_file(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write PP-TinyPose as a file of the exporter."""
    path = tmp_path_factory.mktemp("tinypose") / "tinypose.onnx"
    write_tinypose(shared_data / "teachers" / "tinypose_256x192.onnx", path)
    return path


@pytest.fixture(scope="session")
def mechanical_file(demo_file: Path) -> Path:
    """Write the demo's network as one of the legs' true centres, in an order of its own."""
    order = [16, 15, 14, 13, 12, 11]
    names = [
        "right_talus",
        "left_talus",
        "right_knee_centre",
        "left_knee_centre",
        "right_femoral_head",
        "left_femoral_head",
    ]
    return with_other_joints(demo_file, demo_file.with_name("mechanical.onnx"), order, names)


@pytest.fixture(scope="session")
def hand_file(demo_file: Path) -> Path:
    """Write the demo's network as one of a hand."""
    return with_other_joints(demo_file, demo_file.with_name("hand.onnx"), [0, 1], ["wrist", "thumb"])


@pytest.fixture(scope="session")
def demo_page(demo_file: Path) -> Path:
    """Return the folder of the demo's page."""
    return write_page(demo_file.parent / "page", demo_file).parent


@pytest.fixture(scope="session")
def tinypose_page(tinypose_file: Path) -> Path:
    """Return the folder of PP-TinyPose's page."""
    return write_page(tinypose_file.parent / "page", tinypose_file).parent


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Return a fresh profile on a desktop."""
    context = browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 900})
    yield context
    context.close()


@pytest.fixture(scope="session")
def desktop(browser: Browser, demo_page: Path) -> Iterator[OpenPage]:
    """Return the demo's page, opened from the disk once for all tests on a desktop."""
    context = browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 900})
    yield OpenPage(context.new_page(), (demo_page / "index.html").as_uri())
    context.close()


@pytest.fixture
def tab(desktop: OpenPage) -> OpenPage:
    """Return the demo's page on a desktop, in English, whatever an earlier test chose."""
    desktop.restore("en")
    return desktop


@pytest.fixture(scope="session")
def french_phone(playwright: Playwright, browser: Browser, demo_page: Path) -> Iterator[OpenPage]:
    """Return the demo's page, opened once for all tests on a phone, whose language is French."""
    context = browser.new_context(**playwright.devices["Pixel 7"], locale="fr-FR")
    yield OpenPage(context.new_page(), (demo_page / "index.html").as_uri())
    context.close()


@pytest.fixture
def phone(french_phone: OpenPage) -> OpenPage:
    """Return the demo's page on a phone, in French, whatever an earlier test chose."""
    french_phone.restore("fr")
    return french_phone


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files without a log."""

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing."""


@pytest.fixture
def server(demo_page: Path) -> Iterator[tuple[str, http.server.ThreadingHTTPServer]]:
    """Start a plain static server of the demo's page."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(demo_page)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def person() -> Image:
    """Return a rendered person (720, 540, 3)."""
    return make_standing(7, (170.0, 178.0), size=(720, 540)).image


@pytest.fixture(scope="session")
def wall(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a photo without a person."""
    path = tmp_path_factory.mktemp("wall") / "wall.png"
    cv2.imwrite(str(path), np.full((600, 400, 3), 128, np.uint8))
    return path
