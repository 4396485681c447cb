"""Leg angles of given joints: signs, and what they do not depend on."""

import numpy as np
import pytest

from pipeline.demo.leg_angles import frontal_hka, straddle


def test_frontal_angle_of_given_joints() -> None:
    hip, other_hip, ankle = np.array([0.1, 0, 0.9]), np.array([-0.1, 0, 0.9]), np.array([0.1, 0, 0.1])
    knee_out = np.array([0.1 + 0.4 * np.tan(np.radians(3)), 0, 0.5])
    assert frontal_hka(hip, np.array([0.1, 0.2, 0.5]), ankle, other_hip) == pytest.approx(180)  # bent, not bowed
    assert frontal_hka(hip, knee_out, ankle, other_hip) == pytest.approx(174)
    mirror = np.array([-1, 1, 1])
    assert frontal_hka(hip * mirror, knee_out * mirror, ankle * mirror, other_hip * mirror) == pytest.approx(174)
    turn = np.array([[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 1]])
    joints = [turn @ joint for joint in (hip, knee_out, ankle, other_hip)]
    assert frontal_hka(*joints) == pytest.approx(174)


def test_straddle_is_the_lean_of_the_whole_leg() -> None:
    hips = np.array([[0.1, 0, 0.9], [-0.1, 0, 0.9]])
    ankles = np.array([[0.1 + 0.8 * np.tan(np.radians(4)), 0.3, 0.1], [-0.1, 0, 0.1]])
    assert straddle(hips, ankles, hips[::-1]) == pytest.approx([4, 0])
