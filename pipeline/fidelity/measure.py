"""Measure how near a cached heatmap, replayed in an augmented view, is to the live teacher's, and which is right.

Persons are seen in random views: zoom and rotation of the ViTPose recipe. In each view the teacher is run (`live`),
and its stored heatmap of the plain crop is replayed as `warp` and as `peaks` (student/heatmaps/replay.py). All three
are decoded and compared with the labels. Only joints that are labelled and lie within the view count.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cache_tools.geometry import Matrix, apply, compose, invert
from cache_tools.progress import progress_bar
from cache_tools.store.spec import CacheMismatch
from cache_tools.store.writer import HeatmapStore
from pipeline.evaluation.oks import similarity
from pipeline.fidelity.scores import ARMS, MODES, Scores, summarize_scores
from student.batches.augment import AugmentedViews, sample_views
from student.device import torch_device
from student.heatmaps.device_codec import DeviceCodec, decode_codes
from student.heatmaps.replay import replay_maps
from student.heatmaps.targets import target_weight
from student.inference import Inference
from student.network_output import heatmaps_of
from student.pose_network import PoseNetwork
from student.prediction import DEFAULT, decode_keypoints, read_crops
from student.settings import AugmentSettings

#: ViTPose's zoom and rotation only: a mirror or a shift does not change how wide a peak is
VIEW_SETTINGS = AugmentSettings(flip=0.0, half_body=0.0, shift=0.0)
#: of joints in view: examples are persons at or above it
WELL_SEEN_QUANTILE = 0.6


@dataclass(frozen=True)
class Example:
    """One person's view and heatmaps, for the figure."""

    #: (H, W, 3)
    crop: NDArray[np.uint8]
    zoom: float
    #: arm -> (17, h, w)
    maps: dict[str, NDArray[np.float32]]
    #: by arm
    oks: dict[str, float]


def measure_fidelity(
    store: HeatmapStore,
    teacher: PoseNetwork,
    images: Path,
    *,
    rows: int = 400,
    seed: int = 0,
    inference: Inference = DEFAULT,
    examples: int = 4,
) -> tuple[dict[str, Any], list[Example]]:
    """Return the report, ready for JSON, and example persons from `rows` random rows of a store.

    teacher: the one that made the store, averaged with its mirror where the store's is.
    inference: of the replays; its `flip` has no effect, because the teacher is as the store's.
    Raises CacheMismatch where the teacher is another, FileNotFoundError where photos are missing.
    """
    _check_teacher(store, teacher)
    chosen = np.sort(np.random.default_rng(seed).permutation(store.rows)[:rows])
    persons, device = store.instances.take(chosen), torch_device(inference.device)
    views = _sample(store, chosen, seed)
    cell_to_image = compose(store.cell_to_crop, views.crop_to_image)
    joints = _joints_in_view(store, chosen, cell_to_image)
    shown = _sample_evenly(views.zoom, joints.sum(1), examples)
    parts, kept = [], []
    crops = read_crops(
        [images / name for name in persons.file_name],
        views.crop_to_image,
        store.spec.frame.input_size,
        workers=inference.workers,
        photo_sizes=[(int(height), int(width)) for height, width in persons.image_size],
        photo_options=store.spec.photos,
    )
    sigmas = store.spec.skeleton.oks_sigmas()[0]
    with progress_bar(len(chosen), "fidelity", "person") as bar:
        for start in range(0, len(chosen), inference.batch_size):
            part = slice(start, min(start + inference.batch_size, len(chosen)))
            batch = np.stack([next(crops) for _ in range(part.start, part.stop)])
            maps = _replays(store, chosen[part], cell_to_image[part], views.flipped[part], device)
            maps["live"] = heatmaps_of(teacher, batch, finite=True)
            oks = {}
            for arm in ARMS:
                xy = decode_keypoints(maps[arm], cell_to_image[part], device)[..., :2]
                oks[arm] = similarity(xy, persons.keypoints[part], persons.area[part], joints[part], sigmas=sigmas)
            parts.append(Scores.compare(maps, oks, joints[part], views.zoom[part]))
            for i in sorted(shown.intersection(range(part.start, part.stop))):
                example_maps = {arm: maps[arm][i - start] for arm in ARMS}
                example_oks = {arm: float(oks[arm][i - start]) for arm in ARMS}
                kept.append(Example(batch[i - start], float(views.zoom[i]), example_maps, example_oks))
            bar.update(len(batch))
    spec = store.spec.teacher
    report = {
        "store": store.url,
        "teacher": {"name": spec.name, "digest": spec.digest, "flip": spec.flip},
        "codec": store.codec.name,
        "views": VIEW_SETTINGS.model_dump(mode="json"),
        "seed": seed,
        **summarize_scores(Scores.concatenate(parts)),
    }
    return report, sorted(kept, key=lambda example: example.zoom)


