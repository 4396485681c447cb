"""Measured angles beside those of X-rays, leg by leg, from CSV files: what a clinic needs to validate a student."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tabulate import tabulate

from pipeline.hka.agreement import Agreement, Comparison, measure_agreement
from pipeline.hka.angles import CONVENTIONS, LEG_SIDES, NOTICE, with_sign
from pipeline.report.spreadsheet import text_of_cell

#: (photo, side) of a leg
Leg = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class ReferenceComparison:
    """Legs that both have, with the agreement of their angles."""

    agreement: Agreement
    #: legs of the reference that were not measured, and measured ones that the reference does not have
    without_measurement: list[Leg]
    without_reference: list[Leg]


def read_angles(
    paths: Sequence[Path], column: str = "deviation_degrees", convention: str = "varus"
) -> dict[Leg, float]:
    """Return leg -> degrees, varus positive, of CSV files of `kdcache hka measure`, of the page, or written by hand.

    column: of the angle. convention: the sign of files that have no column `measured`, which says it. Refused legs,
    whose angle is empty, are NaN. Raises ValueError for a file without its columns, a side that is neither left nor
    right, an angle that is no number or only its calibration is missing, and a leg that is there twice.
    """
    found: dict[Leg, float] = {}
    for path in paths:
        rows = csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines())
        missing = {"photo", "side", column} - set(rows.fieldnames or ())
        if missing:
            raise ValueError(f"{path} has no column {', '.join(sorted(missing))}: expected photo, side and {column}")
        for number, row in enumerate(rows, start=2):
            leg = (Path(text_of_cell(row["photo"])).name, row["side"].strip().lower())
            if leg[1] not in LEG_SIDES:
                raise ValueError(f"{path}, line {number}: side is {row['side']!r}: expected left or right")
            if leg in found:
                raise ValueError(f"{path}, line {number}: the {leg[1]} leg of {leg[0]} is there twice")
            found[leg] = _varus(row, column, convention, f"{path}, line {number}")
    return found


def compare_with_reference(measured: Mapping[Leg, float], reference: Mapping[Leg, float]) -> ReferenceComparison:
    """Compare the legs that both have; ValueError where there are none."""
    legs = [leg for leg in reference if leg in measured]
    if not legs:
        raise ValueError(
            f"none of the {len(reference)} legs of the reference was measured: the column `photo` must name the same "
            f"files, as {next(iter(measured), ('?',))[0]!r} and {next(iter(reference), ('?',))[0]!r} do not"
        )
    found = np.array([measured[leg] for leg in legs])
    truth = np.array([reference[leg] for leg in legs])
    return ReferenceComparison(
        agreement=measure_agreement(Comparison(found, truth, np.full(len(legs), np.nan))),
        without_measurement=[leg for leg in reference if leg not in measured],
        without_reference=[leg for leg in measured if leg not in reference],
    )


def reference_text(comparison: ReferenceComparison) -> str:
    """Return bias and limits of agreement for reading."""
    found = comparison.agreement
    rows = [["legs compared", str(found.legs)], ["refused by the network", str(found.refused)]]
    if found.bias is not None:
        rows += [
            ["bias", f"{found.bias:+.2f}"],
            ["standard deviation", f"{found.sd:.2f}"],
            ["95 % limits of agreement", f"{found.lower:+.2f} to {found.upper:+.2f}"],
            ["median absolute error", f"{found.median_absolute:.2f}"],
            ["within 2 degrees", f"{100 * (found.within_2_degrees or 0):.0f} %"],
            ["correlation", "-" if found.correlation is None else f"{found.correlation:.2f}"],
        ]
    rows.append(["in the reference only", str(len(comparison.without_measurement))])
    rows.append(["measured only", str(len(comparison.without_reference))])
    lines = [tabulate(rows, tablefmt="plain", disable_numparse=True), ""]
    if found.bias is None:
        lines.append("fewer than 3 legs are compared: no statistic")
    return "\n".join([*lines, "degrees, varus positive, measured - reference", NOTICE])


def _varus(row: Mapping[str, str], column: str, convention: str, where: str) -> float:
    """Return the varus-positive angle of a row, NaN where it is empty."""
    text = (row[column] or "").strip()
    if not text:
        if (row.get("deviation_degrees") or "").strip():
            raise ValueError(
                f"{where}: {column} is empty and the leg was not refused: measure with --calibration, or compare "
                "without --calibrated"
            )
        return float("nan")
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise ValueError(f"{where}: {column} is {text!r}: expected degrees, as -3.5, or nothing for a refused leg")
    measured = row.get("measured") or ""
    stated = next((one for one in CONVENTIONS if f"{one} positive" in measured), convention)
    return float(with_sign(value, stated))
