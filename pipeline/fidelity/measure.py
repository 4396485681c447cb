"""How near a cached heatmap, replayed in an augmented view, is to the live teacher's, and which of them is right.

Persons are seen in random views: zoom and rotation of the ViTPose recipe. In each view the teacher is asked anew
(`live`), and its stored heatmap of the plain crop is replayed as `warp` and as `peaks` (student/replay.py). All three
are decoded and compared with the labels. Only joints that are labelled and lie within the view count.
"""

from dataclasses import dataclass
from itertools import pairwise
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
from student.batches.augment import AugmentedViews, sample_views
from student.device import torch_device
from student.heatmaps.device_codec import DeviceCodec, decode_codes
from student.heatmaps.replay import ReplayMode, replay_maps
from student.heatmaps.targets import target_weight
from student.inference import Inference
from student.pose_network import PoseNetwork
from student.prediction import DEFAULT, decode_keypoints, read_crops
from student.settings import AugmentSettings

# ViTPose's zoom and rotation alone: a mirror or a shift changes nothing in how wide a peak is.
VIEWS = AugmentSettings(flip=0.0, half_body=0.0, shift=0.0)
MODES: tuple[ReplayMode, ...] = ("warp", "peaks")
ARMS = ("live", *MODES)
PEAK = 0.05  # cells count in the RMSE where the live teacher is above this, as in the codec's own error
ZOOMS = (0.0, 0.75, 1.25, np.inf)  # bounds of the bins; above 1 the view shows more than the plain crop


@dataclass(frozen=True)
class Example:
    """One person's view and maps, for the figure."""

    crop: NDArray[np.uint8]  # (H, W, 3)
    zoom: float
    maps: dict[str, NDArray[np.float32]]  # arm -> (17, h, w)
    oks: dict[str, float]


@dataclass(frozen=True)
class Measured:
    """What was measured of N persons; NaN where a joint or a person does not count."""

    zoom: NDArray[np.float64]  # (N,)
    joints: NDArray[np.bool_]  # (N, 17) labelled and in view
    squared: dict[str, NDArray[np.float64]]  # mode -> (N, 17) sum of squared differences from live, at its peaks
    cells: NDArray[np.int64]  # (N, 17) number of cells in those sums
    cosine: dict[str, NDArray[np.float64]]  # mode -> (N, 17) between replayed and live map
    oks: dict[str, NDArray[np.float64]]  # arm -> (N,)


def measure(
    store: HeatmapStore,
    teacher: PoseNetwork,
    images: Path,
    *,
    rows: int = 400,
    seed: int = 0,
    inference: Inference = DEFAULT,
    examples: int = 4,
) -> tuple[dict[str, Any], list[Example]]:
    """The report (a JSON-able dict) and example persons from `rows` random rows of a store.

    teacher: the one that made the store, averaged with its mirror where the store's is.
    inference: of the replays; its `flip` has no effect, because the teacher is as the store's.
    Raises CacheMismatch where the teacher is another, FileNotFoundError where photos are missing.
    """
    if teacher.digest != store.spec.teacher.digest:
        raise CacheMismatch(
            f"{store.url} was made by another teacher:\n"
            f"  teacher.name: found {store.spec.teacher.name}, expected {teacher.name}\n"
            f"  teacher.digest: found {store.spec.teacher.digest[:16]}, expected {teacher.digest[:16]}\n"
            "Give the teacher that made the store: `kdcache info` names it."
        )
    chosen = np.sort(np.random.default_rng(seed).permutation(store.rows)[:rows])
    views = _views(store, chosen, seed)
    persons, size = store.instances.take(chosen), store.spec.frame.input_size
    photos = [images / name for name in persons.file_name]
    photo_sizes = [(int(h), int(w)) for h, w in persons.image_size]
    joints = _joints_in_view(store, chosen, _cell_to_image(store, views))
    shown = _spread(views.zoom, joints.sum(1), examples)
    parts, kept = [], []
    replay_device = torch_device(inference.device)
    crops = read_crops(photos, views.crop_to_image, size, workers=inference.workers, photo_sizes=photo_sizes)
    with progress_bar(len(chosen), "fidelity", "person") as bar:
        for start in range(0, len(chosen), inference.batch_size):
            part = np.arange(start, min(start + inference.batch_size, len(chosen)))
            batch = np.stack([next(crops) for _ in part])
            maps = {
                "live": np.asarray(teacher(batch), np.float32),
                **_replays(store, chosen, views, part, replay_device),
            }
            parts.append(
                _compare(store, chosen[part], _cell_to_image(store, views)[part], views.zoom[part], maps, replay_device)
            )
            for i in sorted(shown.intersection(part.tolist())):
                oks = {arm: float(parts[-1].oks[arm][i - start]) for arm in ARMS}
                one = {arm: arm_maps[i - start] for arm, arm_maps in maps.items()}
                kept.append(Example(batch[i - start], float(views.zoom[i]), one, oks))
            bar.update(len(part))
    return _report(store, _joined(parts), seed), sorted(kept, key=lambda example: example.zoom)


def _views(store: HeatmapStore, rows: NDArray[np.int64], seed: int) -> AugmentedViews:
    persons, frame = store.instances.take(rows), store.spec.frame
    return sample_views(
        persons.box, persons.keypoints, persons.visibility, rows, VIEWS, seed=seed,
        input_size=frame.input_size, frame=frame.name, padding=frame.padding,
    )  # fmt: skip


def _cell_to_image(store: HeatmapStore, views: AugmentedViews) -> Matrix:
    return compose(store.cell_to_crop, views.crop_to_image)


