"""Teachers written in Python."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.teachers.load import load_network


def test_own_teacher_is_found_in_the_current_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    docs = Path(__file__).parents[3] / "docs"
    assert len((docs / "own_teacher.py").read_text().splitlines()) <= 27
    monkeypatch.chdir(docs)
    teacher = load_network("own_teacher:make", "cpu")
    crop = np.zeros((1, 256, 192, 3), np.uint8)
    crop[0, 100, 60] = 255
    maps = teacher(crop)
    assert maps.shape == (1, 17, *teacher.heatmap_size)
    assert maps.dtype == np.float32
    assert np.unravel_index(maps[0, 5].argmax(), (64, 48)) == (25, 15)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("no_such_module:make", "no module 'no_such_module'"),
        ("pipeline.teachers:make", "has no 'make'"),
        ("pathlib:Path", "lacks digest, licence"),
    ],
)
def test_what_is_missing_is_named(reference: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_network(reference)


def test_a_module_that_imports_a_missing_one_shows_its_own_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "teacher_with_a_broken_import.py").write_text("import no_such_framework\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_framework"):
        load_network("teacher_with_a_broken_import:make")
