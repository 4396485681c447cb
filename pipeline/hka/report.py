"""The result of an evaluation of hip-knee-ankle angles: a table to read, JSON to keep."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pipeline.hka.agreement import Agreement, Calibration, Comparison, measure_agreement
from pipeline.hka.angles import NOTICE
from pipeline.hka.evaluate import AngleEvaluation
from pipeline.report.markdown import markdown_table, with_sentences

HEADS = (
    "network", "angle of", "on", "truth", "legs", "refused", "bias", "sd", "limits of agreement", "MAE", "median",
    "<= 2", "r", "own 95 %",
)  # fmt: skip
CAPTION = (
    "Degrees, varus positive, found - true. Limits of agreement: bias -+ 1.96 sd; MAE, median: of absolute errors; "
    "<= 2: legs within 2 degrees; own 95 %: legs whose error is within 1.96 of the sd stated for them."
)


@dataclass(frozen=True, kw_only=True)
class MeasuredSet:
    """The legs of one set that a network was measured on, beside one truth."""

    #: in the table, e.g. "rendered, 240 px"
    on: str
    #: in the table: "annotated" or "exact", "keypoints" or "joint centres"; or "mechanical axis"
    truth: str
    #: in the JSON, e.g. "rendered 240 axis"
    key: str
    legs: Comparison


def evaluation_json(evaluations: Sequence[AngleEvaluation], settings: dict[str, Any]) -> dict[str, Any]:
    """Return everything as a JSON object; `pairs` are [found, truth, sd] of each leg, null where it was refused."""
    return {
        "notice": NOTICE,
        "angles": "degrees, varus positive; found - truth",
        "settings": settings,
        "models": [_model_json(evaluation) for evaluation in evaluations],
    }


def evaluation_markdown(evaluations: Sequence[AngleEvaluation]) -> str:
    """Return agreement and calibration of every network as Markdown."""
    rows = [
        [
            evaluation.name,
            evaluation.angle.points,
            measured.on,
            measured.truth,
            *_cells(measure_agreement(measured.legs)),
        ]
        for evaluation in evaluations
        for measured in _measured_sets(evaluation)
    ]
    calibrations = [_sentence(one.name, one.calibration) for one in evaluations if one.calibration]
    return with_sentences(markdown_table(HEADS, rows, names=4), [CAPTION, *_angles(evaluations), *calibrations, NOTICE])


def _angles(evaluations: Sequence[AngleEvaluation]) -> list[str]:
    """Return a sentence on each angle that was measured: what it is."""
    return list(dict.fromkeys(f"{one.angle.points}: {_meaning(one)}" for one in evaluations))


def _meaning(evaluation: AngleEvaluation) -> str:
    if evaluation.angle.is_mechanical:
        return "what is found is the mechanical axis, as it is seen in the image."
    return "what is found is the hip-knee-ankle angle of these points, which is not the mechanical axis."


def _measured_sets(evaluation: AngleEvaluation) -> list[MeasuredSet]:
    annotated = evaluation.annotated_angle
    joints = "joint centres" if annotated is not None and annotated.is_mechanical else "keypoints"
    found = [
        MeasuredSet(on=f"photos, {choice} legs", truth=f"annotated {joints}", key=f"coco {choice}", legs=legs)
        for choice, legs in evaluation.photos.items()
    ]
    names = {"keypoints": "exact keypoints", "centres": "exact joint centres", "axis": "mechanical axis"}
    for height, by_truth in evaluation.rendered.items():
        found += [
            MeasuredSet(on=f"rendered, {height} px", truth=names[truth], key=f"rendered {height} {truth}", legs=legs)
            for truth, legs in by_truth.items()
        ]
    return found


def _model_json(evaluation: AngleEvaluation) -> dict[str, Any]:
    sets = _measured_sets(evaluation)
    return {
        "name": evaluation.name,
        "digest": evaluation.digest,
        "angle": evaluation.angle.to_json(),
        "agreement": [{"on": s.on, "truth": s.truth, **asdict(measure_agreement(s.legs))} for s in sets],
        "calibration": evaluation.calibration and evaluation.calibration.to_json(),
        "pairs": {s.key: _pairs(s.legs) for s in sets},
    }


def _cells(agreement: Agreement) -> list[str]:
    counts = [str(agreement.legs), str(agreement.refused)]
    if agreement.bias is None:
        return [*counts, *["-"] * (len(HEADS) - 6)]
    return [
        *counts,
        f"{agreement.bias:+.1f}",
        f"{agreement.sd:.1f}",
        f"{agreement.lower:+.1f} to {agreement.upper:+.1f}",
        f"{agreement.mean_absolute:.2f}",
        f"{agreement.median_absolute:.2f}",
        f"{100 * (agreement.within_2_degrees or 0):.0f} %",
        "-" if agreement.correlation is None else f"{agreement.correlation:.2f}",
        "-" if agreement.inside_own_95 is None else f"{100 * agreement.inside_own_95:.0f} %",
    ]


def _sentence(name: str, line: Calibration) -> str:
    return (
        f"Calibration of {name}, fitted on rendered people: axis = {line.intercept:+.2f} + {line.slope:.3f} x found; "
        f"on {line.legs_held_out} legs that are not in the fit, an rms of {line.residual_rms:.2f} remains of "
        f"{line.uncorrected_rms:.2f} degrees."
    )


def _pairs(legs: Comparison) -> list[list[float | None]]:
    rows = np.stack([legs.found, legs.truth, legs.sd], axis=1).round(3)
    return [[float(value) if np.isfinite(value) else None for value in row] for row in rows]
