"""COCO files, good and bad: which persons become rows, and one line for whatever is wrong."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from cache_tools.annotations.annotation_file import read_coco
from cache_tools.instances import clip_box
from cache_tools.skeletons import COCO

KEYPOINTS = [20, 20, 2] * 17
Spoil = Callable[[dict[str, Any]], object]


def coco(persons: int = 6) -> dict[str, Any]:
    """Two persons a photo of 100x90."""
    return {
        "images": [{"id": 5 - i, "file_name": f"{i}.png", "height": 100, "width": 90} for i in range(persons // 2)],
        "annotations": [
            {
                "id": 50 - i, "image_id": 5 - i // 2, "category_id": 1, "iscrowd": 0, "num_keypoints": 17,
                "area": 500.0, "bbox": [5.0 + i, 6.0, 30.0, 40.0], "keypoints": list(KEYPOINTS),
            }
            for i in range(persons)
        ],
    }  # fmt: skip


def write(folder: Path, data: Any) -> Path:
    """Write the data to a file."""
    path = folder / "persons.json"
    path.write_text(json.dumps(data))
    return path


def first(**changes: Any) -> Spoil:
    """Make a mistake in the first annotation: fields with other values, left out where the value is `...`."""

    def spoil(data: dict[str, Any]) -> None:
        changed = data["annotations"][0] | changes
        data["annotations"][0] = {name: value for name, value in changed.items() if value is not ...}

    return spoil


def everywhere(**changes: Any) -> Spoil:
    """Change the same fields in all annotations."""
    return lambda data: [annotation.update(changes) for annotation in data["annotations"]]


MISTAKES: dict[str, tuple[Spoil, str]] = {
    "no list": (lambda data: data.pop("annotations"), "has no list 'annotations'"),
    "not an object": (lambda data: data["annotations"].append("x"), "entry 6 of 'annotations' is 'x'"),
    "no image_id": (first(image_id=...), "annotation 50: its image_id is None"),
    "no id": (first(id=...), "its id is None: expected a whole number"),
    "unlisted image": (first(image_id=77), "annotation 50: its image_id is 77, which is not the id of any"),
    "no height": (lambda data: data["images"][0].pop("height"), "annotation 50: its image 5 has no height: expected"),
    "no name": (
        lambda data: data["images"][0].update(file_name=None),
        "annotation 50: its image 5 has the file_name None",
    ),
    "instances file": (everywhere(keypoints=None), "no annotation has a labelled keypoint: expected person_keypoints"),
    "14 keypoints": (
        first(keypoints=[20, 20, 2] * 14),
        "it has 42 numbers in keypoints: expected 51 numbers",
    ),
    "words for keypoints": (
        first(keypoints=["x"] * 51),
        "annotation 50: it holds 'x' in keypoints",
    ),
    "short box": (first(bbox=[1, 2, 3]), r"annotation 50: its bbox is \[1, 2, 3\]: expected x, y, width, height"),
    "infinite box": (
        first(bbox=[1, 2, float("inf"), 3]),
        "annotation 50: its bbox is .*: expected x, y, width, height, finite",
    ),
    "same id twice": (first(id=49), "2 annotations have the id 49"),
    "boxes outside": (everywhere(bbox=[200, 200, 30, 40]), "no person with labelled keypoints.*left out: 6 empty box"),
    "nobody labelled": (everywhere(keypoints=[0] * 51), "no annotation has a labelled keypoint"),
    "nobody": (lambda data: data["annotations"].clear(), "lists 3 photos and no person on them"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line_with_file_and_annotation(name: str, tmp_path: Path) -> None:
    spoil, said = MISTAKES[name]
    data = coco()
    spoil(data)
    path = write(tmp_path, data)
    with pytest.raises(ValueError, match=said) as caught:
        read_coco(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


BUILD = """
import json, sys
sys.argv[0] = "kdcache"
from pipeline import cli
for arguments in json.loads(sys.argv.pop()):
    sys.argv[1:] = arguments
    try:
        cli.main()
        print(0)
    except SystemExit as stop:
        print(stop.code)
    print("--", file=sys.stderr)
