"""What an evaluation of hip-knee-ankle angles says: a table to read, JSON to keep."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from pipeline.hka import NOTICE
from pipeline.hka_agreement import Agreement, Calibration, Comparison, agreement
from pipeline.hka_evaluate import Result

HEADINGS = (
    f"{'degrees, varus positive':62}{'legs':>6}{'refused':>8}{'bias':>7}{'sd':>7}{'limits of agreement':>21}"
    f"{'median':>8}{'<= 2':>7}{'r':>7}{'own 95 %':>10}"
)


def agreements(result: Result) -> list[tuple[str, str, Agreement]]:
    """(where, truth, agreement) of everything that a network was measured on."""
    rows = [(f"COCO, {choice} legs", "annotated keypoints", agreement(c)) for choice, c in result.coco.items()]
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
    """The same for reading."""
    lines = [HEADINGS]
    for result in results:
        for on, truth, a in agreements(result):
            lines.append(f"{result.name[:20]:21}{on[:20]:21}{truth[:19]:20}{_numbers(a)}")
    lines += [_sentence(result.name, result.calibration) for result in results if result.calibration]
    return "\n".join([*lines, NOTICE])


def _every_comparison(result: Result) -> list[tuple[str, Comparison]]:
    rendered = [(f"rendered {h} {truth}", c) for h, truths in result.rendered.items() for truth, c in truths.items()]
    return [(f"coco {choice}", c) for choice, c in result.coco.items()] + rendered


def _numbers(a: Agreement) -> str:
    if a.bias is None:
        return f"{a.legs:6d}{a.refused:8d}   too few legs"
    limits = f"{a.lower:+.1f} to {a.upper:+.1f}"
    r = "-" if a.correlation is None else f"{a.correlation:.2f}"
    own = "-" if a.inside_own_95 is None else f"{100 * a.inside_own_95:.0f} %"
    near = f"{100 * (a.within_2_degrees or 0):.0f} %"
    counts = f"{a.legs:6d}{a.refused:8d}{a.bias:+7.1f}{a.sd:7.1f}"
    return f"{counts}{limits:>21}{a.median_absolute:8.2f}{near:>7}{r:>7}{own:>10}"


def _sentence(name: str, c: Calibration) -> str:
    return (
        f"calibration of {name}, fitted on rendered people: axis = {c.intercept:+.2f} + {c.slope:.3f} x found; on "
        f"{c.legs_held_out} legs kept out of the fit an rms of {c.residual_rms:.2f} remains of "
        f"{c.uncorrected_rms:.2f} degrees"
    )


def _pairs(comparison: Comparison) -> list[list[float | None]]:
    rows = np.stack([comparison.found, comparison.truth, comparison.sd], axis=1).round(3)
    return [[float(v) if np.isfinite(v) else None for v in row] for row in rows]
