"""Legs drawn on their photo: hip-ankle line, thigh and shank, each joint's uncertainty, the angle."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from matplotlib.patheffects import withStroke
from matplotlib.text import Text

from cache_tools.images import Image, read_image
from pipeline.hka.angles import LEG_JOINTS, LEG_SIDES, NOTICE, Array
from pipeline.hka.joints import Joints
from pipeline.hka.table import LegRow, LegSettings
from pipeline.persons.photo_boxes import PhotoBoxes
from pipeline.report.figure_file import figure_pixels
from pipeline.report.label_placement import place_labels
from pipeline.report.overlay import LEFT, RIGHT, unique_names, write_picture

# pixels that a picture's shorter side has at least, so that its text can be read
SHORTEST_SIDE = 640
# colour of the text
GOOD, DOUBTFUL = "white", "#ffc83c"
# share of a box's height at which the reason why a leg is refused begins: legs are there
LOWER = 0.7
# pixels between the lines of text and the edge of the picture
MARGIN = 6
# of the font size, between text and the edge of its box
PAD = 0.25
# a figure's dot is a pixel, and a point of a font or of a line as well
DPI = 72


@dataclass(frozen=True, kw_only=True)
class DrawnLeg:
    """One leg in pixels of the picture."""

    row: LegRow
    #: (3, 2) hip, knee, ankle
    joints: Array
    #: (3, 2, 2) square pixels
    covariance: Array
    #: (4,) x, y, width, height of the person
    box: Array


def write_leg_overlays(
    folder: Path, persons: PhotoBoxes, joints: Joints, rows: Sequence[LegRow], settings: LegSettings
) -> list[Path]:
    """Write every photo with its legs, as JPEG of its name in `folder`; return the paths.

    rows: two a person, left first. settings: stated in a strip below each picture.
    """
    names = unique_names(list(dict.fromkeys(persons.photo)))
    for photo, name in names.items():
        image = read_image(photo, upright=persons.upright)
        scale = max(1.0, SHORTEST_SIDE / min(image.shape[:2]))
        image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8)
        legs = []
        for person in [number for number, other in enumerate(persons.photo) if other == photo]:
            for leg, places in enumerate(LEG_JOINTS):
                legs.append(
                    DrawnLeg(
                        row=rows[2 * person + leg],
                        # pixel centres are at integers before and after enlarging
                        joints=(joints.xy[person, places] + 0.5) * scale - 0.5,
                        covariance=joints.covariance[person, places] * scale**2,
                        box=persons.box[person] * scale,
                    )
                )
        write_picture(folder / name, leg_picture(image, legs, [settings.sentence(), NOTICE]))
    return [folder / name for name in names.values()]


def leg_picture(image: Image, legs: Sequence[DrawnLeg], sentences: Sequence[str]) -> Image:
    """Return an image with legs drawn on it, and with sentences in a black strip below it."""
    height, width = image.shape[:2]
    font = 13.0
    strip = len(sentences) * round(1.7 * font) + MARGIN
    # a thousandth of a pixel more: the canvas is cut to whole pixels
    figure = Figure(((width + 1e-3) / DPI, (height + strip + 1e-3) / DPI), dpi=DPI, facecolor="black")
    axes = figure.add_axes((0, strip / (height + strip), 1, height / (height + strip)))
    axes.imshow(image, interpolation="nearest", aspect="auto")
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    axes.axis("off")
    measured = [leg for leg in legs if leg.row.deviation_degrees is not None]
    for leg in measured:
        _draw_leg(axes, leg, max(2, round(min(height, width) / 250)))
    refused = _write_refused(axes, [leg for leg in legs if leg.row.deviation_degrees is None])
    _write_angles(axes, measured, refused)
    for number, sentence in enumerate(sentences):
        y = strip - MARGIN - round(1.7 * font) * (number + 0.5)
        text = figure.text(MARGIN / width, y / (height + strip), sentence, color="white", fontsize=font, va="center")
        text.set_fontsize(font * min(1.0, (width - 2 * MARGIN) / text.get_window_extent().width))
    return figure_pixels(figure)


def _draw_leg(axes: Axes, leg: DrawnLeg, width: int) -> None:
    """Draw the hip-ankle line, thigh and shank, and an ellipse of two standard deviations around each joint."""
    line, edge = (_hex(colour) for colour in _colours(leg.row.side))
    hip, _, ankle = leg.joints
    axes.plot(
        *zip(hip, ankle, strict=True), color="white", linewidth=max(1, width - 1), linestyle=(0, (5, 4)),
        path_effects=[withStroke(linewidth=width + 1, foreground="black")],
    )  # fmt: skip
    axes.plot(
        *leg.joints.T, color=line, linewidth=width, solid_capstyle="round", solid_joinstyle="round",
        path_effects=[withStroke(linewidth=width + 2, foreground=edge)],
    )  # fmt: skip
    for centre, covariance in zip(leg.joints, leg.covariance, strict=True):
        variances, directions = np.linalg.eigh(covariance)
        across, along = 4 * np.sqrt(np.maximum(variances, 1))
        angle = float(np.degrees(np.arctan2(directions[1, 0], directions[0, 0])))
        axes.add_patch(
            Ellipse(
                tuple(centre), across, along, angle=angle, fill=False, edgecolor="black", linewidth=1,
                path_effects=[withStroke(linewidth=3, foreground="white")],
            )
        )  # fmt: skip


def _write_angles(axes: Axes, legs: Sequence[DrawnLeg], obstacles: Array) -> None:
    """Write the angle and the flags of each leg beside its knee, over no leg and no other text, where there is room."""
    if not legs:
        return
    labels = [_label(axes, _angle_text(leg.row), leg, bool(leg.row.flags)) for leg in legs]
    sizes = np.array([_size(label) for label in labels])
    points = np.stack([leg.joints[1] for leg in legs])
    radii = np.array([2 * np.sqrt(np.linalg.eigvalsh(leg.covariance[1]).max()) for leg in legs]).clip(4, 40)
    height, width = axes.bbox.height, axes.bbox.width
    taken = np.concatenate([obstacles, *(_boxes_along(leg.joints) for leg in legs)])
    places = place_labels(points, radii, sizes, (MARGIN, MARGIN, width - MARGIN, height - MARGIN), taken, starts=2)
    for label, place, point, radius in zip(labels, places, points, radii, strict=True):
        place = _moved_inside(place, width, height)
        label.set_position(tuple((place[:2] + place[2:]) / 2))
        nearest = np.clip(point, place[:2], place[2:])
        if np.linalg.norm(nearest - point) > radius + 8:
            axes.plot(
                *zip(nearest, point, strict=True), color="white", linewidth=1,
                path_effects=[withStroke(linewidth=3, foreground="black")],
            )  # fmt: skip


def _write_refused(axes: Axes, legs: Sequence[DrawnLeg]) -> Array:
    """Write side and reason at the lower left of each person's box, because no leg was found; return boxes (N, 4)."""
    occupied: list[Array] = []
    for leg in legs:
        reasons = [part for flag, reason in leg.row.flags.items() for part in f"{flag}: {reason}".split(", ")]
        label = _label(axes, "\n".join([f"{leg.row.side} refused", *reasons]), leg, True)
        corner, size = leg.box[:2] + np.array([0, LOWER * leg.box[3]]), _size(label)
        place = _moved_inside(np.concatenate([corner, corner + size]), axes.bbox.width, axes.bbox.height)
        # the other leg of the person, or another person at the same place
        for other in occupied:
            if (np.minimum(place[2:], other[2:]) > np.maximum(place[:2], other[:2])).all():
                place = place + np.array([0, 1, 0, 1]) * (other[3] - place[1] + 2)
        place = _moved_inside(place, axes.bbox.width, axes.bbox.height)
        label.set_position(tuple((place[:2] + place[2:]) / 2))
        occupied.append(place)
    return np.array(occupied).reshape(-1, 4)


