"""Heatmaps side by side (paper, figure 3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cache_tools.geometry import Matrix, apply, compose, crop_to_image, invert
from cache_tools.images import Image
from cache_tools.instances import Instances
from pipeline.evaluation.matched_network import known_joints
from pipeline.evaluation.oks import similarity
from pipeline.persons.subjects import Subjects
from pipeline.report.overlay import SHOWN_SCORE
from student.device import torch_device
from student.heatmaps.targets import render_targets
from student.inference import Inference
from student.pose_network import Maps, PoseNetwork
from student.prediction import decode_keypoints, heatmap_batches, read_crops

if TYPE_CHECKING:
    from cache_tools.store.writer import HeatmapStore

# height, width of every cell of the panel: the crop in the udp frame, whatever the frame of a network is
CELL_SIZE = (256, 192)
# pixels of such a cell: sigma 2 of the paper at stride 4
TRUTH_SIGMA = 2.0 * 4


@dataclass(frozen=True, kw_only=True)
class PanelColumn:
    """The heatmaps of the subjects by one network, or in one store."""

    title: str
    #: (N, K, h, w)
    maps: Maps
    #: (N, 2, 3) heatmap cell -> image pixel
    cell_to_image: Matrix
    #: (K,) joints that the network knows; None: all
    known: NDArray[np.bool_] | None = None


def network_column(network: PoseNetwork, title: str, subjects: Subjects, inference: Inference) -> PanelColumn:
    """Return the heatmaps that a network makes of the subjects."""
    batches = list(
        heatmap_batches(
            network,
            subjects.photo,
            subjects.box,
            inference,
            photo_sizes=subjects.photo_size,
            photo_options=subjects.photo_options,
        )
    )
    return PanelColumn(
        title=title,
        maps=np.concatenate([batch.maps for batch in batches]),
        cell_to_image=np.concatenate([batch.cell_to_image for batch in batches]),
        known=known_joints(network),
    )


def store_column(store: "HeatmapStore", title: str, subjects: Subjects) -> PanelColumn:
    """Return the heatmaps that a store holds of annotated subjects. Raises ValueError when it does not hold them."""
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
    return PanelColumn(
        title=title,
        maps=store.read(rows),
        cell_to_image=compose(store.cell_to_crop, store.crop_to_image[rows]),
        known=np.array(store.spec.known_joints),
    )


def heatmap_panel(
    subjects: Subjects, columns: Sequence[PanelColumn], *, sigmas: Sequence[float] | None, device: str = "auto"
) -> Figure:
    """Draw one row a person: photo, ground truth where there is one, then the maps, joints and OKS of every column.

    sigmas (K,): OKS sigmas of the joints, None where there is no ground truth. OKS is of the joints that a column
    knows. device: where heatmaps are decoded.
    Raises ValueError where there is ground truth and no sigmas.
    """
    if subjects.truth is not None and sigmas is None:
        raise ValueError("the panel compares with ground truth: expected the OKS sigmas of its joints")
    truth = subjects.truth
    titles = ["photo", *(["ground truth"] if truth else []), *(column.title for column in columns)]
    cell_to_image = crop_to_image(subjects.box, "udp", CELL_SIZE)
    crops = list(read_crops(subjects.photo, cell_to_image, CELL_SIZE, photo_options=subjects.photo_options))
    decode_on = torch_device(device)
    found = [decode_keypoints(column.maps, column.cell_to_image, decode_on) for column in columns]  # each (N, K, 3)
    figure = Figure(figsize=(0.25 + 1.35 * len(titles), 2.0 * len(subjects) + 0.25), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02)  # type: ignore[union-attr, call-arg]
    grid = figure.subplots(len(subjects), len(titles), squeeze=False)
    for row, crop in enumerate(crops):
        image_to_cell = invert(cell_to_image[row])
        cells = iter(grid[row])
        _show(next(cells), crop, "")
        if truth is not None:
            xy, labelled = apply(image_to_cell, truth.keypoints[row]), truth.visibility[row] > 0
            target = render_targets(torch.from_numpy(xy[labelled][None]), CELL_SIZE, TRUTH_SIGMA)[0].numpy()
            _show(next(cells), tinted(crop, target), f"{labelled.sum()} joints", xy[labelled])
        for column, poses in zip(columns, found, strict=True):
            xy, seen = apply(image_to_cell, poses[row, :, :2]), poses[row, :, 2] > SHOWN_SCORE
            note = f"{seen.sum()} joints"
            if truth is not None and sigmas is not None:
                note = _oks_text(truth, row, poses[row], column.known, sigmas)
            map_to_cell = compose(column.cell_to_image[row], image_to_cell)
            _show(next(cells), tinted(crop, column.maps[row], map_to_cell), note, xy[seen])
        grid[row, 0].set_ylabel(subjects.titles[row], fontsize=7)
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title, fontsize=8)
    return figure


def _oks_text(
    truth: Instances, row: int, pose: NDArray[np.float64], known: NDArray[np.bool_] | None, sigmas: Sequence[float]
) -> str:
    """Return the OKS of a pose (K, 3) with a person's labels, over the joints that are known; how many, if not all."""
    compared = np.ones(len(sigmas), np.bool_) if known is None else known
    oks = similarity(
        pose[:, :2], truth.keypoints[row], truth.area[row], truth.visibility[row] * compared, sigmas=sigmas
    )
    # NaN: the person has labels of other joints only
    score = "-" if np.isnan(oks) else f"{oks:.2f}"
    return f"OKS {score}" + ("" if compared.all() else f" of {compared.sum()} joints")


def tinted(crop: Image, maps: NDArray[np.float32], map_to_crop: Matrix | None = None) -> Image:
    """Return the crop in dark grey, lit by the highest of its maps (K, h, w): brightness shows the height."""
    height = np.asarray(maps).max(0, initial=0).clip(0, 1).astype(np.float32)
    if map_to_crop is not None:
        height = cv2.warpAffine(height, map_to_crop, CELL_SIZE[::-1], flags=cv2.INTER_LINEAR)
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[..., None] * 0.5
    colour = colormaps["inferno"](0.25 + 0.75 * height)[..., :3] * 255
    weight = np.sqrt(height)[..., None]
    return np.asarray(grey * (1 - weight) + colour * weight).round().astype(np.uint8)


def _show(axes: Axes, image: Image, note: str, xy: NDArray[np.float64] | None = None) -> None:
    axes.imshow(image)
    if xy is not None:
        axes.scatter(xy[:, 0], xy[:, 1], 7, facecolors="white", edgecolors="black", linewidths=0.5)
    axes.set(xticks=[], yticks=[], xlim=(-0.5, CELL_SIZE[1] - 0.5), ylim=(CELL_SIZE[0] - 0.5, -0.5))
    axes.set_xlabel(note, fontsize=7, labelpad=2)
