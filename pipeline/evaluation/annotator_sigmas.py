"""OKS sigmas measured from two annotations of the same persons, as COCO measured its own.

COCO's definition (https://cocodataset.org/#keypoints-eval): sigma_k^2 = E[d_k^2 / s^2], with d_k the distance between
two annotations of keypoint k in pixels and s^2 the area of the person.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cache_tools.annotations.annotation_file import AnnotationFile, read_annotation_file
from cache_tools.instances import Instances
from cache_tools.skeletons import Skeleton

# boxes of one person by two annotators share at least this part of their union
MIN_OVERLAP = 0.5


@dataclass(frozen=True, kw_only=True)
class MeasuredSigmas:
    """OKS sigmas of a skeleton's K joints, and what they were measured from."""

    skeleton: Skeleton
    #: (K,) NaN where no person has the joint labelled in both files
    sigmas: NDArray[np.float64]
    #: (K,) persons whose joint is labelled in both files
    counts: NDArray[np.int64]
    #: persons matched by their annotation id
    by_id: int
    #: persons matched by image and box
    by_box: int
    #: persons that are in one file only
    unmatched: tuple[int, int]


def measure_sigmas(one: str | Path, other: str | Path, *, skeleton: Skeleton | None = None) -> MeasuredSigmas:
    """Return the sigmas that two annotation files of the same persons give; they may list the joints in any order.

    Persons are the same where annotation id and photo are and the boxes overlap, or else where they are in the same
    photo and their boxes overlap more than any other two. The area is the mean of the two. skeleton: of files that do
    not name their keypoints.
    Raises ValueError where the files have different keypoints or photos, where nobody is matched, and where both have
    exactly the same keypoints.
    """
    first = read_annotation_file(one, skeleton=skeleton)
    second = read_annotation_file(other, skeleton=skeleton, expected=first.skeleton)
    persons, others = first.instances(), second.instances()
    pairs, by_id = _matched(persons, others)
    if not pairs:
        raise ValueError(_nobody(first, second, persons, others))
    rows, other_rows = np.array(pairs).T
    both = (persons.visibility[rows] > 0) & (others.visibility[other_rows] > 0)  # (P, K)
    squared = np.square(persons.keypoints[rows] - others.keypoints[other_rows]).sum(-1)
    area = (persons.area[rows] + others.area[other_rows]) / 2
    counts = both.sum(axis=0)
    total = np.where(both, squared / area[:, None], 0.0).sum(axis=0)
    if not total.any():
        raise ValueError(
            f"{one} and {other} have the same keypoints, to the last digit: expected two annotations that were made "
            "independently"
        )
    with np.errstate(invalid="ignore"):
        sigmas = np.sqrt(total / counts)
    return MeasuredSigmas(
        skeleton=first.skeleton,
        sigmas=sigmas,
        counts=counts,
        by_id=by_id,
        by_box=len(pairs) - by_id,
        unmatched=(len(persons) - len(pairs), len(others) - len(pairs)),
    )


def _matched(persons: Instances, others: Instances) -> tuple[list[tuple[int, int]], int]:
    """Return pairs of rows that are the same person, and how many of them were found by their id: those come first."""
    rows_of: dict[str, list[int]] = {}
    for row, name in enumerate(others.file_name):
        rows_of.setdefault(name, []).append(row)
    row_of_id = {number: row for row, number in enumerate(others.annotation_id.tolist())}
    pairs: list[tuple[int, int]] = []
    candidates: list[tuple[float, int, int]] = []
    for row, (number, name) in enumerate(zip(persons.annotation_id.tolist(), persons.file_name, strict=True)):
        same = row_of_id.get(number)
        if same is not None and others.file_name[same] == name and _overlap(persons, row, others, same) >= MIN_OVERLAP:
            pairs.append((row, same))
            continue
        overlaps = ((_overlap(persons, row, others, other), row, other) for other in rows_of.get(name, []))
        candidates += [candidate for candidate in overlaps if candidate[0] >= MIN_OVERLAP]
    by_id = len(pairs)
    taken, others_taken = {row for row, _ in pairs}, {row for _, row in pairs}
    for _, row, other in sorted(candidates, key=lambda candidate: -candidate[0]):
        if row not in taken and other not in others_taken:
            pairs.append((row, other))
            taken.add(row)
            others_taken.add(other)
    return pairs, by_id


def _overlap(persons: Instances, row: int, others: Instances, other: int) -> float:
    """Return the intersection over union of two persons' boxes."""
    one, two = persons.box[row], others.box[other]
    sides = np.minimum(one[:2] + one[2:], two[:2] + two[2:]) - np.maximum(one[:2], two[:2])
    shared = np.maximum(sides, 0).prod()
    return float(shared / (one[2:].prod() + two[2:].prod() - shared))


def _nobody(first: AnnotationFile, second: AnnotationFile, persons: Instances, others: Instances) -> str:
    """Return the error message for two files that have no person in common."""
    shared = set(persons.file_name) & set(others.file_name)
    reason = (
        f"{len(shared)} photos are in both, and no boxes in them overlap by {MIN_OVERLAP:g} of their union"
        if shared
        else f"no photo is in both: {persons.file_name[0]} and {others.file_name[0]} are their first"
    )
    return f"{first.path} and {second.path} have no labelled person in common: {reason}"


def sigmas_text(measured: MeasuredSigmas) -> str:
    """Return the sigmas as a YAML fragment for a skeleton file, with the number of persons of each joint."""
    only_one, only_other = measured.unmatched
    lines = [
        f"# OKS sigmas from two annotations of {measured.by_id + measured.by_box} persons: {measured.by_id} matched by "
        "annotation id,",
        f"# {measured.by_box} by image and box; {only_one} and {only_other} are in one file only",
        "sigmas:",
    ]
    width = max(len(_quoted(name)) for name in measured.skeleton.names) + 1
    for name, sigma, count in zip(
        measured.skeleton.names, measured.sigmas.tolist(), measured.counts.tolist(), strict=True
    ):
        if count and sigma > 0:
            lines.append(f"  {_quoted(name) + ':':{width}} {sigma:.4f}  # {count} persons")
        else:
            reason = f"0 in {count} persons" if count else "labelled in both files for nobody"
            lines.append(f"  # {_quoted(name)}: {reason}: state a sigma yourself")
    return "\n".join(lines)


def _quoted(name: str) -> str:
    """Return a name as YAML, quoted where it would be read as something else than text."""
    import yaml

    return yaml.safe_dump(name, default_flow_style=True, width=1000).removesuffix("\n").removesuffix("\n...")
