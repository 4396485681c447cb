"""Measured angles as rows: one leg, one row, with what should be known before it is believed."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from cache_tools.files import write_json, write_text
from pipeline.hka.agreement import Calibration
from pipeline.hka.angles import NOTICE, SIDES, measure, signed
from pipeline.hka.joints import Joints
from pipeline.hka.quality import Limits, flags
from pipeline.persons.photo_boxes import PhotoBoxes


@dataclass(frozen=True)
class LegRow:
    """One leg. Angles are None where the leg is refused."""

    photo: str
    person: int  # of the photo, from 0
    side: str
    deviation_degrees: float | None  # signed by the convention asked for
    sd_degrees: float | None  # one standard deviation, from the heatmaps' spread
    medial_angle_degrees: float | None  # 180 straight, less is varus, whatever the convention
    calibrated_degrees: float | None  # deviation of the mechanical axis that a calibration gives; None without one
    calibrated_rms_degrees: float | None  # that the calibration left on rendered people it had not seen
    thigh_pixels: float
    shank_pixels: float
    quality: str  # good, doubtful, refused
    flags: dict[str, str]  # flag -> reason


def leg_rows(
    asked: PhotoBoxes,
    joints: Joints,
    *,
    convention: str = "varus",
    limits: Limits | None = None,
    calibration: Calibration | None = None,
) -> list[LegRow]:
    """The rows of all persons, left leg first."""
    limits = limits or Limits()
    angles = measure(joints.xy, joints.score, joints.covariance, limits.min_score)
    reasons = flags(joints.xy, joints.score, limits, angles.sd)
    deviation = signed(angles.varus, convention)
    corrected = signed(calibration.apply(angles.varus), convention) if calibration else np.full(deviation.shape, np.nan)
    rows, person_of_photo = [], dict.fromkeys(asked.photo, 0)
    for person, photo in enumerate(asked.photo):
        for leg, side in enumerate(SIDES):
            measured = bool(np.isfinite(angles.varus[person, leg]))
            doubts = dict(reasons[person][leg])
            if measured and calibration:
                doubts |= extrapolated(float(angles.varus[person, leg]), calibration)
            rows.append(
                LegRow(
                    str(photo),
                    person_of_photo[photo],
                    side,
                    _number(deviation[person, leg]),
                    _number(angles.sd[person, leg]),
                    _number(angles.medial[person, leg]),
                    _number(corrected[person, leg]),
                    round(calibration.residual_rms, 2) if measured and calibration else None,
                    round(float(angles.lengths[person, leg, 0]), 1),
                    round(float(angles.lengths[person, leg, 1]), 1),
                    "doubtful" if doubts and measured else "good" if measured else "refused",
                    doubts if measured or doubts else {"not_frontal": "the hips coincide: no side is lateral"},
                )
            )
        person_of_photo[photo] += 1
    return rows


def extrapolated(varus: float, calibration: Calibration) -> dict[str, str]:
    """The flag of an angle beyond those that the calibration was fitted on, where the line is a guess."""
    low, high = calibration.range
    if low <= varus <= high:
        return {}
    return {"extrapolated": f"varus of {varus:+.1f} degrees, calibrated on {low:+.1f} to {high:+.1f}"}


def in_words(settings: Mapping[str, Any]) -> str:
    """Which network, which sign and whether calibrated: what no number should be read without."""
    calibration = settings["calibration"]
    told = (
        f"calibrated on rendered people, rms {calibration['residual_rms']:.1f} degrees"
        if calibration
        else "not calibrated to the mechanical axis"
    )
    return f"{settings['network']}, {settings['convention']}, {told}"


def as_json(rows: Sequence[LegRow], settings: dict[str, Any]) -> dict[str, Any]:
    """The rows as a JSON object that says what they are."""
    return {"notice": NOTICE, "settings": settings, "legs": [_mapping(row) for row in rows]}


def as_csv(rows: Sequence[LegRow], settings: Mapping[str, Any]) -> str:
    """The rows as CSV; flags are `flag: reason | flag: reason`, the last columns say how it was measured."""
    text = io.StringIO()
    names = [f.name for f in fields(LegRow)]
    writer = csv.DictWriter(text, [*names, "measured", "notice"], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        told = " | ".join(f"{flag}: {reason}" for flag, reason in row.flags.items())
        writer.writerow({**_mapping(row), "flags": told, "measured": in_words(settings), "notice": NOTICE})
    return text.getvalue()


def as_text(rows: Sequence[LegRow], settings: Mapping[str, Any]) -> str:
    """The rows for reading."""
    lines = ["deviation in degrees ± one standard deviation", in_words(settings)]
    for row in rows:
        angle = "refused" if row.deviation_degrees is None else f"{row.deviation_degrees:+.1f} ± {row.sd_degrees:.1f}"
        if row.calibrated_degrees is not None:
            angle += f"  calibrated {row.calibrated_degrees:+.1f} (rms {row.calibrated_rms_degrees:.1f})"
        lines.append(f"{Path(row.photo).name}  person {row.person}  {row.side:5}  {angle}  {row.quality}")
        lines += [f"    {flag}: {reason}" for flag, reason in row.flags.items()]
    return "\n".join([*lines, NOTICE])


def write_rows(path: Path, rows: Sequence[LegRow], settings: dict[str, Any]) -> None:
    """CSV or JSON, by the name's suffix, through a temporary name."""
    if path.suffix not in (".csv", ".json"):
        raise ValueError(f"cannot write {path}: expected a name that ends in .csv or .json")
    if path.suffix == ".csv":
        write_text(path, as_csv(rows, settings))
    else:
        write_json(path, as_json(rows, settings))


def read_calibration(path: str | Path, digest: str) -> Calibration:
    """The calibration that `kdcache hka --evaluate` fitted for the network of this digest.

    Raises ValueError when the file holds none for it: a network's calibration corrects that network's errors alone.
    """
    try:
        models = json.loads(Path(path).read_bytes())["models"]
        found = next((m["calibration"] for m in models if m["digest"] == digest and m["calibration"]), None)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not what `kdcache hka --evaluate --out` writes ({error})") from error
    if found is None:
        names = ", ".join(m["name"] for m in models)
        raise ValueError(
            f"{path} has calibrations of {names}, none of this network (digest {digest[:12]}): "
            "run `kdcache hka --evaluate` with it"
        )
    return Calibration(**{**found, "range": tuple(found["range"])})


def _mapping(row: LegRow) -> dict[str, Any]:
    return {f.name: getattr(row, f.name) for f in fields(LegRow)}


def _number(value: float) -> float | None:
    return round(float(value), 2) if np.isfinite(value) else None
