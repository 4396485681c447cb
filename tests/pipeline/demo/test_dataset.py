"""The demo data set as a folder: the same bytes for a seed, valid COCO files, no half-written sets."""

import hashlib
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from cache_tools import skeletons
from cache_tools.annotations.annotation_file import read_coco
from cache_tools.images import read_image
from pipeline.demo.coco_files import write_split
from pipeline.demo.dataset import NOTE, UNFINISHED, write_dataset

TRAIN, VAL = "annotations/person_keypoints_train.json", "annotations/person_keypoints_val.json"
TRAIN_DIGEST = "54560780e3b55163081ac42b91aa4ed5a31aeca373878f69487ca0f8c06646ef"
VAL_DIGEST = "c7d0c0e915458e1a6f80f45465babc33b78c4ab1e2c424c0221e30020ff28268"
PHOTOS_DIGEST = "3af603008eb45312bda19e362410d73f094ef8eae68c42a93e05affe82a95b9d"


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def kdcache(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from pipeline.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo") / "set"
    write_dataset(out, 60, seed=5, val_persons=20)
    return out


def test_the_same_seed_gives_the_same_bytes_whatever_the_workers(demo: Path, tmp_path: Path) -> None:
    result = kdcache("demo-data", tmp_path / "two", "--persons", 60, "--seed", 5, "--val-persons", 20, "--workers", 2)
    assert result.returncode == 0, result.stderr
    assert files_of(tmp_path / "two") == files_of(demo)
    write_split(tmp_path / "other", "val", 20, seed=6, skeleton=skeletons.COCO)
    assert (tmp_path / "other" / VAL).read_bytes() != (demo / VAL).read_bytes()


def test_the_digest_of_a_seed_is_a_constant(demo: Path) -> None:
    """A change here changes every number of the demo: raise GENERATOR in dataset.py, and update the documentation."""
    content = files_of(demo)
    photos = hashlib.sha256(b"".join(content[name] for name in sorted(content) if name.endswith(".jpg"))).hexdigest()
    assert hashlib.sha256(content[TRAIN]).hexdigest() == TRAIN_DIGEST
    assert hashlib.sha256(content[VAL]).hexdigest() == VAL_DIGEST
    assert photos == PHOTOS_DIGEST


def test_photos_and_val_do_not_depend_on_noise_or_size(demo: Path, tmp_path: Path) -> None:
    write_dataset(tmp_path / "exact", 30, seed=5, val_persons=20, noise=False)
    noisy, exact = files_of(demo), files_of(tmp_path / "exact")
    photos = [name for name in exact if name.startswith("train/")]
    assert photos
    assert all(noisy[name] == exact[name] for name in photos)
    assert {k: v for k, v in noisy.items() if "val" in k} == {k: v for k, v in exact.items() if "val" in k}
    assert json.loads(noisy[TRAIN])["annotations"][0] != json.loads(exact[TRAIN])["annotations"][0]


def test_both_splits_are_coco_keypoint_files(demo: Path) -> None:
    for name, persons in ((TRAIN, 60), (VAL, 20)):
        coco = COCO(str(demo / name))
        labelled = [a for a in coco.dataset["annotations"] if a["num_keypoints"] and not a["iscrowd"]]
        assert persons <= len(labelled) <= persons + 3
        table = read_coco(demo / name)
        assert len(table) == len(labelled)
        assert set(np.unique(table.visibility)) == {0, 1, 2}
        split = "train" if name == TRAIN else "val"
        for row in range(len(table)):
            height, width = table.image_size[row]
            x, y, w, h = table.box[row]
            assert x >= 0
            assert y >= 0
            assert x + w <= width
            assert y + h <= height
            seen = table.keypoints[row][table.visibility[row] > 0]
            assert ((seen >= -0.5) & (seen <= [width - 0.5, height - 0.5])).all()
        photo = read_image(demo / split / table.file_name[0], tuple(table.image_size[0]))
        assert photo.std() > 5
        for annotation in labelled:  # annToMask decodes the polygons: an oracle for box and area
            mask = coco.annToMask(annotation)
            assert annotation["area"] <= mask.sum() * 1.02
            box = coco_mask.toBbox(coco_mask.encode(np.asfortranarray(mask)))
            assert np.abs(box - annotation["bbox"]).max() <= 1


def test_a_finished_set_is_left_alone_and_other_content_is_not_touched(demo: Path, tmp_path: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in demo.rglob("*")}
    result = kdcache("demo-data", demo, "--persons", 60, "--seed", 5, "--val-persons", 20)
    assert result.returncode == 0
    assert "already" in result.stdout
    with pytest.raises(ValueError, match="persons 60, requested 61"):
        write_dataset(demo, 61, seed=5, val_persons=20)
    assert {p: p.stat().st_mtime_ns for p in demo.rglob("*")} == before

    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match="is a file: expected a new or an empty folder"):
        write_dataset(tmp_path / "file", 1)
    (tmp_path / "file").unlink()
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "holiday.jpg").write_bytes(b"mine")
    result = kdcache("demo-data", tmp_path, "--persons", 2)
    assert result.returncode == 2
    assert "not empty" in result.stderr
    assert files_of(tmp_path) == {"train/holiday.jpg": b"mine"}


