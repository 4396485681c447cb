"""--exif, --depth and --checksums as typed: what they decide, and where they would have no effect."""

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from cache_tools.photos.options import AS_STORED, NOT_STATED, UPRIGHT, PhotoOptions
from pipeline.building.build import build
from pipeline.cli import kdcache
from pipeline.commands.train import evaluation_photos
from pipeline.evaluation.during_training import training_evaluation
from tests.samples.coco_document import coco_document, write_document
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
    assert "--checksums would be ignored" in refusal(*train, "--checksums", "sums")
    assert "--val-category would be ignored" in refusal(*train, "--val-category", "person")
    assert "--exif would be ignored" in refusal("export", "run", "--exif")
    assert "--checksums would be ignored" in refusal("hka", "evaluate", "--student", "a", "--checksums", "sums")
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


@pytest.fixture
def turned_photos(tmp_path: Path) -> Path:
    """Write photos that were annotated turned, and checksums of others, and return their folder."""
    folder = tmp_path / "photos"
    folder.mkdir()
    document = coco_document()
    for number, image in enumerate(document["images"]):
        (folder / image["file_name"]).write_bytes(content(picture(160, 120, number), "JPEG", 6))
    write_document(folder, document)
    names = [image["file_name"] for image in document["images"]]
    (folder / "sums").write_text("".join(f"{'0' * 32}  {name}\n" for name in names))
    return folder


NETWORK = ("--teacher", "tests.samples.still_network:make", "--device", "cpu")
READERS = {
    "evaluate": ("evaluate", *NETWORK, "--no-flip"),
    "hka": ("hka", "evaluate", *NETWORK, "--rendered", "0", "--no-flip"),
    "heatmaps": ("report", "heatmaps", *NETWORK, "--persons", "1", "--out", "panel.png"),
    "predictions": ("report", "predictions", *NETWORK, "--photos", "1", "--no-flip", "--out", "poses.png"),
}


@pytest.mark.parametrize("command", READERS)
def test_every_command_with_annotations_reads_photos_in_the_same_way(
    command: str, turned_photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(turned_photos.parent)
    words = [*READERS[command], "--images", "photos", "--annotations", "photos/persons.json"]
    refused = CliRunner().invoke(kdcache, words)
    assert isinstance(refused.exception, ValueError)
    assert str(refused.exception).endswith("as it is when its EXIF orientation 6 turns it: give --exif")
    CliRunner().invoke(kdcache, [*words, "--exif"], catch_exceptions=False)
    if READERS[command][0] != "report":
        other = CliRunner().invoke(kdcache, [*words, "--exif", "--checksums", "photos/sums"])
        assert "000.jpg has the md5" in str(other.exception)
    (turned_photos / "000.jpg").unlink()
    (turned_photos / "001.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"photos are not in .*first: give the folder"):
        CliRunner().invoke(kdcache, [*words, "--exif"], catch_exceptions=False)


def test_photos_of_a_training_are_checked_before_it(tmp_path: Path) -> None:
    job = small_job(tmp_path)
    build(replace(job, crops=False))
    (tmp_path / "sums").write_text("".join(f"{'0' * 32}  {path.name}\n" for path in job.images.glob("*.jpg")))
    words = ["train", job.store, "--out", str(tmp_path / "run"), "--images", str(job.images), "--device", "cpu"]
    refused = CliRunner().invoke(kdcache, [*words, "--checksums", str(tmp_path / "sums")])
    assert "000.jpg has the md5" in str(refused.exception)
    (job.images / "003.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 15 photos are not in .*003\.jpg first"):
        CliRunner().invoke(kdcache, words, catch_exceptions=False)
    assert not (tmp_path / "run").exists()


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
