"""Measured angles as rows: one row a leg, with what a reader should know before believing the angle."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from cache_tools.files import write_json, write_text
from cache_tools.json_file import read_json
from pipeline.hka.agreement import Calibration
from pipeline.hka.angles import LEG_SIDES, NOTICE, measure_angles, with_sign
from pipeline.hka.definition import AngleDefinition
from pipeline.hka.joints import Joints
from pipeline.hka.quality import DEFAULT_LIMITS, FLAG_MEANINGS, REFUSING_FLAGS, Limits, find_flags
from pipeline.report.spreadsheet import spreadsheet_text

SUFFIXES = (".csv", ".json")


@dataclass(frozen=True, kw_only=True)
class LegRow:
    """One leg. Angles are None where the leg is refused."""

    #: path relative to the folder of photos
    photo: str
    #: number of the person in the photo, from 0
    person: int
    side: str
    #: signed by the requested convention
    deviation_degrees: float | None
    #: one standard deviation, from the covariance of the heatmap peaks
    sd_degrees: float | None
    #: 180 straight, less is varus, whatever the convention
    medial_angle_degrees: float | None
    #: deviation of the mechanical axis by a calibration; None without one
    calibrated_degrees: float | None
    #: error that the calibration left on rendered people it was not fitted on
    calibrated_rms_degrees: float | None
    thigh_pixels: float
    shank_pixels: float
    #: good, doubtful or refused
    quality: str
    #: flag -> reason
    flags: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class LegSettings:
    """How legs were measured: what must be known to read their numbers."""

    network: str
    digest: str
    #: which angle is measured
    angle: AngleDefinition
    #: "varus positive" or "valgus positive"
    convention: str
    flip: bool
    #: "whole photo", or the file of boxes
    boxes: str
    #: "upright by EXIF" or "as stored"
    pixels: str
    min_score: float
    calibration: Calibration | None

    def sentence(self) -> str:
        """Return the network, which angle it measures, the sign and whether angles are calibrated."""
        calibrated = "not calibrated" if self.angle.is_mechanical else "not calibrated to the mechanical axis"
        if self.calibration:
            calibrated = f"calibrated on rendered people, rms {self.calibration.residual_rms:.1f} degrees"
        return f"{self.network}, {self.angle.name}, {self.convention}, {calibrated}"


def leg_rows(
    photos: Sequence[str],
    joints: Joints,
    *,
    convention: str = "varus",
    limits: Limits = DEFAULT_LIMITS,
    calibration: Calibration | None = None,
) -> list[LegRow]:
    """Return the rows of all persons, left leg first. photos (N,): path of each person's photo."""
    angles = measure_angles(joints.xy, joints.score, joints.covariance, limits.min_score)
    flags = find_flags(joints.xy, joints.score, limits, angles.sd)
    deviation = with_sign(angles.varus, convention)
    calibrated = np.full(deviation.shape, np.nan)
    if calibration:
        calibrated = with_sign(calibration.apply(angles.varus), convention)
    rows = []
    persons_before = dict.fromkeys(photos, 0)
    for person, photo in enumerate(photos):
        for leg, side in enumerate(LEG_SIDES):
            doubts = dict(flags[person][leg])
            refused = bool(np.isnan(angles.varus[person, leg])) or not doubts.keys().isdisjoint(REFUSING_FLAGS)
            if refused and not doubts:
                doubts = {"not_frontal": "the hips coincide: no side is lateral"}
            if calibration and not refused:
                doubts |= extrapolated(float(angles.varus[person, leg]), calibration)
            rows.append(
                LegRow(
                    photo=photo,
                    person=persons_before[photo],
                    side=side,
                    deviation_degrees=None if refused else _rounded(deviation[person, leg]),
                    sd_degrees=None if refused else _rounded(angles.sd[person, leg]),
                    medial_angle_degrees=None if refused else _rounded(angles.medial[person, leg]),
                    calibrated_degrees=None if refused else _rounded(calibrated[person, leg]),
                    calibrated_rms_degrees=round(calibration.residual_rms, 2) if calibration and not refused else None,
                    thigh_pixels=round(float(angles.lengths[person, leg, 0]), 1),
                    shank_pixels=round(float(angles.lengths[person, leg, 1]), 1),
                    quality="refused" if refused else "doubtful" if doubts else "good",
                    flags=doubts,
                )
            )
        persons_before[photo] += 1
    return rows


