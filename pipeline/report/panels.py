"""Heatmaps side by side (paper, figure 3) and poses on photos (figure 4)."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cache_tools.geometry import Matrix, apply, compose, crop_to_image, invert
from cache_tools.images import Image, read_image
from pipeline.evaluation.oks import similarity
from pipeline.persons.subjects import Subjects
from pipeline.report.overlay import draw_pose
from student.device import torch_device
from student.heatmaps.targets import render_targets
from student.inference import Inference
from student.pose_network import PoseNetwork
from student.prediction import decode_keypoints, heatmap_batches, predict, read_crops

if TYPE_CHECKING:
    from cache_tools.store.writer import HeatmapStore

SHOWN = (256, 192)  # height, width of every cell of the panel: the crop in the udp frame, whatever a network's own is
TRUTH_SIGMA = 2.0 * 4  # pixels of such a cell: sigma 2 of the paper at stride 4
JOINT_THRESHOLD = 0.2
BATCH = 32  # persons that a network looks at together
PHOTO_HEIGHT, MOSAIC_WIDTH, GAP = 360, 1600, 8  # pixels


@dataclass(frozen=True)
class Column:
    """What one network, or one store, sees of the subjects."""

    title: str
    maps: NDArray[np.float32]  # (N, 17, h, w)
    cell_to_image: Matrix  # (N, 2, 3)


def network_column(network: PoseNetwork, title: str, subjects: Subjects, *, flip: bool = False) -> Column:
    """The heatmaps that a network makes now."""
    inference = Inference(flip=flip, batch_size=BATCH)
    batches = list(heatmap_batches(network, subjects.photo, subjects.box, inference, upright=subjects.upright))
    maps, cell_to_image = [batch.maps for batch in batches], [batch.cell_to_image for batch in batches]
    return Column(title, np.concatenate(maps), np.concatenate(cell_to_image))


def store_column(store: "HeatmapStore", title: str, subjects: Subjects) -> Column:
    """The heatmaps that a store holds of annotated subjects; ValueError when it does not hold them."""
    if subjects.truth is None:
        raise ValueError("a store knows its persons by their annotations: give --annotations")
    row_of = {number: row for row, number in enumerate(store.instances.annotation_id.tolist())}
    wanted = subjects.truth.annotation_id.tolist()
    if absent := [number for number in wanted if number not in row_of]:
        raise ValueError(
            f"the store holds {store.rows} persons, but not those of the annotations {', '.join(map(str, absent))}: "
            "show persons of the annotation file that it was built from"
        )
    rows = np.array([row_of[number] for number in wanted])
    return Column(title, store.read(rows), compose(store.cell_to_crop, store.crop_to_image[rows]))


def heatmap_panel(subjects: Subjects, columns: Sequence[Column], *, device: str = "auto") -> Figure:
    """A row a person: photo, ground truth where there is one, then every column: its maps, its joints and its OKS.

    device: where heatmaps are decoded.
    """
    truth = subjects.truth
    titles = ["photo", *(["ground truth"] if truth else []), *(column.title for column in columns)]
    shown_to_image = crop_to_image(subjects.box, "udp", SHOWN)
    crops = list(read_crops(subjects.photo, shown_to_image, SHOWN, upright=subjects.upright))
    decode_on = torch_device(device)
    found = [decode_keypoints(column.maps, column.cell_to_image, decode_on) for column in columns]  # each (N, 17, 3)
    figure = Figure(figsize=(0.25 + 1.35 * len(titles), 2.0 * len(subjects) + 0.25), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02)  # type: ignore[union-attr, call-arg]
    grid = figure.subplots(len(subjects), len(titles), squeeze=False)
    for row, crop in enumerate(crops):
        from_image = invert(shown_to_image[row])
        cells = iter(grid[row])
        _show(next(cells), crop, "")
        if truth is not None:
            xy, labelled = apply(from_image, truth.keypoints[row]), truth.visibility[row] > 0
            target = render_targets(torch.from_numpy(xy[labelled][None]), SHOWN, TRUTH_SIGMA)[0].numpy()
            _show(next(cells), tinted(crop, target), f"{labelled.sum()} joints", xy[labelled])
        for column, poses in zip(columns, found, strict=True):
            to_shown = compose(column.cell_to_image[row], from_image)
            xy, sure = apply(from_image, poses[row, :, :2]), poses[row, :, 2] > JOINT_THRESHOLD
            note = f"{sure.sum()} joints"
            if truth is not None:
                oks = similarity(poses[row, :, :2], truth.keypoints[row], truth.area[row], truth.visibility[row])
                note = f"OKS {oks:.2f}"
            _show(next(cells), tinted(crop, column.maps[row], to_shown), note, xy[sure])
        grid[row, 0].set_ylabel(subjects.titles[row], fontsize=7)
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title, fontsize=8)
    return figure


def tinted(crop: Image, maps: NDArray[np.float32], map_to_crop: Matrix | None = None) -> Image:
    """The crop in dark grey, lit by the highest of its maps (K, h, w): brightness alone tells the height."""
    height = np.asarray(maps).max(0, initial=0).clip(0, 1).astype(np.float32)
    if map_to_crop is not None:
        height = cv2.warpAffine(height, map_to_crop, SHOWN[::-1], flags=cv2.INTER_LINEAR)
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[..., None] * 0.5
    colour = colormaps["inferno"](0.25 + 0.75 * height)[..., :3] * 255
    weight = np.sqrt(height)[..., None]
    return np.asarray(grey * (1 - weight) + colour * weight).round().astype(np.uint8)


def _show(axes: Axes, image: Image, note: str, xy: NDArray[np.float64] | None = None) -> None:
    axes.imshow(image)
    if xy is not None:
        axes.scatter(xy[:, 0], xy[:, 1], 7, facecolors="white", edgecolors="black", linewidths=0.5)
    axes.set(xticks=[], yticks=[], xlim=(-0.5, SHOWN[1] - 0.5), ylim=(SHOWN[0] - 0.5, -0.5))
    axes.set_xlabel(note, fontsize=7, labelpad=2)


def predictions(network: PoseNetwork, subjects: Subjects, *, flip: bool = True, device: str = "auto") -> Image:
    """The photos of the subjects with the poses found in their boxes, as one picture."""
    inference = Inference(flip=flip, device=device)
    found = predict(network, subjects.photo, subjects.box, inference, upright=subjects.upright)
    pictures = []
    for photo in dict.fromkeys(subjects.photo):
        image = read_image(photo, upright=subjects.upright)
        scale = PHOTO_HEIGHT / image.shape[0]
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        size = max(round(image.shape[1] * scale), 1), PHOTO_HEIGHT
        image = np.asarray(cv2.resize(image, size, interpolation=way), np.uint8)
        for row in np.flatnonzero([p == photo for p in subjects.photo]):
            draw_pose(image, found[row] * (scale, scale, 1))
        pictures.append(image)
    return mosaic(pictures)


def mosaic(pictures: Sequence[Image]) -> Image:
    """Pictures of one height in lines of about equal width, near MOSAIC_WIDTH pixels, white between them."""
    widths = np.array([picture.shape[1] + GAP for picture in pictures])
    count = max(1, round(widths.sum() / MOSAIC_WIDTH))
    line_of = ((widths.cumsum() - widths / 2) / widths.sum() * count).astype(int)
    lines = [[p for p, at in zip(pictures, line_of, strict=True) if at == line] for line in np.unique(line_of)]
    width = max(sum(p.shape[1] for p in line) + GAP * (len(line) - 1) for line in lines)
    height = len(lines) * (PHOTO_HEIGHT + GAP) - GAP
    canvas = np.full((height, width, 3), 255, np.uint8)
    for number, line in enumerate(lines):
        top, left = number * (PHOTO_HEIGHT + GAP), 0
        for picture in line:
            canvas[top : top + PHOTO_HEIGHT, left : left + picture.shape[1]] = picture
            left += picture.shape[1] + GAP
    return canvas


def write_figure(path: Path, figure: Figure) -> None:
    """A figure as PNG through a temporary name; the same figure gives the same bytes."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=160, metadata={"Software": None})
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.partial")
    unfinished.write_bytes(file.getvalue())
    unfinished.replace(path)
