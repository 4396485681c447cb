"""--exif, --depth and --checksums as typed: what they decide, and where they would have no effect."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from cache_tools.photos.options import AS_STORED, NOT_STATED, UPRIGHT, PhotoOptions
from pipeline.cli import kdcache
from pipeline.commands.train import evaluation_photos
from pipeline.evaluation.during_training import training_evaluation
from tests.samples.photo_files import content, picture
from tests.samples.small_build import small_job


def refusal(*words: str | Path) -> str:
    """Return what a command prints that is refused."""
    result = CliRunner().invoke(kdcache, [str(word) for word in words])
    assert result.exit_code == 2
    return result.output


def test_options_without_effect_are_refused() -> None:
    train = ("train", "store", "--out", "run")
    assert "--exif would be ignored" in refusal(*train, "--no-exif")
    assert "--depth would be ignored" in refusal(*train, "--depth", "12")
    evaluate = ("evaluate", "--store", "store", "--annotations", "labels.json")
    for option in (("--exif",), ("--depth", "12"), ("--checksums", "sums")):
        assert f"{option[0]} would be ignored" in refusal(*evaluate, *option)


@pytest.mark.parametrize("depth", ["8", "17", "some"])
def test_depths_that_no_photo_has_are_refused(depth: str) -> None:
    words = ("build", "store", "--teacher", "none", "--images", "photos", "--annotations", "labels.json")
    assert "'--depth'" in refusal(*words, "--depth", depth)
    if depth.isdigit():
        with pytest.raises(ValueError, match=f"a depth of {depth} bits: expected 9 to 16"):
            PhotoOptions(depth=int(depth))


@pytest.mark.parametrize(("given", "stored", "expected"), [
    (NOT_STATED, AS_STORED, NOT_STATED),
    (NOT_STATED, UPRIGHT, UPRIGHT),
    (AS_STORED, UPRIGHT, AS_STORED),
    (UPRIGHT, AS_STORED, UPRIGHT),
    (NOT_STATED, PhotoOptions(False, 12), PhotoOptions(False, 12)),
    (PhotoOptions(True, 10), PhotoOptions(False, 12), PhotoOptions(True, 10)),
])  # fmt: skip
def test_photos_of_an_evaluation_are_read_as_given_or_as_the_stores(
    given: PhotoOptions, stored: PhotoOptions, expected: PhotoOptions
) -> None:
    assert evaluation_photos(given, stored) == expected


def test_an_evaluation_while_training_checks_its_photos_before(tmp_path: Path) -> None:
    job = small_job(tmp_path)
    training_evaluation(job.annotations, job.images, "cpu")
    photo = job.images / "000.jpg"
    photo.write_bytes(content(picture(160, 60), "JPEG", 6))
    with pytest.raises(ValueError, match=r"000\.jpg is .*its annotations say"):
        training_evaluation(job.annotations, job.images, "cpu", photo_options=UPRIGHT)
    photo.unlink()
    with pytest.raises(FileNotFoundError, match="1 of 15 photos are not in"):
        training_evaluation(job.annotations, job.images, "cpu")