def extrapolated(varus: float, calibration: Calibration) -> dict[str, str]:
    """Return the flag of an angle beyond those that the calibration was fitted on, where the line is a guess."""
    low, high = calibration.range
    if low <= varus <= high:
        return {}
    return {"extrapolated": f"varus of {varus:+.1f} degrees, calibrated on {low:+.1f} to {high:+.1f}"}


def legs_json(rows: Sequence[LegRow], settings: LegSettings) -> dict[str, Any]:
    """Return the rows as a JSON object with the settings that they were measured with."""
    return {
        "notice": NOTICE,
        "settings": asdict(settings) | {"angle": settings.angle.to_json()},
        "legs": [asdict(row) for row in rows],
    }


def legs_csv(rows: Sequence[LegRow], settings: LegSettings) -> str:
    """Return the rows as CSV; flags are `flag: reason | flag: reason`, the last columns say what was measured."""
    text = io.StringIO()
    names = [field.name for field in fields(LegRow)]
    writer = csv.DictWriter(text, [*names, "angle", "measured", "notice"], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        flags = " | ".join(f"{flag}: {reason}" for flag, reason in row.flags.items())
        stated = {"angle": settings.angle.name, "measured": settings.sentence(), "notice": NOTICE}
        cells = {**asdict(row), "flags": flags, **stated}
        writer.writerow({k: spreadsheet_text(v) if isinstance(v, str) else v for k, v in cells.items()})
    return text.getvalue()


def legs_text(rows: Sequence[LegRow], settings: LegSettings) -> str:
    """Return the rows as a table for reading, with the reasons of each leg's flags, and what flags mean at the end."""
    cells = []
    for row in rows:
        deviation, corrected = "refused", ""
        if row.deviation_degrees is not None:
            deviation = f"{row.deviation_degrees:+.1f} ± {row.sd_degrees:.1f}"
        if row.calibrated_degrees is not None:
            corrected = f"{row.calibrated_degrees:+.1f} ({row.calibrated_rms_degrees:.1f})"
        cells.append([row.photo, row.person, row.side, deviation, row.quality, corrected])
    heads = ["photo", "person", "side", "deviation", "quality", "calibrated (rms)"]
    columns = slice(None if settings.calibration else -1)
    table = tabulate(
        [line[columns] for line in cells],
        heads[columns],
        tablefmt="plain",
        disable_numparse=True,
        colalign=["left", "right", "left", "right", "left", "right"][columns],
    ).splitlines()
    lines = [settings.sentence(), "deviation in degrees ± one standard deviation", "", table[0]]
    for row, line in zip(rows, table[1:], strict=True):
        lines += [line, *(f"    {flag}: {reason}" for flag, reason in row.flags.items())]
    used = {flag for row in rows for flag in row.flags}
    meanings = [f"{flag}: {meaning}" for flag, meaning in FLAG_MEANINGS.items() if flag in used]
    return "\n".join([*lines, "", *meanings, *([""] if meanings else []), NOTICE])


def write_legs(path: Path, rows: Sequence[LegRow], settings: LegSettings) -> None:
    """Write the rows as CSV or JSON, by the suffix of the name. Raises ValueError for any other suffix."""
    if path.suffix not in SUFFIXES:
        raise ValueError(f"cannot write {path}: expected a name that ends in {' or '.join(SUFFIXES)}")
    if path.suffix == ".csv":
        write_text(path, legs_csv(rows, settings))
    else:
        write_json(path, legs_json(rows, settings))


def read_calibration(path: str | Path, digest: str) -> Calibration:
    """Read the calibration that `kdcache hka evaluate` fitted for the network of this digest.

    Raises ValueError where the file holds none for it: a network's calibration corrects only that network's errors.
    """
    document = read_json(path, "what `kdcache hka evaluate --out` writes")
    try:
        models = document["models"]
        found = next((m["calibration"] for m in models if m["digest"] == digest and m["calibration"]), None)
        calibration = found and Calibration(**{**found, "range": tuple(found["range"])})
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is not what `kdcache hka evaluate --out` writes: expected `models`, each with its `calibration` "
            f"({type(error).__name__}: {error})"
        ) from None
    if calibration is None:
        names = ", ".join(m["name"] for m in models)
        raise ValueError(
            f"{path} has calibrations of {names}, none of this network (digest {digest[:12]}): "
            "run `kdcache hka evaluate` with it"
        )
    return calibration


def _rounded(value: float) -> float | None:
    return round(float(value), 2) if np.isfinite(value) else None
