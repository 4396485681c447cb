"""The embedded data set: the same bytes for a seed, valid COCO, an annotator's noise, no half-written sets."""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from cache_tools.coco import MIRROR, OKS_SIGMAS
from cache_tools.images import read_image
from cache_tools.instances import read_coco
from pipeline.demo.annotator import MISSING, PAIRS, SWAPPED, annotate
from pipeline.demo.coco_files import draw_photo, write_split
from pipeline.demo.dataset import NOTE, UNFINISHED, write_dataset
from pipeline.demo.labels import label, polygons, run_lengths
from pipeline.demo.scene import LEVELS, OCCLUDER, Scene, sample_scene

TRAIN, VAL = "annotations/person_keypoints_train.json", "annotations/person_keypoints_val.json"


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def kdcache(*arguments: object, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from pipeline.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("demo") / "set"
    write_dataset(out, 60, seed=5, val_persons=20)
    return out


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    hard = [sample_scene(np.random.default_rng([11, i]), LEVELS["hard"]) for i in range(40)]
    return hard + [sample_scene(np.random.default_rng([12, i]), LEVELS["easy"]) for i in range(40)]


def test_the_same_seed_gives_the_same_bytes_whatever_the_workers(demo, tmp_path):
    result = kdcache("demo-data", tmp_path / "two", "--persons", 60, "--seed", 5, "--val-persons", 20, "--workers", 2)
    assert result.returncode == 0, result.stderr
    assert files_of(tmp_path / "two") == files_of(demo)
    write_split(tmp_path / "other", "val", 20, seed=6)
    assert (tmp_path / "other" / VAL).read_bytes() != (demo / VAL).read_bytes()


def test_photos_and_val_do_not_depend_on_noise_or_size(demo, tmp_path):
    write_dataset(tmp_path / "exact", 30, seed=5, val_persons=20, noise=False)
    noisy, exact = files_of(demo), files_of(tmp_path / "exact")
    photos = [name for name in exact if name.startswith("train/")]
    assert photos
    assert all(noisy[name] == exact[name] for name in photos)
    assert {k: v for k, v in noisy.items() if "val" in k} == {k: v for k, v in exact.items() if "val" in k}
    assert json.loads(noisy[TRAIN])["annotations"][0] != json.loads(exact[TRAIN])["annotations"][0]


def test_both_splits_are_coco_keypoint_files(demo):
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


def test_crowds_are_uncompressed_run_lengths():
    for number in range(1, 200):
        _, people = draw_photo(number, "train", seed=1, noise=True, level="hard", size=(120, 160))
        crowds = [person for person in people if person["iscrowd"]]
        if crowds:
            break
    (crowd,) = crowds
    encoded = coco_mask.frPyObjects(crowd["segmentation"], 120, 160)
    assert coco_mask.area(encoded) == crowd["area"]
    assert coco_mask.toBbox(encoded).tolist() == crowd["bbox"]
    assert crowd["num_keypoints"] == 0
    assert crowd["keypoints"] == [0] * 51


@settings(max_examples=60)
@given(hnp.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_run_lengths_and_polygons_decode_to_the_mask(mask):
    height, width = mask.shape
    assert (coco_mask.decode(coco_mask.frPyObjects(run_lengths(mask), height, width)) == mask).all()
    filled = np.zeros(mask.shape, bool)
    for polygon in polygons(mask):
        filled |= coco_mask.decode(coco_mask.frPyObjects([polygon], height, width))[..., 0] > 0
    assert (filled >= mask).all()


def test_scenes_hold_what_coco_holds(scenes):
    labels = [label(scene) for scene in scenes]
    persons = [found for labels_of in labels for found in labels_of.values() if not found.crowd]
    visibility = np.concatenate([found.keypoints[:, 2] for found in persons])
    boxes = np.array([found.box for found in persons])
    assert max(len(labels_of) for labels_of in labels) >= 3
    assert any(-1 in labels_of for labels_of in labels)
    assert any((scene.owner == OCCLUDER).any() for scene in scenes)
    assert (boxes[:, 1] + boxes[:, 3] == 240).mean() > 0.05  # cut by the picture's edge
    assert ((np.bincount(visibility.astype(int), minlength=3) / len(visibility)) > [0.05, 0.1, 0.5]).all()


def test_seen_keypoints_lie_on_their_person(scenes):
    distances = []
    for scene in scenes:
        for found in label(scene).values():
            away = cv2.distanceTransform((~found.mask).astype(np.uint8), cv2.DIST_L2, 5)
            seen = found.keypoints[found.keypoints[:, 2] == 2, :2].round().astype(int)
            column, row = np.clip(seen, 0, [319, 239]).T
            distances.extend(away[row, column])
            assert not found.keypoints[found.keypoints[:, 2] == 0].any()
    assert np.mean(np.array(distances) <= 1) > 0.97
    assert np.max(distances) < 12


def test_an_annotator_errs_as_coco_measured():
    rng, count, area = np.random.default_rng(0), 4000, 90.0**2
    exact = np.array([(150 + joint % 5 * 150, 150 + joint // 5 * 150, 2.0) for joint in range(17)])  # far apart
    clicked = np.stack([annotate(rng, exact, area, (1000, 1000)) for _ in range(count)])
    assert np.mean(clicked[..., 2] == 0) == pytest.approx(MISSING, abs=0.006)
    off = clicked[..., :2] - exact[:, :2]
    off[clicked[..., 2] == 0] = np.nan
    for joint, sigma in enumerate(OKS_SIGMAS):
        expected = sigma * np.sqrt(area)
        near = np.linalg.norm(off[:, joint], axis=1) < 6 * expected  # without those swapped with the other side
        assert off[:, joint][near].std(axis=0) == pytest.approx([expected, expected], rel=0.04)
    left, right = PAIRS[-1]
    nearer_other = np.linalg.norm(clicked[:, left, :2] - exact[right, :2], axis=1) < 5 * OKS_SIGMAS[right] * 90
    assert np.mean(nearer_other[clicked[:, left, 2] > 0]) == pytest.approx(SWAPPED, abs=0.008)
    assert {MIRROR[a] for a, _ in PAIRS} == {b for _, b in PAIRS}


def test_noise_keeps_a_labelled_person_labelled_and_in_the_photo():
    exact = np.zeros((17, 3))
    exact[3] = (1, 1, 2)
    for seed in range(100):
        clicked = annotate(np.random.default_rng(seed), exact, 5000.0, (100, 100))
        assert (clicked[:, 2] > 0).sum() == 1
        assert (clicked >= 0).all()


def test_a_finished_set_is_left_alone_and_other_content_is_not_touched(demo, tmp_path):
    before = {p: p.stat().st_mtime_ns for p in demo.rglob("*")}
    result = kdcache("demo-data", demo, "--persons", 60, "--seed", 5, "--val-persons", 20)
    assert result.returncode == 0
    assert "already" in result.stdout
    with pytest.raises(ValueError, match="persons 60, asked for 61"):
        write_dataset(demo, 61, seed=5, val_persons=20)
    assert {p: p.stat().st_mtime_ns for p in demo.rglob("*")} == before

    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "holiday.jpg").write_bytes(b"mine")
    result = kdcache("demo-data", tmp_path, "--persons", 2)
    assert result.returncode == 2
    assert "not empty" in result.stderr
    assert files_of(tmp_path) == {"train/holiday.jpg": b"mine"}


def test_a_set_without_its_annotation_files_is_made_again(tmp_path):
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
def test_arguments_out_of_range(tmp_path, option, value, message):
    with pytest.raises(ValueError, match=message):
        write_dataset(tmp_path / "out", **{"persons": 2, option: value})
    assert not (tmp_path / "out").exists()


def test_a_write_that_fails_leaves_nothing(tmp_path):
    def no_file_above_20_kb() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    result = kdcache("demo-data", tmp_path / "out", "--persons", 60, "--workers", 1, preexec_fn=no_file_above_20_kb)
    assert result.returncode == 2
    assert "File too large" in result.stderr
    assert files_of(tmp_path) == {}


def test_killed_at_work_it_starts_again_and_leaves_no_process(tmp_path):
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
