"""Legs drawn on their photo: hip-ankle line, thigh and shank, each joint's uncertainty, the angle."""

import re
import textwrap
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
from pipeline.report.overlay import LEFT, RIGHT, picture_names, write_picture

# pixels that a picture's shorter side has at least, so that its text can be read
SHORTEST_SIDE = 640
# colour of the text
GOOD, DOUBTFUL = "white", "#ffc83c"
# share of a box's height at which it is written why a leg is refused: legs are there
LOWER = 0.8
# pixels between text and the edge of the picture
MARGIN = 6
# pixels, of the sentences below the picture and of a line of them
FONT, LINE = 13.0, 22
# pixels, of sentences that would be wider than the picture, and of a step towards it
SMALLEST_FONT, FONT_STEP = 6.0, 0.5
# of the font size, between text and the edge of its box
PAD = 0.25
# fonts and lines are measured in 1/72 inch, which is then a pixel
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

    @property
    def refused(self) -> bool:
        """Return whether the leg has no angle, and no known place either."""
        return self.row.deviation_degrees is None

    @property
    def length(self) -> float:
        """Return the length of the leg; half of the person's height where the leg is refused."""
        if self.refused:
            return float(self.box[3]) / 2
        return float(np.linalg.norm(np.diff(self.joints, axis=0), axis=1).sum())

    @property
    def label_point(self) -> Array:
        """Return the point (2,) that the label is beside: the knee, or the lower left of the person's box."""
        x, y, _, height = self.box
        return np.array([x, y + LOWER * height]) if self.refused else self.joints[1]

    @property
    def label_distance(self) -> float:
        """Return the pixels around that point that the label leaves free: two standard deviations of the knee."""
        return 0.0 if self.refused else float(2 * np.sqrt(np.linalg.eigvalsh(self.covariance[1]).max()).clip(2, 20))


def write_leg_overlays(
    folder: Path, persons: PhotoBoxes, joints: Joints, rows: Sequence[LegRow], settings: LegSettings
) -> list[Path]:
    """Write every photo with its legs, as JPEG of its name in `folder` (`picture_names`); return the paths.

    rows: two a person, left first. settings: stated in a strip below each picture.
    """
    names = picture_names(dict(zip(persons.photo, persons.name, strict=True)))
    for photo, name in names.items():
        image = read_image(photo, options=persons.photo_options)
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
    strip = len(sentences) * LINE + MARGIN
    # a thousandth of a pixel more: the canvas is cut to whole pixels
    figure = Figure(((width + 1e-3) / DPI, (height + strip + 1e-3) / DPI), dpi=DPI, facecolor="black")
    axes = figure.add_axes((0, strip / (height + strip), 1, height / (height + strip)))
    axes.imshow(image, interpolation="nearest", aspect="auto")
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    axes.axis("off")
    for leg in legs:
        if not leg.refused:
            _draw_leg(axes, leg, max(3, round(min(height, width) / 180)))
    if legs:
        _write_labels(axes, legs)
    for number, sentence in enumerate(sentences):
        y = strip - MARGIN / 2 - LINE * (number + 0.5)
        text = figure.text(MARGIN / width, y / (height + strip), sentence, color="white", fontsize=FONT, va="center")
        _shrink_to(text, width - 2 * MARGIN)
    return figure_pixels(figure)


def _shrink_to(text: Text, width: float) -> None:
    """Make the letters of a text smaller until it is at most `width` pixels wide.

    By steps, because glyphs are of whole pixels: a text of nine tenths of the size is not nine tenths as wide.
    """
    while text.get_window_extent().width > width and float(text.get_fontsize()) > SMALLEST_FONT:
        text.set_fontsize(float(text.get_fontsize()) - FONT_STEP)


