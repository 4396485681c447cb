"""Legs drawn on their photo: hip-ankle line, segments, each joint's uncertainty, the angle."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cache_tools.images import Image, read_image
from pipeline.hka.angles import LEG_JOINTS, NOTICE, SIDES
from pipeline.hka.joints import Joints
from pipeline.hka.table import LegRow, in_words
from pipeline.persons.photo_boxes import PhotoBoxes
from pipeline.report.overlay import LEFT, RIGHT, unique_names, write_picture

SHORTEST_SIDE = 640  # pixels that a picture has at least, so that its writing can be read
GOOD, DOUBTFUL = (255, 255, 255), (255, 200, 60)  # RGB of the writing
LOWER = 0.7  # of a box's height: where legs are, and where it stands why a leg is refused
FONT = cv2.FONT_HERSHEY_SIMPLEX


def write_overlays(
    folder: Path, asked: PhotoBoxes, joints: Joints, rows: Sequence[LegRow], settings: Mapping[str, Any]
) -> list[Path]:
    """Every photo with its legs, as JPEG of its name in `folder`; rows are two a person, left first.

    settings: of the measurement, of which each picture tells in a strip below it.
    """
    names = unique_names(list(dict.fromkeys(asked.photo)))
    for photo, name in names.items():
        image = read_image(photo, upright=asked.upright)
        scale = max(1.0, SHORTEST_SIDE / min(image.shape[:2]))
        image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8)
        for person in [number for number, other in enumerate(asked.photo) if other == photo]:
            for leg in range(2):
                row = rows[2 * person + leg]
                if row.deviation_degrees is None:
                    _refused(image, asked.box[person] * scale, leg, row)
                else:
                    _leg(image, joints, person, leg, row, scale)
        for line in (in_words(settings), NOTICE):
            image = _with_strip(image, line)
        write_picture(folder / name, image)
    return [folder / name for name in names.values()]


def _leg(image: Image, joints: Joints, person: int, leg: int, row: LegRow, scale: float) -> None:
    places = LEG_JOINTS[leg]
    # pixel centres are at integers before and after enlarging
    xy = (joints.xy[person, places] + 0.5) * scale - 0.5
    line, edge = LEFT if SIDES[leg] == "left" else RIGHT
    width = max(2, round(min(image.shape[:2]) / 250))
    hip, knee, ankle = (tuple(np.round(p).astype(int).tolist()) for p in xy)
    _dashed(image, xy[0], xy[2], width)
    for thickness, colour in ((width + 2, edge), (width, line)):
        cv2.line(image, hip, knee, colour, thickness, cv2.LINE_AA)
        cv2.line(image, knee, ankle, colour, thickness, cv2.LINE_AA)
    for joint, centre in zip(places, (hip, knee, ankle), strict=True):
        _ellipse(image, joints.covariance[person, joint] * scale**2, centre, edge)
    outwards = 1 if xy[1, 0] >= (joints.xy[person, LEG_JOINTS[1 - leg, 1], 0] + 0.5) * scale - 0.5 else -1
    told = [f"{SIDES[leg]} {row.deviation_degrees:+.1f} +- {row.sd_degrees:.1f}"]
    if row.calibrated_degrees is not None:
        told.append(f"calibrated {row.calibrated_degrees:+.1f} (rms {row.calibrated_rms_degrees:.1f})")
    told += row.flags
    size = float(np.clip((row.thigh_pixels + row.shank_pixels) * scale / 500, 0.35, 1.2))
    _write(image, told, knee, outwards, size, DOUBTFUL if row.flags else GOOD)


def _refused(image: Image, box: NDArray[np.float64], leg: int, row: LegRow) -> None:
    """Side and reason at the box's lower left: where the leg lies is what is not known."""
    size = float(np.clip(box[3] / 1500, 0.35, 0.6))
    reasons = [part for flag, reason in row.flags.items() for part in f"{flag}: {reason}".split(", ")]
    below = 0 if leg == 0 else 5 * round(34 * size)  # the other leg may lack four joints, each with a line
    at = int(box[0]), int(box[1] + LOWER * box[3]) + below
    _write(image, [f"{SIDES[leg]} refused", *reasons], at, 1, size, DOUBTFUL)


def _dashed(image: Image, start: NDArray[np.float64], stop: NDArray[np.float64], width: int) -> None:
    steps = max(2, int(np.linalg.norm(stop - start) / (6 * width)))
    points = np.round(np.linspace(start, stop, steps)).astype(int).tolist()
    for number in range(0, steps - 1, 2):
        for thickness, colour in ((width + 1, (0, 0, 0)), (max(1, width - 1), (255, 255, 255))):
            cv2.line(image, points[number], points[number + 1], colour, thickness, cv2.LINE_AA)


def _ellipse(
    image: Image, covariance: NDArray[np.float64], centre: tuple[int, ...], colour: tuple[int, int, int]
) -> None:
    """Two standard deviations around a joint."""
    values, vectors = np.linalg.eigh(covariance)
    radii = np.maximum(np.round(2 * np.sqrt(np.maximum(values, 0))), 2).astype(int).tolist()
    angle = float(np.degrees(np.arctan2(vectors[1, 0], vectors[0, 0])))
    for thickness, ink in ((3, (255, 255, 255)), (1, colour if sum(colour) < 300 else (0, 0, 0))):
        cv2.ellipse(image, centre, radii, angle, 0, 360, ink, thickness, cv2.LINE_AA)


def _write(
    image: Image, lines: Sequence[str], knee: tuple[int, ...], outwards: int, size: float, ink: tuple[int, int, int]
) -> None:
    """Lines of text on black beside the knee, away from the other leg, inside the picture."""
    height, width = image.shape[:2]
    step, gap = round(34 * size), round(50 * size)
    for number, text in enumerate(lines):
        (long, tall), below = cv2.getTextSize(text, FONT, size, 1)
        x = int(np.clip(knee[0] + gap if outwards > 0 else knee[0] - gap - long, 4, max(4, width - long - 4)))
        y = int(np.clip(knee[1] + number * step, step, height - 4))
        cv2.rectangle(image, (x - 3, y - tall - 3), (x + long + 3, y + below), (0, 0, 0), cv2.FILLED)
        cv2.putText(image, text, (x, y), FONT, size, ink, 1, cv2.LINE_AA)


def _with_strip(image: Image, line: str) -> Image:
    """The picture with a line in a strip below it, so that it travels with the picture."""
    width = image.shape[1]
    (long, tall), _ = cv2.getTextSize(line, FONT, 1, 1)
    size = min(0.6, (width - 12) / long)
    strip = np.zeros((round(tall * size) + 14, width, 3), np.uint8)
    cv2.putText(strip, line, (6, len(strip) - 7), FONT, size, (255, 255, 255), 1, cv2.LINE_AA)
    return np.concatenate([image, strip])
