"""Photos that are replaced in place while a build is stopped: the build that goes on refuses, and verify names them."""

import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from cache_tools.crops import ENCODING, FIRST_ENCODING
from cache_tools.store.writer import HeatmapStore
from pipeline.building import resumed_photos
from pipeline.building.build import build
from pipeline.building.job import BuildJob
from tests.samples.command_line import run_command
from tests.samples.small_build import ROWS, content, small_job

BUILD_MODULE = sys.modules[build.__module__]


@pytest.fixture
def job(tmp_path: Path) -> BuildJob:
    return small_job(tmp_path)


def undo_last_shard(job: BuildJob) -> HeatmapStore:
    """Take a finished store back to the moment before its last shard."""
    store = HeatmapStore.open(job.store, mode="r+")
    store.forget(store.shards - 1)
    return HeatmapStore.open(job.store)


def repaint(path: Path) -> None:
    """Put another photo of the same size in place, with the times of the old one."""
    times = path.stat()
    photo = cv2.imread(str(path))
    assert photo is not None
    cv2.imwrite(str(path), 255 - photo)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_a_build_goes_on_with_the_same_photos(job: BuildJob, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    build(job)
    whole = content(job.store)
    undo_last_shard(job)
    build(job)
    assert content(job.store) == whole
    assert "the photos are those of the finished shards, on 32 rows" in caplog.text


def test_a_store_of_an_earlier_kdcache_goes_on_in_its_encoding(job: BuildJob, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(BUILD_MODULE, "ENCODING", FIRST_ENCODING)
        build(job)
    whole = content(job.store)
    assert "encoding" not in HeatmapStore.open(job.store).spec.to_json()["crops"]
    undo_last_shard(job)
    build(job)
    assert content(job.store) == whole
    other = replace(job, store=f"{job.store}-new")
    build(other)
    assert HeatmapStore.open(other.store).spec.differences(HeatmapStore.open(job.store).spec) == [
        "crops.encoding: found 1, expected 2"
    ]


@pytest.mark.parametrize("crops", [True, False], ids=["crops", "no crops"])
def test_a_build_refuses_to_go_on_with_other_photos(job: BuildJob, crops: bool) -> None:
    job = replace(job, crops=crops)
    build(job)
    store = undo_last_shard(job)
    before = content(job.store)
    for path in job.images.glob("*.jpg"):
        repaint(path)
    message = "012.jpg .annotation .* RMSE .*not the photos that the 2 finished" if crops else "are the photos in"
    with pytest.raises(ValueError, match=message):
        build(job)
    assert content(job.store) == before
    assert store.pending() == [2]


def test_one_photo_of_many_is_found_by_when_it_came(job: BuildJob, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows of few photos are compared; the photo that changed last is among them."""
    monkeypatch.setattr(resumed_photos, "ROWS", 4)
    build(job)
    undo_last_shard(job)
    repaint(job.images / "033.jpg")
    with pytest.raises(ValueError, match=r"^033\.jpg \(annotation \d+: RMSE"):
        build(job)


def test_a_photo_of_another_size_or_without_content_is_named(job: BuildJob) -> None:
    build(job)
    (job.images / "009.jpg").write_bytes(b"")
    ended = run_command("verify", job.store, "--images", job.images)
    assert ended.code == 1
    assert "009.jpg is not an image" in ended.stdout


@pytest.mark.parametrize("compared", ["20", "0"])
def test_verify_names_the_photos_that_differ(job: BuildJob, tmp_path: Path, compared: str) -> None:
    build(job)
    equal = run_command("verify", job.store, "--images", job.images, "--compare", compared)
    assert equal.code == 0
    assert "rows compared with the photos: equal" in equal.stdout
    assert (f"crops of {ROWS} rows" in equal.stdout) == (compared == "0")
    other = Path(shutil.copytree(job.images, tmp_path / "other"))
    repaint(other / "012.jpg")
    ended = run_command("verify", job.store, "--images", other, "--compare", compared)
    assert ended.code == 1
    assert "012.jpg (annotation 85: RMSE" in ended.stdout
    assert "of 255): not the photo that the crop was cut from" in ended.stdout
    assert "give the folder that the store was built from, or build another store" in ended.stdout


def test_a_picture_that_was_saved_again_is_another_one(job: BuildJob) -> None:
    build(job)
    path = job.images / "000.jpg"
    photo = cv2.imread(str(path))
    assert photo is not None
    cv2.imwrite(str(path), photo, [cv2.IMWRITE_JPEG_QUALITY, 60])
    assert run_command("verify", job.store, "--images", job.images, "--compare", "0").code == 1


@pytest.mark.parametrize("encoding", [FIRST_ENCODING, ENCODING])
def test_large_photos_whose_crops_were_made_smaller_are_compared(
    tmp_path: Path, encoding: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crop of a large person is resized: it is cut again at the same place and size."""
    monkeypatch.setattr(BUILD_MODULE, "ENCODING", encoding)
    job = small_job(tmp_path)
    for path in job.images.glob("*.jpg"):
        photo = cv2.imread(str(path))
        assert photo is not None
        cv2.imwrite(str(path), cv2.resize(photo, None, fx=12, fy=12))
    document = json.loads(job.annotations.read_text())
    for image in document["images"]:
        image["height"], image["width"] = 12 * image["height"], 12 * image["width"]
    for annotation in document["annotations"]:
        annotation["bbox"] = [12 * value for value in annotation["bbox"]]
        annotation["keypoints"] = (np.array(annotation["keypoints"]).reshape(-1, 3) * [12, 12, 1]).ravel().tolist()
    job.annotations.write_text(json.dumps(document))
    build(job)
    store = HeatmapStore.open(job.store)
    steps = store.read_crop_matrices(range(ROWS))[:, 0, 0]
    assert (steps > 1.5).all()
    assert run_command("verify", job.store, "--images", job.images, "--compare", "0").code == 0
