"""What an evaluation of hip-knee-ankle angles says: a table to read, JSON to keep."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from pipeline.hka.agreement import Agreement, Calibration, Comparison, agreement
from pipeline.hka.angles import NOTICE
from pipeline.hka.evaluate import Result
from pipeline.report.table import aligned

HEADINGS = (
    "network", "on", "truth", "legs", "refused", "bias", "sd", "limits of agreement", "median", "<= 2", "r", "own 95 %"
)  # fmt: skip
CAPTION = (
    "Degrees, varus positive, found - true. Limits of agreement: bias -+ 1.96 sd; median: of absolute errors; "
    "<= 2: legs within 2 degrees; own 95 %: legs whose error is within 1.96 of the sd stated for them."
)


def agreements(result: Result) -> list[tuple[str, str, Agreement]]:
    """(where, truth, agreement) of everything that a network was measured on."""
    rows = [(f"photos, {choice} legs", "annotated keypoints", agreement(c)) for choice, c in result.coco.items()]
    for height, truths in result.rendered.items():
        rows += [
            (f"rendered, {height} px", "exact keypoints" if truth == "keypoints" else "mechanical axis", agreement(c))
            for truth, c in truths.items()
        ]
    return rows


def report(results: Sequence[Result], settings: dict[str, Any]) -> dict[str, Any]:
    """Everything as one JSON object; `pairs` are [found, truth, sd] of each leg, null where it was refused."""
    return {
        "notice": NOTICE,
        "angles": "degrees, varus positive; found - truth",
        "settings": settings,
        "models": [
            {
                "name": result.name,
                "digest": result.digest,
                "agreement": [{"on": on, "truth": truth, **asdict(a)} for on, truth, a in agreements(result)],
                "calibration": result.calibration and result.calibration.to_json(),
                "pairs": {name: _pairs(legs) for name, legs in _every_comparison(result)},
            }
            for result in results
        ],
    }


def table(results: Sequence[Result]) -> str:
    """The same for reading, as Markdown."""
    rows = [[r.name, on, truth, *_numbers(a)] for r in results for on, truth, a in agreements(r)]
    sentences = [_sentence(r.name, r.calibration) for r in results if r.calibration]
    return "\n".join(
        [*aligned([HEADINGS, *rows], names=3), "", *(f"{line}  " for line in [CAPTION, *sentences, NOTICE])]
    )


def _every_comparison(result: Result) -> list[tuple[str, Comparison]]:
    rendered = [(f"rendered {h} {truth}", c) for h, truths in result.rendered.items() for truth, c in truths.items()]
    return [(f"coco {choice}", c) for choice, c in result.coco.items()] + rendered


def _numbers(a: Agreement) -> list[str]:
    counts = [str(a.legs), str(a.refused)]
    if a.bias is None:
        return [*counts, *["-"] * (len(HEADINGS) - 5)]
    return [
        *counts,
        f"{a.bias:+.1f}",
        f"{a.sd:.1f}",
        f"{a.lower:+.1f} to {a.upper:+.1f}",
        f"{a.median_absolute:.2f}",
        f"{100 * (a.within_2_degrees or 0):.0f} %",
        "-" if a.correlation is None else f"{a.correlation:.2f}",
        "-" if a.inside_own_95 is None else f"{100 * a.inside_own_95:.0f} %",
    ]


def _sentence(name: str, c: Calibration) -> str:
    return (
        f"Calibration of {name}, fitted on rendered people: axis = {c.intercept:+.2f} + {c.slope:.3f} x found; on "
        f"{c.legs_held_out} legs kept out of the fit an rms of {c.residual_rms:.2f} remains of "
        f"{c.uncorrected_rms:.2f} degrees."
    )


def _pairs(comparison: Comparison) -> list[list[float | None]]:
    rows = np.stack([comparison.found, comparison.truth, comparison.sd], axis=1).round(3)
    return [[float(v) if np.isfinite(v) else None for v in row] for row in rows]