"""


def test_a_build_on_each_mistake_ends_with_2_and_leaves_no_store(tmp_path: Path) -> None:
    """In one process, because each would import torch anew; among them a build of a good file, which succeeds."""
    builds = []
    for name, (spoil, _) in MISTAKES.items():
        folder = tmp_path / name
        folder.mkdir()
        data = coco()
        spoil(data)
        path = write(folder, data)
        builds.append(["build", str(folder / "store"), "--teacher", "none", "--images", str(folder)])
        builds[-1] += ["--annotations", str(path)]
    good = tmp_path / "good"
    good.mkdir()
    data = coco()
    for image in data["images"]:
        cv2.imwrite(str(good / image["file_name"]), np.zeros((100, 90, 3), np.uint8))
    builds.append(["build", str(good / "good.zarr"), *builds[0][2:4], "--images", str(good)])
    builds[-1] += ["--annotations", str(write(good, data))]
    not_json = tmp_path / "not.json"
    not_json.write_text("{")
    builds.append([*builds[0][:-1], str(not_json)])
    command = [sys.executable, "-c", BUILD, json.dumps(builds)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    codes = [line for line in done.stdout.splitlines() if line.isdigit()]
    assert codes == ["2"] * len(MISTAKES) + ["0", "2"], done.stderr
    said = done.stderr.split("--\n")[:-1]
    assert len(said) == len(builds)
    for line in said[: len(MISTAKES)] + said[-1:]:
        assert line.startswith("error: ")
        assert line.count("\n") == 1
    assert not list(tmp_path.rglob("store"))


def test_rows_are_sorted_by_image_and_annotation(tmp_path: Path) -> None:
    data = coco()
    data["categories"] = [{"id": 1, "name": "person", "keypoints": list(COCO.names)}]
    data["annotations"][0] |= {"category_id": 3}
    data["annotations"][1] |= {"iscrowd": 1, "keypoints": KEYPOINTS}
    data["annotations"][2] |= {"bbox": [-10, 80, 30, 40]}
    table = read_coco(write(tmp_path, data))
    assert table.image_id.tolist() == [3, 3, 4, 4]
    assert table.annotation_id.tolist() == [45, 46, 47, 48]
    assert table.box[3].tolist() == [0, 80, 20, 20]
    assert table.file_name == ("2.png", "2.png", "1.png", "1.png")
    assert (table.keypoints == 20).all()


def test_unlabelled_persons_need_a_box_alone(tmp_path: Path) -> None:
    data = coco()
    data["annotations"][0] |= {"keypoints": None, "num_keypoints": 0}
    del data["annotations"][1]["keypoints"]
    table = read_coco(write(tmp_path, data), labelled=False)
    assert len(table) == 6
    assert table.visibility.any(1).tolist() == [True] * 4 + [False] * 2
    del data["annotations"][1]
    del data["annotations"][2]["num_keypoints"]  # then the labels are counted
    data["annotations"][3] |= {"keypoints": [0] * 51}
    del data["annotations"][3]["num_keypoints"]
    assert len(read_coco(write(tmp_path, data))) == 3


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_parts_are_the_whole_and_share_no_photo(count: int, tmp_path: Path) -> None:
    data = coco(20)
    for annotation in data["annotations"][:7]:
        annotation["image_id"] = 5
    path = write(tmp_path, data)
    whole = read_coco(path)
    parts = [read_coco(path, part=(i, count)) for i in range(1, count + 1)]
    assert np.concatenate([part.annotation_id for part in parts]).tolist() == whole.annotation_id.tolist()
    photos = [set(part.image_id.tolist()) for part in parts]
    assert sum(map(len, photos)) == len(set.union(*photos))
    assert max(map(len, parts)) <= len(whole) / count + 7


def test_more_parts_than_photos_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, coco(6))
    with pytest.raises(ValueError, match=r"part 1/6 of .* holds nobody, there are 3 photos: use fewer parts"):
        read_coco(path, part=(1, 6))
    with pytest.raises(ValueError, match="part 3/2: expected I/N"):
        read_coco(path, part=(3, 2))


@pytest.mark.parametrize(
    ("box", "clipped"),
    [
        ([10, 20, 30, 40], [10, 20, 30, 40]),
        ([-5, -6, 30, 40], [0, 0, 25, 34]),
        ([80, 90, 30, 40], [80, 90, 10, 10]),
        ([200, 20, 30, 40], [200, 20, 0, 40]),
        ([-50, 20, 30, 40], [0, 20, 0, 40]),
        ([10, 20, -3, 40], [10, 20, 0, 40]),
    ],
)
def test_boxes_are_cut_to_the_image(box: list[float], clipped: list[float]) -> None:
    assert clip_box(box, 100, 90).tolist() == clipped
