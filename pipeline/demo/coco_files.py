"""A split on disk: photos and a COCO keypoint file."""

import functools
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import simplejpeg

from cache_tools import files
from cache_tools.progress import progress_bar
from cache_tools.skeletons import Skeleton
from pipeline.demo.annotator import annotate
from pipeline.demo.coco_annotation import as_annotation
from pipeline.demo.knee_labels import move_knees
from pipeline.demo.labels import Label, label
from pipeline.demo.levels import LEVELS, STANDING, sample_scene
from pipeline.demo.processes import process_map
from pipeline.demo.random_stream import RandomStream
from pipeline.demo.scene import Scene
from pipeline.demo.standing import LARGEST_DEVIATION, axis_of, standing_scene
from pipeline.leg_boxes import leg_boxes

SPLITS = {"train": 1, "val": 2}  # streams of the seed: no split depends on the size of another
JPEG_QUALITY = 92
PERSONS_PER_PHOTO = 1.5  # more than the true mean: fewer photos are drawn that are not needed
#: what the boxes of persons are around
Boxes = Literal["person", "legs"]
#: where knees are labelled: at the joint, or where the angle in the photo is that of the mechanical axis
Knees = Literal["joint", "axis"]
SIZE = (240, 320)  #: height and width of a photo
ANGLES_STREAM = 2  # of a photo's stream, besides the annotator's
LICENCE = {"id": 1, "name": "CC0 1.0", "url": "https://creativecommons.org/publicdomain/zero/1.0/"}


def write_split(
    folder: Path,
    split: str,
    persons: int,
    seed: int,
    *,
    noise: bool = False,
    level: str = "easy",
    size: tuple[int, int] = SIZE,
    workers: int = 1,
    skeleton: Skeleton,
    boxes: Boxes = "person",
    knees: Knees = "joint",
) -> dict[str, int]:
    """Write `folder/split/*.jpg` and, last, `folder/annotations/person_keypoints_<split>.json`.

    Photos of `size` (height, width) are drawn until they show `persons` labelled persons. They depend only on seed,
    split, level and size, on every processor; `noise` adds an annotator's errors to the keypoints, which are those of
    `skeleton`.
    The photos are not fsynced: the caller does it once for the folder (`files.sync_tree`).
    workers: processes; with more than one, a calling script needs the usual `if __name__ == "__main__"`.
    Returns the number of photos and of labelled persons.
    """
    draw = functools.partial(
        draw_photo,
        split=split,
        seed=seed,
        noise=noise,
        level=level,
        size=size,
        skeleton=skeleton,
        boxes=boxes,
        knees=knees,
    )
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    labelled = 0
    with process_map(workers) as run, progress_bar(persons, split, "person") as bar:
        while labelled < persons:
            expected = math.ceil((persons - labelled) / PERSONS_PER_PHOTO)
            numbers = range(len(images) + 1, len(images) + 1 + expected)
            for number, (jpeg, people) in zip(numbers, run(draw, numbers), strict=True):
                if labelled >= persons:
                    break
                name = f"{number:012d}.jpg"
                files.write_bytes(folder / split / name, jpeg, durable=False)
                images.append({"id": number, "file_name": name, "height": size[0], "width": size[1], "license": 1})
                for person in people:
                    annotations.append({"id": len(annotations) + 1, "image_id": number, **person})
                drawn = sum(person["num_keypoints"] > 0 for person in people)
                labelled += drawn
                bar.update(drawn)
    document = {
        "info": {"description": "kdcache demo data: rendered people", "version": "2"},
        "licenses": [LICENCE],
        "images": images,
        "annotations": annotations,
        "categories": [_category(skeleton)],
    }
    files.write_text(folder / "annotations" / f"person_keypoints_{split}.json", json.dumps(document))
    return {"photos": len(images), "persons": labelled}


def draw_photo(
    number: int,
    split: str,
    seed: int,
    noise: bool,
    level: str,
    size: tuple[int, int],
    skeleton: Skeleton,
    boxes: Boxes = "person",
    knees: Knees = "joint",
) -> tuple[bytes, list[dict[str, Any]]]:
    """Return photo `number` of a split as JPEG, and its annotations without their ids.

    boxes: around the person, or around the leg joints only; persons with a leg joint that is not labelled then are
    left out. knees: at the joint, or where they show the mechanical axis (knee_labels.py).
    """
    stream = (seed, SPLITS[split], number)
    scene = _scene(stream, level, size)
    exact = label(scene, skeleton)
    if knees == "axis":
        exact = {
            person: replace(one, keypoints=move_knees(one.keypoints, axis_of(scene.people[person]), skeleton))
            for person, one in exact.items()
            if not one.crowd
        }
    labels = [found for found in exact.values() if found.crowd or found.keypoints[:, 2].any()]
    if noise:
        rng = RandomStream(*stream, 1)
        labels = [one if one.crowd else _as_clicked(rng, one, skeleton) for one in labels]
    # The slow discrete cosine transform is the one that libjpeg-turbo computes alike with every instruction set.
    jpeg = simplejpeg.encode_jpeg(scene.photo, JPEG_QUALITY, "RGB", "420", fastdct=False)
    annotations = [as_annotation(one) for one in labels]
    if boxes == "legs":
        annotations = [
            {**annotation, "bbox": _leg_box(one, skeleton, size)}
            for annotation, one in zip(annotations, labels, strict=True)
            if not one.crowd and one.keypoints[_leg_joints(skeleton), 2].all()
        ]
    return jpeg, annotations


def _scene(stream: tuple[int, ...], level: str, size: tuple[int, int]) -> Scene:
    """Return the scene of a stream; of the level `standing`, legs of -15 to 15 degrees of varus, drawn evenly."""
    if level != STANDING:
        return sample_scene(RandomStream(*stream), LEVELS[level], size)
    angles = RandomStream(*stream, ANGLES_STREAM)
    left, right = (180 + angles.uniform(-LARGEST_DEVIATION, LARGEST_DEVIATION) for _ in range(2))
    return standing_scene(RandomStream(*stream), (left, right), size)[0]


def _leg_joints(skeleton: Skeleton) -> list[int]:
    """Return the joints of a skeleton that have a role in a leg."""
    return sorted(set(skeleton.joints_by_role().values()))


def _leg_box(one: Label, skeleton: Skeleton, size: tuple[int, int]) -> list[float]:
    joints = one.keypoints[None, _leg_joints(skeleton), :2].astype(np.float64)
    box: list[float] = leg_boxes(joints, *size)[0].tolist()
    return box


def _category(skeleton: Skeleton) -> dict[str, Any]:
    return {
        "id": 1,
        "name": "person",
        "supercategory": "person",
        "keypoints": list(skeleton.names),
        "skeleton": [[a + 1, b + 1] for a, b in skeleton.edges],
    }


def _as_clicked(rng: RandomStream, exact: Label, skeleton: Skeleton) -> Label:
    return Label(exact.mask, annotate(rng, exact.keypoints, exact.area, exact.mask.shape, skeleton))