def _draw_leg(axes: Axes, leg: DrawnLeg, width: int) -> None:
    """Draw the hip-ankle line, thigh and shank, and an ellipse of two standard deviations around each joint."""
    line, edge = _colours(leg.row.side)
    axes.plot(
        *leg.joints[[0, 2]].T, color="white", linewidth=width / 2, linestyle=(0, (5, 4)),
        path_effects=[withStroke(linewidth=width / 2 + 2, foreground="black")],
    )  # fmt: skip
    axes.plot(
        *leg.joints.T, color=line, linewidth=width, solid_capstyle="round", solid_joinstyle="round",
        path_effects=[withStroke(linewidth=width + 2, foreground=edge)],
    )  # fmt: skip
    for centre, covariance in zip(leg.joints, leg.covariance, strict=True):
        variances, directions = np.linalg.eigh(covariance)
        diameters = 4 * np.sqrt(np.maximum(variances, 1))
        ellipse = Ellipse(
            tuple(centre), *diameters, angle=float(np.degrees(np.arctan2(directions[1, 0], directions[0, 0]))),
            fill=False, edgecolor="black", path_effects=[withStroke(linewidth=3, foreground="white")],
        )  # fmt: skip
        axes.add_patch(ellipse)


def _write_labels(axes: Axes, legs: Sequence[DrawnLeg]) -> None:
    """Write the angle of each leg beside its knee, over no leg and no other label, where there is room."""
    labels = [_label(axes, leg) for leg in legs]
    sizes = np.array([_size(label) for label in labels])
    points, distances = np.stack([leg.label_point for leg in legs]), np.array([leg.label_distance for leg in legs])
    width, height = axes.bbox.size
    inside = (MARGIN, MARGIN, width - MARGIN, height - MARGIN)
    obstacles = np.concatenate([np.zeros((0, 4)), *(_boxes_along(leg.joints) for leg in legs if not leg.refused)])
    places = place_labels(points, distances, sizes, inside, obstacles, starts=2)
    for leg, label, place, size in zip(legs, labels, places, sizes, strict=True):
        corner = np.maximum(np.minimum(place[:2], np.array(inside[2:]) - size), MARGIN)
        label.set_position(tuple(corner + size / 2))
        nearest = np.clip(leg.label_point, corner, corner + size)
        if not leg.refused and np.linalg.norm(nearest - leg.label_point) > leg.label_distance + 8:
            axes.plot(
                *np.stack([nearest, leg.label_point]).T, color="white", linewidth=1,
                path_effects=[withStroke(linewidth=3, foreground="black")],
            )  # fmt: skip


def _label(axes: Axes, leg: DrawnLeg) -> Text:
    """Add text on a black box with the side's colour as its edge; its size goes with that of the person's legs."""
    return axes.text(
        0, 0, _label_text(leg.row), ha="center", va="center", color=DOUBTFUL if leg.row.flags else GOOD, zorder=5,
        fontsize=float(np.clip(leg.length / 18, 10, 24)), linespacing=1.1,
        bbox={"boxstyle": f"square,pad={PAD}", "facecolor": "black", "edgecolor": _colours(leg.row.side)[0]},
    )  # fmt: skip


def _label_text(row: LegRow) -> str:
    """Return side, angle and flags of a leg; of a refused one the reasons, without the scores."""
    if row.deviation_degrees is None:
        reasons = [re.sub(r" \(score .*?\)", "", f"{flag}: {reason}") for flag, reason in row.flags.items()]
        return "\n".join([f"{row.side} refused", *(part for reason in reasons for part in textwrap.wrap(reason, 28))])
    lines = [f"{row.side} {row.deviation_degrees:+.1f} ± {row.sd_degrees:.1f}"]
    if row.calibrated_degrees is not None:
        lines.append(f"calibrated {row.calibrated_degrees:+.1f}")
    return "\n".join([*lines, *row.flags])


def _size(label: Text) -> Array:
    """Return width and height (2,) of a label with its box, in pixels."""
    extent = label.get_window_extent()
    return np.array([extent.width, extent.height]) + 2 * PAD * float(label.get_fontsize()) + 2


def _boxes_along(joints: Array, count: int = 8) -> Array:
    """Return small boxes (2 x count, 4) that cover thigh and shank."""
    fractions = (np.arange(count)[:, None] + 0.5) / count
    boxes = []
    for start, stop in pairwise(joints):
        centres, half = start + fractions * (stop - start), np.abs(stop - start) / (2 * count) + 3
        boxes.append(np.concatenate([centres - half, centres + half], axis=1))
    return np.concatenate(boxes)


def _colours(side: str) -> tuple[str, str]:
    """Return the colours of a leg and of its edge."""
    line, edge = LEFT if side == LEG_SIDES[0] else RIGHT
    return "#" + bytes(line).hex(), "#" + bytes(edge).hex()
