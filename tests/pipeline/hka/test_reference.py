"""Angles beside those of a reference: how files are read, and the statistics against a calculation by hand."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.commands.hka import command
from pipeline.hka.reference import compare_with_reference, read_angles

PAGE = "photo,person,side,deviation_degrees,calibrated_degrees,measured\n"


def page_csv(path: Path, photo: str, left: str, right: str, convention: str = "varus") -> Path:
    """Write what the page saves of one photo, as far as it is read here."""
    measured = f'"legs, mechanical axis, {convention} positive, not calibrated"'
    path.write_text(PAGE + f"{photo},0,left,{left},,{measured}\n{photo},0,right,{right},,{measured}\n")
    return path


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    """Write radiographs, with the byte order mark that spreadsheets write."""
    path = tmp_path / "xrays.csv"
    rows = "photo,side,deviation_degrees\na.jpg,left,5\na.jpg,Right,-2\nb.jpg,left,1\nb.jpg,right,3\nc.jpg,left,0\n"
    path.write_text(rows, encoding="utf-8-sig")
    return path


def test_bias_and_limits(tmp_path: Path, reference: Path) -> None:
    files = [
        page_csv(tmp_path / "a.csv", "a.jpg", "6", "-2.5"),
        page_csv(tmp_path / "b.csv", "b.jpg", "-2", "", "valgus"),
    ]
    comparison = compare_with_reference(read_angles(files), read_angles([reference]))
    # the third is valgus positive: 2 degrees of varus
    errors = np.array([1.0, -0.5, 1.0])
    found = comparison.agreement
    assert (found.legs, found.refused) == (3, 1)
    assert found.bias == pytest.approx(errors.mean())
    assert found.upper == pytest.approx(errors.mean() + 1.96 * errors.std(ddof=1))
    assert comparison.without_measurement == [("c.jpg", "left")]
    arguments = ["agreement", *map(str, files), "--reference", str(reference)]
    printed = CliRunner().invoke(command, arguments, catch_exceptions=False).output
    assert "bias" in printed
    assert "+0.50" in printed
    assert "refused by the network    1" in printed


def test_a_reference_of_the_other_sign(reference: Path) -> None:
    assert read_angles([reference], convention="valgus")["a.jpg", "left"] == -5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("photo,side\na.jpg,left\n", "has no column deviation_degrees"),
        ("photo,side,deviation_degrees\na.jpg,L,3\n", "line 2: side is 'L'"),
        ("photo,side,deviation_degrees\na.jpg,left,three\n", "deviation_degrees is 'three'"),
        ("photo,side,deviation_degrees\na.jpg,left,3\na.jpg,left,4\n", "line 3: the left leg of a.jpg is there twice"),
    ],
)
def test_files_that_cannot_be_read_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_angles([tmp_path / "x.csv"])


def test_calibrated_angles_that_were_never_made_are_not_refused_legs(tmp_path: Path) -> None:
    path = page_csv(tmp_path / "a.csv", "a.jpg", "6", "")
    with pytest.raises(ValueError, match="line 2: calibrated_degrees is empty and the leg was not refused"):
        read_angles([path], "calibrated_degrees")


def test_other_photos_are_refused(tmp_path: Path, reference: Path) -> None:
    with pytest.raises(ValueError, match="must name the same files"):
        compare_with_reference(read_angles([page_csv(tmp_path / "z.csv", "z.jpg", "1", "2")]), read_angles([reference]))