def _check_teacher(store: HeatmapStore, teacher: PoseNetwork) -> None:
    """Raise CacheMismatch where another teacher made the store."""
    spec = store.spec.teacher
    if teacher.digest != spec.digest:
        raise CacheMismatch(
            f"{store.url} was made by another teacher:\n"
            f"  teacher.name: found {spec.name}, expected {teacher.name}\n"
            f"  teacher.digest: found {spec.digest[:16]}, expected {teacher.digest[:16]}\n"
            "Give the teacher that made the store: `kdcache info` names it."
        )


def _sample(store: HeatmapStore, rows: NDArray[np.int64], seed: int) -> AugmentedViews:
    """Draw a random view of each row's person."""
    persons, frame = store.instances.take(rows), store.spec.frame
    return sample_views(
        persons.box, persons.keypoints, persons.visibility, rows, VIEW_SETTINGS,
        skeleton=store.spec.skeleton, seed=seed,
        input_size=frame.input_size, frame=frame.name, padding=frame.padding,
    )  # fmt: skip


def _replays(
    store: HeatmapStore,
    rows: NDArray[np.int64],
    cell_to_image: Matrix,
    flipped: NDArray[np.bool_],
    device: torch.device,
) -> dict[str, NDArray[np.float32]]:
    """Return the stored heatmaps (B, 17, h, w) of rows, replayed by each mode in the views with these matrices."""
    frame = store.spec.frame
    to_stored = compose(invert(store.crop_to_image[rows]), invert(store.cell_to_crop))
    matrix = torch.from_numpy(compose(cell_to_image, to_stored)).to(device)
    maps = decode_codes(torch.from_numpy(store.read_codes(rows)).to(device), DeviceCodec.of(store.codec, device))
    mirrored = torch.from_numpy(flipped).to(device)
    sigmas = {"teacher_sigma": frame.sigma, "student_sigma": frame.sigma}
    mirror = store.spec.skeleton.mirror
    return {
        mode: replay_maps(maps, matrix, mirrored, frame.heatmap_size, mode, mirror=mirror, **sigmas).cpu().numpy()
        for mode in MODES
    }


def _joints_in_view(store: HeatmapStore, rows: NDArray[np.int64], cell_to_image: Matrix) -> NDArray[np.bool_]:
    """Return (N, 17): whether a joint is labelled and on a cell of the view's heatmap."""
    xy_cells = torch.from_numpy(apply(invert(cell_to_image), store.instances.keypoints[rows]))
    visibility = torch.from_numpy(store.instances.visibility[rows])
    return target_weight(xy_cells, visibility, store.spec.frame.heatmap_size).numpy() > 0


def _sample_evenly(zoom: NDArray[np.float64], joints: NDArray[np.int64], count: int) -> set[int]:
    """Return the indices of `count` persons, from nearest to farthest view, of those that show much of a body."""
    well_seen = np.flatnonzero(joints >= np.quantile(joints, WELL_SEEN_QUANTILE))
    by_zoom = well_seen[np.argsort(zoom[well_seen], kind="stable")]
    return set(by_zoom[np.linspace(0, len(by_zoom) - 1, count).astype(int)].tolist())
