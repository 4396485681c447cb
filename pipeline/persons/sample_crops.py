"""Crops of some persons, of a store or rendered, to check and to calibrate an exported file with."""

import logging
from pathlib import Path

import numpy as np

from cache_tools.geometry import crop_to_image
from cache_tools.images import cut
from cache_tools.store.writer import HeatmapStore
from pipeline.demo.standing import make_standing
from student.batches.pixel_source import PixelSource
from student.pose_network import Crops
from student.run_record import read_record
from student.settings import STUDENT_FRAME

logger = logging.getLogger(__name__)
#: height, width of the photos of rendered persons
RENDERED_SIZE = (240, 320)


def stored_crops(store: HeatmapStore, count: int, input_size: tuple[int, int]) -> Crops:
    """Return crops (n, H, W, 3) of at most `count` persons, evenly sampled from a store that holds crops."""
    rows = np.unique(np.linspace(0, store.rows - 1, count).astype(np.int64))
    crops = np.zeros((len(rows), *input_size, 3), np.uint8)
    PixelSource(store).cut(rows, [(crop_to_image(store.instances.box[rows], STUDENT_FRAME, input_size), crops)])
    return crops


def rendered_crops(count: int, input_size: tuple[int, int]) -> Crops:
    """Return crops (count, H, W, 3) of rendered persons."""
    people = [make_standing(seed, size=RENDERED_SIZE) for seed in range(count)]
    boxes = np.array([one.label.box for one in people])
    to_image = crop_to_image(boxes, STUDENT_FRAME, input_size)
    return np.stack([cut(one.image, matrix, input_size) for one, matrix in zip(people, to_image, strict=True)])


def training_store(run: Path) -> HeatmapStore | None:
    """Return the first store with crops that a run was trained from and that still opens; None where there is none.

    Only stores on this machine: run.json may come from somebody else, and what it names is fetched only where
    --store gives it.
    """
    for teacher in read_record(run).teachers:
        url = teacher.get("store")
        if not isinstance(url, str):
            continue
        if "://" in url:
            logger.warning("%s/run.json names the store %.200s: give it as --store to connect to it", run, url)
            continue
        try:
            store = HeatmapStore.open(url)
        except (OSError, ValueError):
            # moved, deleted, unfinished, or on a server that does not answer
            continue
        if store.spec.crops is not None:
            return store
    return None
