"""Scenes -> photos and a COCO keypoint file."""

import contextlib
import functools
import json
import math
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import simplejpeg

from cache_tools.coco import KEYPOINTS, SKELETON
from cache_tools.progress import progress_bar
from pipeline.demo.annotator import annotate
from pipeline.demo.labels import Label, label, polygons, run_lengths
from pipeline.demo.random_stream import RandomStream
from pipeline.demo.scene import LEVELS, sample_scene

SPLITS = {"train": 1, "val": 2}  # seed streams: no split depends on the size or the seed of another
JPEG_QUALITY = 92
PERSONS_PER_PHOTO = 1.5  # a guess from above, so that the last photos are not drawn in vain
CATEGORY = {
    "id": 1,
    "name": "person",
    "supercategory": "person",
    "keypoints": list(KEYPOINTS),
    "skeleton": [[a + 1, b + 1] for a, b in SKELETON],
}
LICENCE = {"id": 1, "name": "CC0 1.0", "url": "https://creativecommons.org/publicdomain/zero/1.0/"}


def write_split(
    folder: Path,
    split: str,
    persons: int,
    seed: int,
    *,
    noise: bool = False,
    level: str = "easy",
    size: tuple[int, int] = (240, 320),
    workers: int = 1,
) -> dict[str, int]:
    """Write `folder/split/*.jpg` and, last, `folder/annotations/person_keypoints_<split>.json`.

    Photos of `size` (height, width) are drawn until they show `persons` labelled persons. They depend on seed, split,
    level and size alone; `noise` adds an annotator's errors to the keypoints. workers: processes; with more than one, a
    calling script needs the usual `if __name__ == "__main__"`. Returns the number of photos and of labelled persons.
    """
    draw = functools.partial(draw_photo, split=split, seed=seed, noise=noise, level=level, size=size)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    labelled = 0
    (folder / split).mkdir(parents=True, exist_ok=True)
    with _mapper(workers) as run, progress_bar(persons, split, "person") as bar:
        while labelled < persons:
            expected = math.ceil((persons - labelled) / PERSONS_PER_PHOTO)
            numbers = range(len(images) + 1, len(images) + 1 + expected)
            for number, (jpeg, people) in zip(numbers, run(draw, numbers), strict=True):
                if labelled >= persons:
                    break
                name = f"{number:012d}.jpg"
                (folder / split / name).write_bytes(jpeg)
                images.append({"id": number, "file_name": name, "height": size[0], "width": size[1], "license": 1})
                for person in people:
                    annotations.append({"id": len(annotations) + 1, "image_id": number, **person})
                drawn = sum(person["num_keypoints"] > 0 for person in people)
                labelled += drawn
                bar.update(drawn)
    _write_json(
        folder / "annotations" / f"person_keypoints_{split}.json",
        {
            "info": {"description": "kdcache demo data: rendered people", "version": "1"},
            "licenses": [LICENCE],
            "images": images,
            "annotations": annotations,
            "categories": [CATEGORY],
        },
    )
    return {"photos": len(images), "persons": labelled}


def draw_photo(
    number: int, split: str, seed: int, noise: bool, level: str, size: tuple[int, int]
) -> tuple[bytes, list[dict[str, Any]]]:
    """Photo `number` of a split as JPEG, and its annotations without their ids."""
    stream = (seed, SPLITS[split], number)
    scene = sample_scene(RandomStream(*stream), LEVELS[level], size)
    labels = [found for found in label(scene).values() if found.crowd or found.keypoints[:, 2].any()]
    if noise:
        rng = RandomStream(*stream, 1)
        labels = [one if one.crowd else _as_clicked(rng, one) for one in labels]
    # The slow discrete cosine transform is the one that libjpeg-turbo computes alike with every instruction set.
    jpeg = simplejpeg.encode_jpeg(scene.photo, JPEG_QUALITY, "RGB", "420", fastdct=False)
    return jpeg, [as_annotation(one) for one in labels]


def _as_clicked(rng: RandomStream, exact: Label) -> Label:
    return Label(exact.mask, annotate(rng, exact.keypoints, exact.area, exact.mask.shape))


def as_annotation(found: Label) -> dict[str, Any]:
    """A label as COCO's annotation, without ids."""
    visibility = found.keypoints[:, 2].astype(int)
    xy = found.keypoints[:, :2].round(2).tolist()
    return {
        "category_id": 1,
        "iscrowd": int(found.crowd),
        "bbox": list(found.box),
        "area": found.area,
        "num_keypoints": int((visibility > 0).sum()),
        "keypoints": [value for (x, y), v in zip(xy, visibility.tolist(), strict=True) for value in (x, y, v)],
        "segmentation": run_lengths(found.mask) if found.crowd else polygons(found.mask),
    }


@contextlib.contextmanager
def _mapper(workers: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """`map` over this many processes, in order. Spawned, not forked: the caller may hold threads or a GPU."""
    if workers == 1:
        yield map
        return
    executor = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _start_worker)
    try:
        yield functools.partial(executor.map, chunksize=8)
    finally:
        executor.shutdown(cancel_futures=True)


def _start_worker() -> None:
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A killed parent cannot tell its workers, which would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content))
    os.replace(temporary, path)