def _angle_text(row: LegRow) -> str:
    lines = [f"{row.side} {row.deviation_degrees:+.1f} ± {row.sd_degrees:.1f}"]
    if row.calibrated_degrees is not None:
        lines.append(f"calibrated {row.calibrated_degrees:+.1f} (rms {row.calibrated_rms_degrees:.1f})")
    return "\n".join([*lines, *row.flags])


def _label(axes: Axes, text: str, leg: DrawnLeg, doubtful: bool) -> Text:
    """Add text on a black box with the side's colour as its edge; its size is that of the person."""
    return axes.text(
        0, 0, text, ha="center", va="center", color=DOUBTFUL if doubtful else GOOD, zorder=5,
        fontsize=float(np.clip(leg.box[3] / 40, 10, 24)), linespacing=1.1,
        bbox={"boxstyle": f"square,pad={PAD}", "facecolor": "black", "edgecolor": _hex(_colours(leg.row.side)[0])},
    )  # fmt: skip


def _size(label: Text) -> Array:
    """Return width and height (2,) of a label with its box, in pixels."""
    extent = label.get_window_extent()
    return np.array([extent.width, extent.height]) + 2 * PAD * label.get_fontsize() + 2


def _boxes_along(joints: Array, count: int = 8) -> Array:
    """Return small boxes (2 x count, 4) that cover thigh and shank."""
    fractions = (np.arange(count)[:, None] + 0.5) / count
    boxes = []
    for start, stop in pairwise(joints):
        centres, half = start + fractions * (stop - start), np.abs(stop - start) / (2 * count) + 3
        boxes.append(np.concatenate([centres - half, centres + half], axis=1))
    return np.concatenate(boxes)


def _moved_inside(box: Array, width: float, height: float) -> Array:
    """Return a box (4,) moved into the picture, by its upper left corner where it is too large."""
    inside = np.minimum(box[:2], np.array([width, height]) - MARGIN - (box[2:] - box[:2]))
    corner = np.maximum(inside, MARGIN)
    return np.concatenate([corner, corner + (box[2:] - box[:2])])


def _colours(side: str) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    return LEFT if side == LEG_SIDES[0] else RIGHT


def _hex(colour: tuple[int, int, int]) -> str:
    return "#" + bytes(colour).hex()
