"""Photos as they come: turned, huge, broken, without a person, dropped, pasted, by a camera."""

import base64
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage
from playwright.sync_api import FilePayload

from cache_tools.images import Image
from tests.samples.open_page import OpenPage


def jpeg(image: Image, path: Path, quality: int = 92, orientation: int | None = None) -> Path:
    """Write a JPEG, with an EXIF orientation where one is given."""
    exif = PillowImage.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    PillowImage.fromarray(image).save(path, quality=quality, exif=exif, subsampling=0)
    return path


@pytest.fixture(scope="module")
def angles(desktop: OpenPage, person: Image, tmp_path_factory: pytest.TempPathFactory) -> list[float | None]:
    """Return the angles of the person in a plain JPEG."""
    desktop.open(jpeg(person, tmp_path_factory.mktemp("plain") / "plain.jpg", 100))
    found = desktop.angles()
    assert None not in found
    return found


def test_exif_turns_a_photo_upright(tab: OpenPage, person: Image, angles: list[float | None], tmp_path: Path) -> None:
    turned = {3: cv2.ROTATE_180, 6: cv2.ROTATE_90_COUNTERCLOCKWISE, 8: cv2.ROTATE_90_CLOCKWISE}
    for orientation, rotation in turned.items():
        image = np.asarray(cv2.rotate(person, rotation), np.uint8)
        tab.open(jpeg(image, tmp_path / f"{orientation}.jpg", 100, orientation))
        assert tab.json()["size"] == [720, 540]
        assert tab.angles() == pytest.approx(angles, abs=0.6)


def test_twelve_megapixels(tab: OpenPage, person: Image, angles: list[float | None], tmp_path: Path) -> None:
    large = np.asarray(cv2.resize(person, (3000, 4000), interpolation=cv2.INTER_CUBIC), np.uint8)
    assert tab.open(jpeg(large, tmp_path / "large.jpg", 90)) == "measured"
    assert tab.json()["size"] == [4000, 3000]
    assert tab.angles() == pytest.approx(angles, abs=1)
    assert not tab.errors


@pytest.mark.parametrize("suffix", ["png", "webp", "bmp"])
def test_other_formats(suffix: str, tab: OpenPage, person: Image, angles: list[float | None], tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    cv2.imwrite(str(path), cv2.cvtColor(person, cv2.COLOR_RGB2BGR))
    assert tab.open(path) == "measured"
    assert tab.angles() == pytest.approx(angles, abs=0.6)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.jpg", b"", "is empty"),
        ("notes.jpg", b"not a photo at all", "not a photo that this browser can read"),
        ("cut.jpg", None, "cut off"),
        ("a.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100), "save the photo as JPEG"),
    ],
)
def test_files_that_are_no_photo(
    tab: OpenPage, person: Image, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(jpeg(person, tmp_path / "whole.jpg").read_bytes()[:20_000] if content is None else content)
    assert tab.open(path) == "stopped"
    assert message in tab.alarm
    assert name in tab.alarm
    # and the page goes on
    assert tab.open(jpeg(person, tmp_path / "good.jpg")) == "measured"
    assert tab.alarm == ""


def test_nobody_is_refused(tab: OpenPage, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(128, 20, (480, 360, 3)).clip(0, 255).astype(np.uint8)
    assert tab.open(jpeg(np.asarray(cv2.blur(noise, (9, 9)), np.uint8), tmp_path / "wall.jpg")) == "nobody"
    assert tab.page.locator(".leg.refused").count() == 2
    assert "Joint not seen" in tab.page.inner_text("#cards")
    assert tab.page.inner_text("#status") == "No leg could be measured."


COUNT_DECODED = """
() => {
  globalThis.decoded = 0;
  const decode = createImageBitmap;
  globalThis.createImageBitmap = (...photo) => decode(...photo).finally(() => decoded++);
}
"""


def test_the_newest_photo_wins(tab: OpenPage, person: Image, tmp_path: Path) -> None:
    """Two photos chosen one after the other before the first is measured: the second one's angles are shown."""
    tab.open(jpeg(person, tmp_path / "a.jpg"))
    expected = tab.angles()
    tab.page.evaluate(COUNT_DECODED)
    # decoding the first takes longer than all of the second
    large = cv2.resize(person[:, ::-1], (3000, 4000), interpolation=cv2.INTER_CUBIC)
    tab.page.set_input_files("#file", jpeg(np.asarray(large, np.uint8), tmp_path / "b.jpg"))
    tab.open(tmp_path / "a.jpg")
    tab.wait_until(lambda: int(tab.page.evaluate("decoded")) == 2)
    assert tab.angles() == expected
    assert tab.json()["photo"] == "a.jpg"
    assert tab.alarm == ""


EVENTS = {
    "drop": "new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true})",
    "paste": "new ClipboardEvent('paste', {clipboardData: data, bubbles: true})",
}


@pytest.mark.parametrize("kind", EVENTS)
def test_a_photo_is_dropped_or_pasted(kind: str, tab: OpenPage, person: Image, tmp_path: Path) -> None:
    photo = base64.b64encode(jpeg(person, tmp_path / "a.jpg").read_bytes()).decode()
    tab.start_again()
    tab.page.evaluate(
        f"""(photo) => {{
        const bytes = Uint8Array.from(atob(photo), (letter) => letter.charCodeAt(0));
        const data = new DataTransfer();
        data.items.add(new File([bytes], "{kind}.jpg", {{ type: "image/jpeg" }}));
        document.dispatchEvent({EVENTS[kind]});
    }}""",
        photo,
    )
    assert tab.settle() == "measured"
    assert tab.json()["photo"] == f"{kind}.jpg"


def test_the_camera_of_a_laptop(tab: OpenPage) -> None:
    """Chromium's pretended camera shows a test picture without a person."""
    tab.start_again()
    tab.page.click("#camera")
    tab.page.select_option("#camera-dialog select", "0")
    tab.page.click("#camera-dialog .shutter")
    assert tab.settle() in ("measured", "nobody")
    assert tab.json()["photo"] == "camera.jpg"
    assert not tab.errors


def test_names_cannot_break_out_of_the_csv(tab: OpenPage, person: Image, tmp_path: Path) -> None:
    payload: FilePayload = {
        "name": 'a "b", c.jpg',
        "mimeType": "image/jpeg",
        "buffer": jpeg(person, tmp_path / "a.jpg").read_bytes(),
    }
    tab.open(payload)
    assert '"a ""b"", c.jpg"' in tab.save("csv").decode()
    assert json.loads(tab.save("json"))["photo"] == 'a "b", c.jpg'
    tab.open(payload | {"name": "=1+1.jpg"})
    assert "\n'=1+1.jpg,0,left," in tab.save("csv").decode()
