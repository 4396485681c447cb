"""Each reason to doubt an angle is found where the pose gives it, and none on a frontal standing person."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.hka.angles import HIPS
from pipeline.hka.quality import FLAG_MEANINGS, Limits, find_flags
from tests.samples.standing_legs import standing_joints

Points = NDArray[np.float64]
ALL_SEEN = np.ones((1, 17))


def foreshortened_shank(points: Points) -> Points:
    """Return the person with a left shank that is seen from its end."""
    points[15] = points[13] + 0.5 * (points[15] - points[13])
    return points


def kicked(points: Points) -> Points:
    """Return the person with the left shank pointing sideways."""
    points[15] = points[13] + [95, 0]
    return points


def bowing(points: Points) -> Points:
    """Return the person with a horizontal trunk."""
    points[[5, 6]] = points[HIPS].mean(0) + np.array([[120, -30], [120, 30]])
    return points


def test_a_frontal_standing_person_carries_no_flag() -> None:
    assert find_flags(standing_joints(3, -3)[None], ALL_SEEN) == [[{}, {}]]


@pytest.mark.parametrize(
    ("flag", "spoil", "reason"),
    [
        ("small", lambda points: points / 3, "1 px of knee error"),
        ("not_frontal", lambda points: points * [0.5, 1], "hips over leg"),
        ("knee_bent", foreshortened_shank, "thigh over shank"),
        ("not_standing", bowing, "degrees from the trunk"),
        ("knee_bent", kicked, "a bend is likelier"),
    ],
)
def test_each_doubt_is_flagged_with_its_reason(flag: str, spoil: Callable[[Points], Points], reason: str) -> None:
    flags = find_flags(spoil(standing_joints(2, 2))[None], ALL_SEEN)[0][0]
    assert reason in flags[flag]
    assert flags.keys() <= FLAG_MEANINGS.keys()


def test_a_vague_angle_is_flagged() -> None:
    uncertain, certain = find_flags(standing_joints(2, 2)[None], ALL_SEEN, sd=[[12, 1]])[0]
    assert "12 degrees" in uncertain["uncertain"]
    assert certain == {}


def test_an_unknown_uncertainty_is_no_doubt() -> None:
    assert find_flags(standing_joints(2, 2)[None], ALL_SEEN, sd=[[np.nan, np.nan]]) == [[{}, {}]]


def test_unseen_joints_are_named_with_their_score() -> None:
    scores = ALL_SEEN.copy()
    scores[0, 12], scores[0, 15] = 0, 0.1
    left, right = find_flags(standing_joints(4, 5)[None], scores)[0]
    assert left == {"unseen": "left ankle (score 0.10), right hip (score 0.00)"}
    assert right == {"unseen": "right hip (score 0.00)"}
    assert find_flags(standing_joints(4, 5)[None], scores, Limits(min_score=0))[0][0] == {}


def test_unseen_shoulders_leave_standing_unchecked() -> None:
    scores = ALL_SEEN.copy()
    scores[0, 5] = 0
    assert "cannot be checked" in find_flags(standing_joints(2, 2)[None], scores)[0][1]["not_standing"]


def test_the_documentation_explains_every_flag() -> None:
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "angles.md").read_text(encoding="utf-8")
    for flag, meaning in FLAG_MEANINGS.items():
        assert f"| `{flag}` | {meaning} |" in page
