"""The browser finds what `kdcache hka measure` finds: joints, boxes, angles, doubts, refusals, the file's columns."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser, BrowserContext

from cache_tools.geometry import crop_to_image
from pipeline.commands.hka import command
from pipeline.demo.standing import make_standing
from pipeline.hka.agreement import Calibration
from pipeline.hka.angles import MIN_SCORE
from pipeline.hka.fit import find_fitted_joints, find_joints_of_persons
from pipeline.hka.table import leg_rows
from pipeline.persons.photo_boxes import whole_photo_boxes
from pipeline.teachers.onnx_file import OnnxTeacher
from pipeline.web import write_page
from student.inference import Inference
from tests.samples.open_page import OpenPage

#: of the crop; weights are in float16, and halves of a grey level are rounded by float32's noise in OpenCV
CROP_PIXELS, DEGREES = 0.3, 0.3
REAL, RENDERED = 12, 20


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Write rendered people of various angles, in portrait and landscape photos."""
    folder = tmp_path_factory.mktemp("rendered")
    for seed in range(RENDERED):
        size = (480, 360) if seed % 2 else (480, 640)
        image = make_standing(700 + seed, (180 - 2.5 * (seed % 7), 176 + seed % 9), size=size).image
        cv2.imwrite(str(folder / f"{seed:02}.jpg"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def photos(shared_data: Path, rendered: list[Path]) -> list[Path]:
    """Return real photos and rendered ones."""
    real = sorted((shared_data / "coco" / "val").glob("*.jpg"))
    return [*real[:: len(real) // REAL][:REAL], *rendered]


@pytest.fixture(scope="module")
def tinypose(browser: Browser, tinypose_page: Path) -> Iterator[OpenPage]:
    """Return the page of PP-TinyPose."""
    context = browser.new_context(locale="en-GB")
    yield OpenPage(context.new_page(), (tinypose_page / "index.html").as_uri())
    context.close()


@dataclass
class Differences:
    """Between page and command, over photos."""

    crop_pixels: list[float] = field(default_factory=list)
    degrees: list[float] = field(default_factory=list)
    #: legs with another quality or other reasons: photo and both
    legs: list[tuple[str, str, str]] = field(default_factory=list)
    compared: int = 0
    #: photos whose second box is another one, by a pixel
    boxes_apart: int = 0

    def compare(self, page: OpenPage, network: OnnxTeacher, photo: Path) -> None:
        """Measure one photo in both ways."""
        page.choose(photo)
        # the browser works in the meantime
        persons, joints = find_fitted_joints(network, whole_photo_boxes([photo]), Inference(flip=True), MIN_SCORE)
        page.settle()
        found = page.json()
        box = np.array([[found["box"][side] for side in ("x", "y", "width", "height")]])
        if not np.array_equal(box, persons.box):
            # joints of the first look that are a hundredth of a pixel apart may be on two sides of a whole pixel
            assert np.abs(box - persons.box).max() <= 1
            self.boxes_apart += 1
            joints = find_joints_of_persons(network, replace(persons, box=box), Inference(flip=True))
        one = crop_to_image(box, network.frame, network.input_size)[0, 0, 0]
        seen = joints.score[0] >= MIN_SCORE
        mine = np.array([joint["xy"] for joint in found["keypoints"].values()])
        self.crop_pixels += (np.linalg.norm(mine - joints.xy[0], axis=1)[seen] / one).tolist()
        for leg, row in zip(found["legs"], leg_rows(persons.name, joints), strict=True):
            flags = " | ".join(f"{flag}: {reason}" for flag, reason in row.flags.items())
            page_says, command_says = (f"{leg['quality']} {leg['flags']}", f"{row.quality} {flags}")
            if without_numbers(page_says) != without_numbers(command_says):
                self.legs.append((photo.name, page_says, command_says))
            elif row.deviation_degrees is not None:
                self.degrees.append(abs(leg["deviation_degrees"] - row.deviation_degrees))
                assert leg["sd_degrees"] == pytest.approx(row.sd_degrees, abs=DEGREES)
            self.compared += 1


def without_numbers(text: str) -> str:
    """Return a text without its digits."""
    return "".join(letter for letter in text if not letter.isdigit())


def test_real_and_rendered_people_by_a_real_network(
    photos: list[Path], tinypose: OpenPage, tinypose_file: Path
) -> None:
    network, differences = OnnxTeacher(str(tinypose_file), device="cpu"), Differences()
    for photo in photos:
        differences.compare(tinypose, network, photo)
    check(differences, tinypose, least_angles=10)


def test_rendered_people_by_the_demo(rendered: list[Path], tab: OpenPage, demo_file: Path) -> None:
    """The other convention of where heatmap cells lie: half of the people show it."""
    network, differences = OnnxTeacher(str(demo_file), device="cpu"), Differences()
    for photo in rendered[: RENDERED // 2]:
        differences.compare(tab, network, photo)
    check(differences, tab, least_angles=10)


def check(differences: Differences, page: OpenPage, least_angles: int) -> None:
    """Assert that page and command say the same; a value may be on a limit once."""
    assert not page.errors
    assert len(differences.degrees) >= least_angles
    print(
        f"{differences.compared} legs, {len(differences.degrees)} angles: {max(differences.degrees):.3f} degrees, "
        f"joints at most {max(differences.crop_pixels):.3f} px of the crop, "
        f"median {np.median(differences.crop_pixels):.4f}; {differences.boxes_apart} boxes a pixel apart"
    )
    assert max(differences.crop_pixels) <= CROP_PIXELS
    assert np.median(differences.crop_pixels) <= CROP_PIXELS / 50
    assert max(differences.degrees) <= DEGREES
    assert len(differences.legs) <= 1, differences.legs
    assert differences.boxes_apart <= differences.compared / 10


def test_the_csv_has_the_columns_and_words_of_the_command(tab: OpenPage, demo_file: Path, tmp_path: Path) -> None:
    photo, out = tmp_path / "person.jpg", tmp_path / "angles.csv"
    image = make_standing(7, (170.0, 178.0), size=(720, 540)).image
    cv2.imwrite(str(photo), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    tab.open(photo)
    mine = list(csv.DictReader(io.StringIO(tab.save("csv").decode())))
    arguments = ["measure", str(photo), "--teacher", f"onnx:{demo_file}", "--device", "cpu", "--out", str(out)]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    theirs = list(csv.DictReader(io.StringIO(out.read_text())))
    assert len(mine) == len(theirs) == 2
    for ours, row in zip(mine, theirs, strict=True):
        assert ours.pop("joints_by_hand") == "0"
        assert list(ours) == list(row)
        row["photo"] = photo.name
        # the command names an ONNX file by its file name
        ours["measured"] = f"demo{ours['measured'][ours['measured'].index(',') :]}"
        for key, value in row.items():
            if key.endswith(("degrees", "pixels")) and value:
                assert float(ours[key]) == pytest.approx(float(value), abs=DEGREES), key
            else:
                assert ours[key] == value, key


@pytest.fixture(scope="module")
def evaluation(demo_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Evaluate the demo's network on a few rendered people."""
    out = tmp_path_factory.mktemp("evaluation") / "hka.json"
    arguments = [
        "evaluate",
        "--teacher",
        f"onnx:{demo_file}",
        "--rendered",
        "12",
        "--heights",
        "240",
        "--out",
        str(out),
    ]
    result = CliRunner().invoke(command, [*arguments, "--device", "cpu"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return out


def test_error_and_calibration_of_an_evaluation(
    context: BrowserContext, demo_file: Path, evaluation: Path, tmp_path: Path
) -> None:
    page = write_page(tmp_path / "page", demo_file, evaluation=evaluation, calibrate=True)
    tab = OpenPage(context.new_page(), page.as_uri())
    tab.open_example()
    model = json.loads(evaluation.read_text())["models"][-1]
    fitted = model["calibration"]
    calibration = Calibration(**{**fitted, "range": tuple(fitted["range"])})
    measured = [leg for leg in tab.json()["legs"] if leg["deviation_degrees"] is not None]
    assert measured
    for leg in measured:
        expected = calibration.apply(np.array(leg["deviation_degrees"]))
        assert leg["calibrated_degrees"] == pytest.approx(float(expected), abs=0.02)
        assert leg["calibrated_rms_degrees"] == round(calibration.residual_rms, 2)
    agreement = next(row for row in model["agreement"] if row["truth"] == "mechanical axis")
    cards = tab.page.inner_text("#cards")
    assert "calibrated to the mechanical axis" in cards
    if agreement["correlation"] < 0.5:
        assert "A demonstration" in tab.alarm
        assert "Not a measurement" in cards
    else:
        assert f"{abs(agreement['bias']):.1f}°" in cards
        assert tab.alarm == ""


def test_a_network_whose_angles_do_not_follow_the_truth_has_a_red_banner(
    context: BrowserContext, demo_file: Path, evaluation: Path, tmp_path: Path
) -> None:
    document = json.loads(evaluation.read_text())
    for row in document["models"][-1]["agreement"]:
        row["correlation"] = 0.1
    (tmp_path / "hka.json").write_text(json.dumps(document))
    page = write_page(tmp_path / "page", demo_file, evaluation=tmp_path / "hka.json")
    tab = OpenPage(context.new_page(), page.as_uri())
    assert "no relation to the true ones (correlation 0.10" in tab.alarm
    tab.open_example()
    assert "no relation to the true ones" in tab.alarm


def test_bent_knees_get_no_angle(shared_data: Path, tinypose: OpenPage) -> None:
    # a snowboarder
    tinypose.open(shared_data / "coco" / "val" / "000000097278.jpg")
    assert tinypose.page.locator(".leg.refused").count() == 2
    cards = tinypose.page.inner_text("#cards")
    assert cards.count("Knee looks bent:") == 2
    assert "valgus" not in cards
    assert tinypose.angles() == [None, None]
