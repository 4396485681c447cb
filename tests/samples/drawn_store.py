"""Photos on which every joint is a disc of its own colour, and stores of them: a test can see which joint is where."""

import colorsys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from cache_tools.crops import ENCODING, CropPolicy, encode_crop
from cache_tools.geometry import apply, cell_to_crop, compose, invert
from cache_tools.images import read_image
from cache_tools.instances import Instances
from cache_tools.skeletons import COCO, Skeleton
from cache_tools.store.crops_spec import CropsSpec
from cache_tools.store.spec import FrameSpec, TeacherSpec, make_spec
from cache_tools.store.writer import HeatmapStore
from student.augment_recipes import recipe
from student.batches.augment import sample_views
from student.batches.loader import Batch, TrainLoader
from student.batches.stream import StreamSettings
from student.settings import StudentSettings
from tests.samples.coco_joints import MIRROR
from tests.samples.gaussian_maps import gaussian_maps

INPUT, CELLS = (128, 96), (32, 24)
ROWS = 40
COLOURS = np.round([np.multiply(255, colorsys.hsv_to_rgb(joint / 17, 1, 1)) for joint in range(17)]).astype(int)  # RGB
STREAM = StreamSettings(
    input_size=INPUT,
    heatmap_size=CELLS,
    sigma=1.5,
    augment=recipe("vitpose"),
    replay="peaks",
    live=False,
    batch_size=8,
    epochs=1,
    seed=3,
    max_rows=None,
)
FRAME = FrameSpec("stride", INPUT, CELLS, sigma=1.5)


def draw_photos(folder: Path, rows: int, seed: int = 0) -> Instances:
    """Draw `rows` photos of 300x240 with one person each, as PNG; return their table."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    box = np.tile([60.0, 50.0, 120.0, 190.0], (rows, 1)) + rng.uniform(-10, 10, (rows, 4))
    grid = np.array([(x, y) for y in np.linspace(0.1, 0.9, 6) for x in (0.15, 0.5, 0.85)])  # discs do not touch
    in_box = np.stack([rng.permutation(grid)[:17] for _ in range(rows)]) + rng.uniform(-0.03, 0.03, (rows, 17, 2))
    keypoints = box[:, None, :2] + in_box * box[:, None, 2:]
    for row in range(rows):
        photo = np.full((300, 240, 3), 40, np.uint8)
        for joint, (x, y) in enumerate(keypoints[row]):
            colour = [int(c) for c in COLOURS[joint, ::-1]]
            cv2.circle(photo, (round(x * 16), round(y * 16)), 7 * 16, colour, -1, cv2.LINE_AA, shift=4)
        cv2.imwrite(str(folder / f"{row:03d}.png"), photo)
    return Instances(
        annotation_id=np.arange(rows),
        image_id=np.arange(rows),
        box=box,
        area=box[:, 2] * box[:, 3],
        keypoints=keypoints,
        visibility=np.full((rows, 17), 2, np.uint8),
        image_size=np.tile(np.array([300, 240], np.int32), (rows, 1)),
        file_name=tuple(f"{row:03d}.png" for row in range(rows)),
    )


def write_store(
    url: Path,
    photos: Path,
    table: Instances,
    *,
    crops: bool = True,
    views: int = 0,
    scale: float = 1.0,
    frame: FrameSpec = FRAME,
    joints: tuple[str | None, ...] | None = None,
    encoding: int = ENCODING,
    **fields: Any,
) -> HeatmapStore:
    """Write a finished store of the exact heatmaps, times `scale`.

    joints: the teacher's name of each joint, None where it does not know it.
    """
    policy = CropPolicy(input_size=INPUT, quality=95, encoding=encoding)
    defaults: dict[str, Any] = {"codec": "exact8", "shard_rows": 16, "chunk_rows": 8}
    spec = make_spec(
        table,
        TeacherSpec(f"exact x {scale:g}", "0" * 64, "CC0-1.0", joints=joints),
        skeleton=COCO,
        frame=frame,
        crops=CropsSpec.of(policy) if crops else None,
        views=views,
        **defaults | fields,
    )
    store = HeatmapStore.create(url, spec, table)
    for shard in store.pending():
        rows = np.array(store.shard_rows(shard))
        images = [read_image(photos / table.file_name[row]) for row in rows]
        stored = [encode_crop(image, table.box[row], policy) for image, row in zip(images, rows, strict=True)]
        xy = apply(invert(compose(store.cell_to_crop, store.crop_to_image[rows])), table.keypoints[rows])
        content = store.new_shard(shard)
        content.add(rows, scale * gaussian_maps(xy, frame.heatmap_size, frame.sigma), stored if crops else None)
        if views:
            content.add_views(rows, *_views(store, table, rows, views))
        store.write_shard(content)
    store.finalize()
    return HeatmapStore.open(url)


def _views(
    store: HeatmapStore, table: Instances, rows: NDArray[np.int64], count: int
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_]]:
    """Return the exact heatmaps of `count` random views a person, their crop_to_image and whether they are flipped."""
    matrices, flips, maps = [], [], []
    for k in range(count):
        view = sample_views(
            table.box[rows], table.keypoints[rows], table.visibility[rows], rows, recipe("vitpose"),
            skeleton=COCO, seed=99 + k, input_size=INPUT, frame="stride",
        )  # fmt: skip
        xy = apply(invert(compose(store.cell_to_crop, view.crop_to_image)), table.keypoints[rows])
        xy[view.flipped] = xy[view.flipped][:, MIRROR]
        matrices.append(view.crop_to_image)
        flips.append(view.flipped)
        maps.append(gaussian_maps(xy, CELLS, FRAME.sigma))
    return np.stack(maps, 1), np.stack(matrices, 1), np.stack(flips, 1)


def take_batches(
    store: HeatmapStore, settings: StreamSettings = STREAM, start: int = 0, stop: int = 5, **more: Any
) -> list[Batch]:
    """Return batches `start` to `stop` - 1 of a loader of one store."""
    with TrainLoader([store], settings, **more) as loader:
        return list(loader.batches(start, stop))


class ColourTeacher:
    """A live teacher that finds the discs by their colour; on the plain crop it equals the exact maps."""

    name, digest, licence = "colours", "1" * 64, "CC0-1.0"
    joints: tuple[str | None, ...] | None = None

    def __init__(
        self,
        frame: str = "stride",
        input_size: tuple[int, int] = INPUT,
        heatmap_size: tuple[int, int] = CELLS,
        sigma: float = 1.5,
        skeleton: Skeleton | None = COCO,
        colours: NDArray[np.int64] = COLOURS,
    ) -> None:
        """Find discs of `colours` (K, 3), those of the joints of `skeleton`."""
        self.skeleton, self.colours = skeleton, colours
        self.frame, self.input_size, self.heatmap_size, self.sigma = frame, input_size, heatmap_size, sigma

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return maps (B, K, h, w) with a peak at the middle of each colour.

        It names a mirrored person's joints by their colours: left and right are not exchanged.
        """
        near = np.abs(crops[:, None].astype(int) - self.colours[:, None, None]).sum(-1) < 60  # (B, K, H, W)
        y, x = np.mgrid[: crops.shape[1], : crops.shape[2]]
        count = np.maximum(near.sum((2, 3)), 1e-9)
        xy_crop = np.stack([(near * x).sum((2, 3)) / count, (near * y).sum((2, 3)) / count], -1)
        in_view = near.sum((2, 3)) >= 12
        xy_crop[~in_view] = -1000
        crop_to_cell = invert(cell_to_crop(self.frame, self.input_size, self.heatmap_size))
        return gaussian_maps(apply(crop_to_cell, xy_crop), self.heatmap_size, self.sigma)