def test_a_set_without_its_annotation_files_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "annotations").mkdir()  # Snakemake makes the folders of its outputs
    write_dataset(tmp_path, 3, seed=1)
    whole = files_of(tmp_path)
    (tmp_path / TRAIN).unlink()
    write_dataset(tmp_path, 3, seed=1)
    assert files_of(tmp_path) == whole


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("persons", 0, "persons is 0"),
        ("seed", -1, "seed is -1"),
        ("level", "esay", "easy, hard"),
        ("workers", 0, "at le"),
    ],
)
def test_arguments_out_of_range(tmp_path: Path, option: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_dataset(tmp_path / "out", **{"persons": 2, option: value})
    assert not (tmp_path / "out").exists()


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def no_file_above_20_kb() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    result = kdcache("demo-data", tmp_path / "out", "--persons", 60, "--workers", 1, preexec_fn=no_file_above_20_kb)
    assert result.returncode == 2
    assert "File too large" in result.stderr
    assert files_of(tmp_path) == {}


def test_killed_at_work_it_starts_again_and_leaves_no_process(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-c",
        "from pipeline.cli import main; main()",
        "demo-data",
        str(out),
        "--persons",
        "4000",
    ]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list((out / UNFINISHED).glob("train/*.jpg")) and time.monotonic() < deadline:
        time.sleep(0.05)
    workers = psutil.Process(process.pid).children(recursive=True)
    assert len(workers) >= 2
    process.kill()
    process.wait()
    assert list((out / UNFINISHED).glob("train/*.jpg"))
    assert not (out / NOTE).exists()
    write_dataset(out, 3, seed=1)
    write_dataset(tmp_path / "undisturbed", 3, seed=1)
    assert files_of(out) == files_of(tmp_path / "undisturbed")
    while any(_runs(worker) for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(_runs(worker) for worker in workers)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_standing_people_have_boxes_around_their_legs(tmp_path: Path) -> None:
    skeleton = skeletons.load_skeleton("mechanical")
    write_dataset(
        tmp_path, 3, 4, val_persons=1, noise=False, level="standing", skeleton=skeleton, size=(192, 128), boxes="legs"
    )
    persons = json.loads((tmp_path / TRAIN).read_text())["annotations"]
    assert len(persons) == len({person["image_id"] for person in persons}) == 3
    for person in persons:
        x, y, width, height = person["bbox"]
        joints = np.array(person["keypoints"]).reshape(17, 3)
        legs, shoulders = joints[11:, :2], joints[5:7, :2]
        assert ((legs >= (x, y)) & (legs <= (x + width, y + height))).all()
        assert (shoulders[:, 1] < y).all()
    assert read_image(tmp_path / "train" / "000000000001.jpg").shape == (192, 128, 3)
    with pytest.raises(ValueError, match="size \\[192, 128\\], requested None"):
        write_dataset(tmp_path, 3, 4, val_persons=1, noise=False, level="standing", skeleton=skeleton, boxes="legs")
