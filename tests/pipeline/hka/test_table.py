"""Rows of legs: what they hold, how they are printed, and the calibration that corrects them."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cache_tools.skeletons import COCO, load_skeleton
from pipeline.hka.agreement import Calibration
from pipeline.hka.angles import NOTICE
from pipeline.hka.definition import define_angle
from pipeline.hka.joints import Joints
from pipeline.hka.reference import read_angles
from pipeline.hka.table import (
    LegRow,
    LegSettings,
    extrapolated,
    leg_rows,
    legs_csv,
    legs_text,
    read_calibration,
    write_legs,
)
from tests.samples.standing_legs import standing_joints

LINE = Calibration(
    intercept=-3.0,
    slope=1.1,
    residual_rms=1.2,
    uncorrected_rms=4.0,
    legs_fitted=20,
    legs_held_out=20,
    range=(-12.0, 14.0),
)


def settings(calibration: Calibration | None = None) -> LegSettings:
    """Return settings of a measurement of whole photos."""
    return LegSettings(
        network="still",
        digest="1" * 64,
        angle=define_angle(COCO),
        convention="varus positive",
        flip=True,
        boxes="whole photo",
        pixels="upright by EXIF",
        min_score=0.3,
        calibration=calibration,
    )


def rows(convention: str = "varus", calibration: Calibration | None = None) -> list[LegRow]:
    """Return the rows of two persons of one photo and one of another, whose left ankle is not seen."""
    joints = Joints(
        xy=np.stack([standing_joints(4, -6), standing_joints(20, 1), standing_joints(2, 3)]),
        score=np.ones((3, 17)),
        covariance=np.broadcast_to(np.eye(2), (3, 17, 2, 2)),
    )
    joints.score[2, 15] = 0.1
    photos = ["in/a.jpg", "in/a.jpg", "in/b.jpg"]
    return leg_rows(photos, joints, convention=convention, calibration=calibration)


def test_a_row_a_leg_in_the_order_of_persons() -> None:
    found = rows()
    assert [(row.photo, row.person, row.side) for row in found] == [
        ("in/a.jpg", 0, "left"), ("in/a.jpg", 0, "right"), ("in/a.jpg", 1, "left"), ("in/a.jpg", 1, "right"),
        ("in/b.jpg", 0, "left"), ("in/b.jpg", 0, "right"),
    ]  # fmt: skip
    assert [row.deviation_degrees for row in found] == pytest.approx([4, -6, 20, 1, None, 3])
    assert [row.medial_angle_degrees for row in found] == pytest.approx([176, 186, 160, 179, None, 177])
    assert [row.quality for row in found] == ["good"] * 4 + ["refused", "good"]
    assert found[0].sd_degrees == pytest.approx(1.4, abs=0.1)
    assert (found[0].thigh_pixels, found[0].shank_pixels) == (100, 95)
    assert [row.deviation_degrees for row in rows("valgus")[:2]] == pytest.approx([-4, 6])


def test_a_calibration_corrects_and_marks_what_it_was_not_fitted_on() -> None:
    found = rows(calibration=LINE)
    assert found[0].calibrated_degrees == pytest.approx(-3 + 1.1 * 4)
    assert found[0].calibrated_rms_degrees == 1.2
    assert "extrapolated" in found[2].flags
    assert (found[4].calibrated_degrees, found[4].calibrated_rms_degrees) == (None, None)
    assert extrapolated(13.9, LINE) == {}
    assert extrapolated(-12.5, LINE) == {"extrapolated": "varus of -12.5 degrees, calibrated on -12.0 to +14.0"}


def test_hips_at_one_place_give_no_side() -> None:
    points = standing_joints(4, 5)
    points[[11, 12]] = 0
    joints = Joints(xy=points[None], score=np.ones((1, 17)), covariance=np.full((1, 17, 2, 2), np.nan))
    left = leg_rows(["a.jpg"], joints)[0]
    assert (left.quality, left.deviation_degrees) == ("refused", None)
    assert "not_frontal" in left.flags


def test_the_printed_table_is_aligned_and_explains_its_flags() -> None:
    text = legs_text(rows(calibration=LINE), settings(LINE))
    lines = text.splitlines()
    assert lines[0] == (
        "still, hip-knee-ankle angle of COCO's points, varus positive, calibrated on rendered people, rms 1.2 degrees"
    )
    assert lines[-1] == NOTICE
    legs = [line for line in lines if line.startswith("in/")]
    assert legs[0].split() == ["in/a.jpg", "0", "left", "+4.0", "±", "1.4", "good", "+1.4", "(1.2)"]
    assert legs[4].split() == ["in/b.jpg", "0", "left", "refused", "refused"]
    assert len({line.index("±") for line in legs if "±" in line}) == 1
    assert "    unseen: left ankle (score 0.10)" in lines
    assert "unseen: a joint that the angle needs is not seen; the leg is refused" in lines
    assert "calibrated" not in legs_text(rows(), settings()).splitlines()[3]


def test_csv_and_json_hold_the_same(tmp_path: Path) -> None:
    found = rows()
    lines = list(csv.DictReader(io.StringIO(legs_csv(found, settings()))))
    assert [line["side"] for line in lines] == ["left", "right"] * 3
    assert lines[4]["flags"] == "unseen: left ankle (score 0.10)"
    assert lines[4]["deviation_degrees"] == ""
    assert {line["measured"] for line in lines} == {settings().sentence()}
    assert {line["angle"] for line in lines} == {"hip-knee-ankle angle of COCO's points"}
    write_legs(tmp_path / "legs.json", found, settings(LINE))
    document = json.loads((tmp_path / "legs.json").read_text())
    assert document["notice"] == NOTICE
    assert document["settings"]["angle"]["name"] == "hip-knee-ankle angle of COCO's points"
    assert document["settings"]["angle"]["joints"]["left_hip"] == "left_hip"
    assert document["settings"]["calibration"]["range"] == [-12.0, 14.0]
    assert document["legs"][1]["deviation_degrees"] == float(lines[1]["deviation_degrees"])
    with pytest.raises(ValueError, match=r"ends in .csv or .json"):
        write_legs(tmp_path / "legs.txt", found, settings())


def test_what_is_measured_is_in_the_sentence() -> None:
    assert settings().sentence() == (
        "still, hip-knee-ankle angle of COCO's points, varus positive, not calibrated to the mechanical axis"
    )
    mechanical = replace(settings(), angle=define_angle(load_skeleton("mechanical")))
    assert mechanical.sentence() == "still, mechanical axis, varus positive, not calibrated"


def test_a_calibration_is_read_only_for_its_own_network(tmp_path: Path) -> None:
    path = tmp_path / "hka.json"
    path.write_text(json.dumps({"models": [{"name": "still", "digest": "1" * 64, "calibration": LINE.to_json()}]}))
    assert read_calibration(path, "1" * 64) == LINE
    with pytest.raises(ValueError, match="calibrations of still, none of this network"):
        read_calibration(path, "2" * 64)
    path.write_text('{"legs": []}')
    with pytest.raises(ValueError, match="is not what `kdcache hka evaluate --out` writes"):
        read_calibration(path, "1" * 64)


def test_a_bent_knee_gets_no_angle() -> None:
    bent, straight = leg_rows(["a.jpg"], one_person(standing_joints(40, 2)))
    assert (bent.deviation_degrees, bent.sd_degrees, bent.medial_angle_degrees) == (None, None, None)
    assert bent.quality == "refused"
    assert "a bend is likelier" in bent.flags["knee_bent"]
    assert straight.deviation_degrees == pytest.approx(2, abs=0.01)


def one_person(xy: np.ndarray) -> Joints:
    """Return joints that are all seen."""
    return Joints(xy=xy[None], score=np.ones((1, 17)), covariance=np.tile(np.eye(2), (1, 17, 1, 1)))


def test_a_photo_named_like_a_formula_is_text_and_found_again(tmp_path: Path) -> None:
    found = [replace(row, photo="=a.jpg") for row in rows()[:2]]
    lines = list(csv.DictReader(io.StringIO(legs_csv(found, settings()))))
    assert {line["photo"][:2] for line in lines} == {"'="}
    assert [float(line["deviation_degrees"]) for line in lines] == [row.deviation_degrees for row in found]
    write_legs(tmp_path / "legs.csv", found, settings())
    assert {photo for photo, _ in read_angles([tmp_path / "legs.csv"])} == {row.photo for row in found}