def live_teacher(device: str) -> ColourTeacher:
    """Return a live teacher for `settings`, as the reference `tests.samples.drawn_store:live_teacher`."""
    return ColourTeacher("udp", (64, 64), (16, 16))


def quick_settings(name: str = "a", **changes: Any) -> StudentSettings:
    """Return settings of a network that learns in seconds; `train__epochs=1` sets train.epochs."""
    tree: dict[str, Any] = {
        "name": name,
        "model": {
            "backbone": "timm:resnet10t",
            "backbone_options": {"channels": [8, 8, 16, 16], "stem_width": 8, "drop_path_rate": 0.1},
            "head": "lateral",
            "head_channels": 16,
            "weights": "none",
            "input_size": (64, 64),
            "sigma": 1.5,
        },
        "augment": "light",
        "train": {"epochs": 4, "batch_size": 8, "lr": 2e-3, "warmup_epochs": 0.5, "log_steps": 4, "workers": 1},
    }
    for path, value in changes.items():
        branch = tree
        *parents, leaf = path.split("__")
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[leaf] = value
    return StudentSettings.model_validate(tree)


def teacher_maps(batch: Batch) -> torch.Tensor:
    """Return the batch's teacher maps, which must be there."""
    assert batch.teacher_maps is not None
    return batch.teacher_maps


def tensors(batch: Batch) -> tuple[torch.Tensor, ...]:
    """Return everything of a batch that training uses."""
    return batch.images, batch.targets, batch.target_weight, teacher_maps(batch)


def equal(one: Batch, other: Batch) -> bool:
    """Return whether two batches are the same bit for bit."""
    return all(torch.equal(a, b) for a, b in zip(tensors(one), tensors(other), strict=True))