def _replays(
    store: HeatmapStore, rows: NDArray[np.int64], views: AugmentedViews, part: NDArray[np.int64], device: torch.device
) -> dict[str, NDArray[np.float32]]:
    """The stored maps of `part` of the rows in their views, by each mode."""
    frame = store.spec.frame
    to_stored = compose(invert(store.crop_to_image[rows[part]]), invert(store.cell_to_crop))
    matrix = torch.from_numpy(compose(_cell_to_image(store, views)[part], to_stored)).to(device)
    maps = decode_codes(torch.from_numpy(store.read_codes(rows[part])).to(device), DeviceCodec.of(store.codec, device))
    flipped = torch.from_numpy(views.flipped[part]).to(device)
    sigmas = {"teacher_sigma": frame.sigma, "student_sigma": frame.sigma}
    return {m: replay_maps(maps, matrix, flipped, frame.heatmap_size, m, **sigmas).cpu().numpy() for m in MODES}


def _joints_in_view(store: HeatmapStore, rows: NDArray[np.int64], cell_to_image: Matrix) -> NDArray[np.bool_]:
    """(N, 17): labelled, and on a cell of the view's heatmap."""
    xy_cells = torch.from_numpy(apply(invert(cell_to_image), store.instances.keypoints[rows]))
    visibility = torch.from_numpy(store.instances.visibility[rows])
    return target_weight(xy_cells, visibility, store.spec.frame.heatmap_size).numpy() > 0


def _spread(zoom: NDArray[np.float64], joints: NDArray[np.int64], count: int) -> set[int]:
    """Places of `count` persons for the figure, from nearest to farthest view, of those that show much of a body."""
    well_seen = np.flatnonzero(joints >= np.quantile(joints, 0.6))
    by_zoom = well_seen[np.argsort(zoom[well_seen], kind="stable")]
    return set(by_zoom[np.linspace(0, len(by_zoom) - 1, count).astype(int)].tolist())


def _compare(
    store: HeatmapStore,
    rows: NDArray[np.int64],
    cell_to_image: Matrix,
    zoom: NDArray[np.float64],
    maps: dict[str, NDArray[np.float32]],
    device: torch.device,
) -> Measured:
    persons, joints = store.instances.take(rows), _joints_in_view(store, rows, cell_to_image)
    live = maps["live"].reshape(*joints.shape, -1)
    peak = live > PEAK
    squared: dict[str, NDArray[np.float64]] = {}
    cosine: dict[str, NDArray[np.float64]] = {}
    for mode in MODES:
        replayed = maps[mode].reshape(*joints.shape, -1)
        squared[mode] = np.where(joints, ((replayed - live) ** 2 * peak).sum(-1), np.nan)
        lengths = np.linalg.norm(replayed, axis=-1) * np.linalg.norm(live, axis=-1)
        cosine[mode] = np.where(joints, (replayed * live).sum(-1) / np.maximum(lengths, 1e-9), np.nan)
    oks = {
        arm: similarity(
            decode_keypoints(maps[arm], cell_to_image, device)[..., :2], persons.keypoints, persons.area, joints
        )
        for arm in ARMS
    }
    return Measured(zoom, joints, squared, peak.sum(-1) * joints, cosine, oks)


def _joined(parts: list[Measured]) -> Measured:
    def together(name: str) -> dict[str, NDArray[np.float64]]:
        return {key: np.concatenate([getattr(p, name)[key] for p in parts]) for key in getattr(parts[0], name)}

    zoom, joints, cells = (np.concatenate([getattr(p, n) for p in parts]) for n in ("zoom", "joints", "cells"))
    return Measured(zoom, joints, together("squared"), cells, together("cosine"), together("oks"))


def _report(store: HeatmapStore, measured: Measured, seed: int) -> dict[str, Any]:
    bins = [
        {"zoom": [low, None if np.isinf(high) else high], **_summary(measured, inside)}
        for low, high in pairwise(ZOOMS)
        if (inside := (measured.zoom >= low) & (measured.zoom < high)).any()
    ]
    teacher = store.spec.teacher
    return {
        "store": store.url,
        "teacher": {"name": teacher.name, "digest": teacher.digest, "flip": teacher.flip},
        "codec": store.codec.name,
        "views": VIEWS.model_dump(mode="json"),
        "seed": seed,
        **_summary(measured, np.ones(len(measured.zoom), bool)),
        "by_zoom": bins,
    }


def _summary(measured: Measured, rows: NDArray[np.bool_]) -> dict[str, Any]:
    """Numbers of some rows: RMSE over all cells at live peaks, median cosine of joints, mean OKS of persons."""
    judged = rows & measured.joints.any(1)
    arms: dict[str, Any] = {}
    for arm in ARMS:
        oks = measured.oks[arm][judged]
        arms[arm] = {"oks": _mean(oks)}
        if arm == "live":
            continue
        gain = oks - measured.oks["live"][judged]
        cells = measured.cells[judged].sum()
        arms[arm] |= {
            "rmse_at_peaks": float(np.sqrt(np.nansum(measured.squared[arm][judged]) / cells)) if cells else None,
            "cosine_median": float(np.nanmedian(measured.cosine[arm][judged])) if judged.any() else None,
            "oks_over_live": _mean(gain),
            "oks_over_live_standard_error": float(gain.std(ddof=1) / np.sqrt(len(gain))) if len(gain) > 1 else None,
        }
    return {"persons": int(judged.sum()), "joints": int(measured.joints[judged].sum()), "arms": arms}


def _mean(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if len(values) else None
